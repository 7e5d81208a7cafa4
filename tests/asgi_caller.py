"""Calls our ASGI application without a socket: one request in, status, headers and body out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote


class Called(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def call(
    app: Any, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Called:
    """`target`: path and query as they stand in a request line."""
    path, _, query = target.partition("?")
    sent = {"host": "testserver", "content-type": "application/json", **(headers or {})}
    if body:
        sent["content-length"] = str(len(body))
    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(), "scheme": "http",
        "query_string": query.encode(), "root_path": "", "http_version": "1.1", "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }  # fmt: skip
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    start: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Called(start["status"], answered, b"".join(parts))
