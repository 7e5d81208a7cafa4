"""A client for Ordermill, blocking and asynchronous: chunks, retries with idempotency keys, typed results, pages."""

from ordermill.client.asynchronous import AsyncOrdermill
from ordermill.client.blocking import Ordermill
from ordermill.client.steps import ClientError, Refused, Unreachable

__all__ = ["AsyncOrdermill", "ClientError", "Ordermill", "Refused", "Unreachable"]
