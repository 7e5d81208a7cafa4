"""Request and Reply: what a handler gets and gives. Plain values: a dialect can be read without any framework."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ordermill.core.batch import Sender, Settled
from ordermill.core.errors import Invalid
from ordermill.core.memo import Answer, Memo

JSON = "application/json"
STREAMING = "ordermill.streaming"  # in a scope's state: this sender is known, and may send for as long as they like
CHUNK = 50  # orders read before other requests get a turn (measured: docs/performance.md)


class Reply(msgspec.Struct, frozen=True):
    """An answer. `headers` are pairs of lower-case names and values.

    `stream`: what comes behind `body`, piece by piece, for answers that are too large to be held whole.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: Callable[[], AsyncIterator[bytes]] | None = None

    @property
    def answer(self) -> Answer:
        """What is remembered of it."""
        return Answer(self.status, self.content_type, self.body, self.headers)


class Request(msgspec.Struct):
    """One request, its body read whole and decompressed. Header names are lower case.

    `params`: the named parts of the path. `memo_key`: the client's Idempotency-Key, if any; `fingerprint` goes with it.
    `now`: the instant of receipt, µs since 1970 UTC. `stream`: the body piece by piece instead, decompressed too, for
    routes that ask for it.
    """

    method: str
    path: str
    raw_query: bytes
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    now: int
    base_url: str = ""
    params: dict[str, str] = {}
    sender: Sender | None = None
    memo_key: str | None = None
    fingerprint: bytes = b""
    memo_taken: bool = False
    stream: AsyncIterator[bytes] | None = None

    @property
    def who(self) -> Sender:
        """The sender; the guard has made sure that there is one."""
        assert self.sender is not None
        return self.sender

    def query(self) -> list[tuple[str, str]]:
        """The query's pairs, decoded, in order. Raises Invalid for what cannot be read."""
        try:
            return parse_qsl(
                self.raw_query.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict"
            )
        except (ValueError, UnicodeDecodeError) as error:
            raise Invalid("the query string cannot be read", hint="percent-encode it as UTF-8") from error

    def memo(self, reply: Callable[[Settled], Reply]) -> Memo | None:
        """What to remember with the submission, when the client sent an Idempotency-Key."""
        if self.memo_key is None:
            return None
        self.memo_taken = True

        def answer(settled: Settled) -> Answer:
            return reply(settled).answer

        return Memo(self.memo_key, self.fingerprint, answer)


Handler = Callable[[Request], Awaitable[Reply]]


class Route(msgspec.Struct, frozen=True):
    """A path pattern (`/orders/{id}`; below the dialect's prefix), a method, a handler and the scope its key needs.

    `write`: may change something, so it heeds Idempotency-Key. `stream`: its handler reads the body as it comes, of any
    size, and heeds the key by itself.
    """

    method: str
    pattern: str
    handler: Handler
    scope: str = "orders:write"
    write: bool = True
    stream: bool = False


async def in_chunks(entries: Iterable[Any], read: Callable[[Any], Any], chunk: int = CHUNK) -> tuple[Any, ...]:
    """`read` applied to every entry, with a turn for other requests before the first and after each chunk."""
    done: list[Any] = []
    add = done.append
    await asyncio.sleep(0)  # what comes before, the envelope, takes as long as some chunks
    for number, entry in enumerate(entries, 1):
        add(read(entry))
        if number % chunk == 0:
            await asyncio.sleep(0)
    return tuple(done)
