"""The human page."""
