"""Karrio's orders and batches of orders, as its published page and its server say them."""
