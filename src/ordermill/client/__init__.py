"""A client for Ordermill, blocking and asynchronous: chunks, retries with idempotency keys, typed results, pages."""
