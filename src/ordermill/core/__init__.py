"""What Ordermill means: orders, batches, outcomes and rules. No HTTP, no SQL, no dialect, no clock."""
