"""Ordermill: a durable, self-hosted intake for orders."""

__version__ = "0.1.0"
