"""What was accepted can always be read: every list to its end, every order in every way there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from server_process import ServerProcess

LISTS = (
    "/v3/orders?limit=100&offset={}",
    "/v1/orders?limit=100&offset={}",
    "/v1/batches/operations?limit=100&offset={}",
)
WAYS = ("", "/history", "?as=brevo", "?as=karrio", "?as=centra")


def read_everything(server: ServerProcess, most: int = 1_000) -> int:
    """Raises AssertionError for any answer that is not 200 with valid JSON. How many orders were read."""
    headers = {"api-key": server.key}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20) as http:
        for path in LISTS:
            token = {"authorization": f"Token {server.key}"} if path.startswith("/v1") else {}
            for offset in range(0, most, 100):
                said = _read(http, path.format(offset), token)
                entries = said["orders"] if "orders" in said else said["results"]
                if len(entries) < 100:
                    break
        bearer = {"authorization": f"Bearer {server.key}"}
        count = 0
        for entry in _entries(http, "/api/v1/orders", bearer, most):
            count += 1
            for way in WAYS:
                _read(http, f"/api/v1/orders/{entry['id']}{way}", bearer)
            raw = http.get(f"/api/v1/orders/{entry['id']}/raw", headers=bearer)
            assert raw.status_code == 200, (entry, raw.text)
        for batch in _entries(http, "/api/v1/batches", bearer, most):
            _read(http, f"/api/v1/batches/{batch['id']}", bearer)
            for _ in _entries(http, f"/api/v1/batches/{batch['id']}/items", bearer, most):
                pass
        return count


def _entries(http: httpx.Client, path: str, headers: dict[str, str], most: int) -> Iterator[Any]:
    cursor: str | None = None
    given = 0
    while given < most:
        said = _read(http, f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""), headers)
        yield from said["data"]
        given += len(said["data"])
        cursor = said["next"]
        if cursor is None:
            return


def _read(http: httpx.Client, path: str, headers: dict[str, str]) -> Any:
    answer = http.get(path, headers=headers)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
    return answer.json()
