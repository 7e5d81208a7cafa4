"""Measuring Ordermill beside the bulk load of the store it runs on: `python -m bench --help`."""
