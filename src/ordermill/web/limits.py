"""What bounds a request: its size before and after gunzip, the memory all bodies share, how often a key may call."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from ordermill.core.errors import Overloaded, TooLarge, TooOften, Unreadable, UnsupportedMedia
from ordermill.core.limits import Limits

Receive = Callable[[], Awaitable[Any]]
DRAIN_MAX = 64 * 1024 * 1024  # bytes of a refused body that are read away, so that its sender sees the answer
ADMISSION_WAIT_S = 20.0
GUNZIP_INLINE = 256 * 1024
STREAM_PIECE = 1024 * 1024


class AtWork:
    """How many requests are being worked on: whole, and not answered. Who waits in a longer line waits in vain.

    The silent and the slow do not count: they cost nothing until their request is whole.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0

    def __enter__(self) -> None:
        """Raises Overloaded where the line is full."""
        if self.most and self.count >= self.most:
            raise Overloaded("too many requests are at work; nothing was stored, come back later", retry_after_s=1)
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1


class ClientGone(Exception):
    """The client closed the connection before its request was whole: there is nobody to answer."""


class Body:
    """A request's body while it is held: its bytes count against the budget of all, a large one holds a place."""

    def __init__(self, reader: BodyReader) -> None:
        self.data = b""
        self._reader = reader
        self.counted = 0
        self._placed = False

    async def grow(self, size: int) -> None:
        """The body has (or will have) this size. Waits for a place when that is large; raises Overloaded."""
        reader = self._reader
        if size > reader.limits.large_body_bytes and not self._placed:
            await reader.take_place()
            self._placed = True
        reader.held += size - self.counted
        self.counted = size
        if reader.held > reader.limits.buffered_bytes:
            raise Overloaded("too many request bodies are held at once; come back later", retry_after_s=2)

    def release(self) -> None:
        """The request is answered, or given up."""
        self._reader.held -= self.counted
        self.counted = 0
        if self._placed:
            self._placed = False
            self._reader.leave_place()


class BodyReader:
    """Reads bodies whole, few large ones at a time. The others stay in their sockets, where they cost nothing."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        self._places = asyncio.Semaphore(limits.large_bodies_at_once)

    async def take_place(self) -> None:
        """Raises Overloaded when no place becomes free in time."""
        try:
            await asyncio.wait_for(self._places.acquire(), ADMISSION_WAIT_S)
        except TimeoutError:
            raise Overloaded("too many large requests are being read; come back later", retry_after_s=5) from None

    def leave_place(self) -> None:
        self._places.release()

    async def read(self, headers: Mapping[str, str], receive: Receive, size_max: int) -> Body:
        """The body, decompressed; release() it when the request is answered.

        Raises TooLarge, Overloaded, UnsupportedMedia, Unreadable, ClientGone.
        """
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", ""):
            raise UnsupportedMedia(
                f"the content coding {coding[:40]!r} is not read here", hint="send it plain or gzipped"
            )
        announced = int(headers.get("content-length") or 0)
        if announced > size_max:
            if "expect" not in headers:  # who waits for "100 Continue" has sent nothing that would be in the way
                await _drain(receive, announced)
            raise _too_large(size_max)
        body = Body(self)
        try:
            await body.grow(announced)
            body.data = await _receive(body, receive, size_max)
            if coding in ("gzip", "x-gzip"):
                body.data = await _gunzip(body.data, size_max)
                await body.grow(len(body.data))
        except BaseException:
            body.release()
            raise
        return body


async def stream_body(headers: Mapping[str, str], receive: Receive) -> AsyncIterator[bytes]:
    """The body piece by piece, decompressed, asked for only as fast as it is used: the rest waits at the client.

    Raises UnsupportedMedia, Unreadable (of what is no gzip), ClientGone.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", ""):
        raise UnsupportedMedia(f"the content coding {coding[:40]!r} is not read here", hint="send it plain or gzipped")
    machine = zlib.decompressobj(wbits=31) if coding in ("gzip", "x-gzip") else None
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part, more = message.get("body", b""), message.get("more_body", False)
        if machine is None:
            if part:
                yield part
            continue
        try:
            while part:
                plain = machine.decompress(part, STREAM_PIECE)
                part = machine.unconsumed_tail
                if plain:
                    yield plain
        except zlib.error as error:
            raise Unreadable("the body says it is gzip, but cannot be decompressed") from error
    if machine is not None and not machine.eof:
        raise Unreadable("the gzip body is not whole")


async def _receive(body: Body, receive: Receive, size_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > size_max:
            if more:
                await _drain(receive, DRAIN_MAX)
            raise _too_large(size_max)
        parts.append(part)
        if not more:
            return b"".join(parts) if len(parts) > 1 else part
        await body.grow(max(size, body.counted))


async def _drain(receive: Receive, size: int) -> None:
    """Reads a refused body away, so that the client gets to see why, but not for ever."""
    left = min(size, DRAIN_MAX)
    while left > 0:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _gunzip(data: bytes, size_max: int) -> bytes:
    if len(data) > GUNZIP_INLINE:
        return await asyncio.to_thread(gunzip, data, size_max)
    return gunzip(data, size_max)


def gunzip(body: bytes, size_max: int) -> bytes:
    """Decompressed, never more than the limit plus one byte. Raises TooLarge, Unreadable."""
    machine = zlib.decompressobj(wbits=31)
    try:
        plain = machine.decompress(body, size_max + 1)
    except zlib.error as error:
        raise Unreadable("the body says it is gzip, but cannot be decompressed") from error
    if len(plain) > size_max or machine.unconsumed_tail:
        raise _too_large(size_max)
    if not machine.eof or machine.unused_data:
        raise Unreadable("the gzip body is not whole, or has something behind it")
    return plain


def _too_large(size_max: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {size_max:,} bytes (after decompression)", hint="send fewer orders in one request"
    )


class RateLimiter:
    """Requests a minute and key, in fixed windows, counted in this process. Limit 0: nothing is refused."""

    def __init__(self, default: int) -> None:
        self.default = default
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, key_id: str, own_limit: int | None) -> tuple[int, int, int]:
        """Counts one request: (limit, remaining, seconds left in the window). Raises TooOften."""
        now = time.time()
        window = int(now // 60)
        if window != self._window:
            self._window = window
            self._counts.clear()
        used = self._counts[key_id] = self._counts.get(key_id, 0) + 1
        left_s = 60 - int(now % 60)
        limit = own_limit or self.default
        if limit and used > limit:
            raise TooOften(f"more than {limit} requests a minute", retry_after_s=left_s)
        limit = limit or UNLIMITED
        return limit, max(0, limit - used), left_s


UNLIMITED = 6_000_000  # what the headers say where nothing is limited: more than one process can take in a minute
