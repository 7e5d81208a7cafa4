"""The Centra Order API v1: keyed batches, single orders, completing, updating, reading (docs/dialects/centra.md)."""
