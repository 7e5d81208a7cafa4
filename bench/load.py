"""A client that costs little: requests made beforehand, on connections that stay open, latencies noted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

HEADERS = {
    "brevo": "api-key: {key}",
    "karrio": "authorization: Token {key}",
    "centra": "api-authorization: {key}",
    "ordermill": "authorization: Bearer {key}",
}
BATCHES = {"brevo": "/v3/orders/status/batch", "karrio": "/v1/batches/orders", "centra": "/centra/orders"}
SINGLES = {"brevo": "/v3/orders/status", "karrio": "/v1/orders", "centra": "/centra/order"}


class Unexpected(Exception):
    """An answer that is no success: the figures would mean nothing."""


class Load:
    """What a run of requests took."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.errors = 0

    def quantile_ms(self, share: float) -> float:
        found = sorted(self.latencies)
        return found[min(len(found) - 1, int(len(found) * share))] * 1000 if found else 0.0


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: Any = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0 or self._answer is None:
            return
        head = bytes(self._buffer[:head_end]).lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < head_end + 4 + size:
            return
        body = bytes(self._buffer[head_end + 4 : head_end + 4 + size])
        self._buffer.clear()
        answer, self._answer = self._answer, None
        if not answer.done():
            answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def send(self, request: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


def post(url: str, path: str, contract: str, key: str, body: bytes) -> bytes:
    """The bytes of a request."""
    place = urlsplit(url)
    return (
        f"POST {path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
        f"{HEADERS[contract].format(key=key)}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(url: str, path: str, contract: str, key: str) -> bytes:
    place = urlsplit(url)
    return f"GET {path} HTTP/1.1\r\nhost: {place.netloc}\r\n{HEADERS[contract].format(key=key)}\r\n\r\n".encode()


@asynccontextmanager
async def connections(url: str, count: int) -> AsyncIterator[list[Connection]]:
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, place.hostname, place.port))[1] for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            if connection.transport is not None:
                connection.transport.close()


async def drive(
    url: str, requests: Iterable[bytes], count: int, *, pause_s: float = 0.0, may_fail: bool = False
) -> Load:
    """Sends every request, `count` at a time. `pause_s`: what each connection waits between two of them."""
    load = Load()
    waiting = iter(requests)
    async with connections(url, count) as opened:
        started = time.perf_counter()
        await asyncio.gather(*(_work(connection, waiting, load, pause_s, may_fail) for connection in opened))
        load.seconds = time.perf_counter() - started
    return load


async def _work(connection: Connection, waiting: Iterator[bytes], load: Load, pause_s: float, may_fail: bool) -> None:
    for request in waiting:
        started = time.perf_counter()
        status, body = await connection.send(request)
        load.latencies.append(time.perf_counter() - started)
        if status >= 300:
            load.errors += 1
            if not may_fail:
                raise Unexpected(f"{status} {body[:300].decode(errors='replace')}")
        if pause_s:
            await asyncio.sleep(pause_s)
