"""What happens later: imports chunk by chunk, expired leases, retention."""
