"""The last requests, in memory: a ring that forgets the oldest, and under load the uneventful ones, never the pace."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Sender
from ordermill.web.http import Reply, Request

ENTRIES_MAX = 1_000
BODY_MAX = 8 * 1024  # bytes kept of a body; together with the entries this bounds the memory
EACH_SECOND = 50  # successes kept in one second; what goes beyond is counted
FAILURES_EACH_SECOND = 200
TIMES_MAX = 5_000
KEPT_HEADERS = ("content-type", "content-encoding", "user-agent", "idempotency-key", "ordermill-dry-run")
INTAKE = ("POST", "PUT", "PATCH")


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and its answer. Bodies are cut to BODY_MAX; `*_bytes` is their full length. `at` in µs."""

    number: int
    id: str
    at: int
    account_id: int | None
    mode: int | None
    key_id: str
    contract: str
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_bytes: int
    status: int
    took_us: int
    reply: bytes
    reply_bytes: int
    batch_id: int | None
    accepted: int | None
    rejected: int | None
    replayed: bool
    refusal: str

    @property
    def orders(self) -> int | None:
        return None if self.accepted is None else self.accepted + (self.rejected or 0)


class RequestsLog:
    """`take` is called after each answer; it copies a few kilobytes at most and never waits.

    An answer that says no-store (a key that is shown once) is not kept.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.lost = 0
        self._entries: deque[Exchange] = deque(maxlen=ENTRIES_MAX)
        self._times: deque[tuple[int, int | None, int]] = deque(maxlen=TIMES_MAX)
        self._number = 0
        self._second = 0
        self._in_second = 0

    def take(self, contract: str, request: Request, reply: Reply, seconds: float, told: dict[str, Any]) -> None:
        """Keeps an exchange, or counts it as lost."""
        account_id = told.get("account_id")
        if request.method in INTAKE:
            self._times.append((request.now, account_id, int(seconds * 1_000_000)))
        if not self._has_room(reply.status):
            self.lost += 1
            return
        self._number += 1
        extra = dict(reply.headers)
        headers = request.headers
        sender = request.sender
        self._entries.append(
            Exchange(
                number=self._number,
                id=request.request_id,
                at=request.now,
                account_id=account_id,
                mode=None if sender is None else int(sender.mode),
                key_id=str(told.get("key_id", "")),
                contract=contract,
                method=request.method,
                path=request.path[:2000],
                query=request.raw_query[:2000].decode("latin-1"),
                headers=tuple((name, headers[name][:300]) for name in KEPT_HEADERS if name in headers),
                body=request.body[:BODY_MAX],
                body_bytes=len(request.body),
                status=reply.status,
                took_us=int(seconds * 1_000_000),
                reply=b"" if extra.get("cache-control") == "no-store" else reply.body[:BODY_MAX],
                reply_bytes=len(reply.body),
                batch_id=batch_number(extra.get("ordermill-batch-id", ""), sender),
                accepted=_whole(extra.get("ordermill-accepted")),
                rejected=_whole(extra.get("ordermill-rejected")),
                replayed="idempotent-replayed" in extra,
                refusal=str(told.get("refusal", "")),
            )
        )

    def _has_room(self, status: int) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second <= (EACH_SECOND if status < 400 else FAILURES_EACH_SECOND)

    def find(
        self,
        visible: Callable[[Exchange], bool],
        *,
        below: int | None = None,
        until: int | None = None,
        limit: int = 50,
    ) -> list[Exchange]:
        """The newest first: those that `visible` lets through, numbered below `below` and up to `until`."""
        found = (
            entry
            for entry in reversed(self._entries)
            if (below is None or entry.number < below) and (until is None or entry.number <= until) and visible(entry)
        )
        return list(islice(found, limit))

    def count_newer(self, than: int, visible: Callable[[Exchange], bool]) -> int:
        return sum(entry.number > than and visible(entry) for entry in self._entries)

    def get(self, request_id: str) -> Exchange | None:
        return next((entry for entry in reversed(self._entries) if entry.id == request_id), None)

    def times(self, account_id: int, since: int) -> list[int]:
        """How long the writing requests of an account took, in µs, ascending."""
        return sorted(took for at, account, took in self._times if account == account_id and at >= since)

    @property
    def kept(self) -> int:
        return len(self._entries)


def percentile(ascending: list[int], share: float) -> int | None:
    if not ascending:
        return None
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def batch_number(text: str, sender: Sender | None) -> int | None:
    """The batch that an answer names in its header: by our number, or as Karrio's contract spells it."""
    if sender is None or not text.startswith("batch_"):
        return _whole(text)
    return ids.parse("batch", text, sender.account_id, sender.mode)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
