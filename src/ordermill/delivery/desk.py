"""What one process holds of one endpoint: claims that wait for their turn, attempts under way, how it fares."""

from __future__ import annotations

import time
from collections import deque

from ordermill.core.delivery import Answer, Claim, Endpoint, Failure, Kind

SMOOTHING = 0.2
AHEAD_S = 2.0  # so much work is claimed ahead, at the pace of the last attempts


class Desk:
    """`ready` holds claims with the monotonic instant until which they may still be sent."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.ready: deque[tuple[Claim, float]] = deque()
        self.in_flight = 0
        self.more = False  # there was more due than was claimed
        self.closed = False  # it said that it is gone: nothing more until the ledger has heard of it
        self._pace_s: float | None = None
        self._failing: bool | None = None

    def refresh(self, endpoint: Endpoint) -> None:
        """The row as it is now. What was seen here since is newer."""
        self.endpoint = endpoint

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.endpoint.failing_since is not None if self._failing is None else self._failing

    @property
    def proven(self) -> bool:
        """Whether an attempt ever succeeded, and the last one did."""
        return not self.failing and (self._failing is False or self.endpoint.last_success_at is not None)

    @property
    def idle(self) -> bool:
        return not self.ready and not self.in_flight

    def ahead(self, slots: int, most: int) -> int:
        """How many deliveries to hold besides those under way: none for an endpoint that has not shown its pace."""
        if not self.proven or self._pace_s is None:
            return slots
        return max(slots, min(most, int(AHEAD_S * slots / max(self._pace_s, 0.001))))

    def note(self, answer: Answer) -> None:
        """What an attempt showed."""
        seconds = answer.took_ms / 1000
        self._pace_s = seconds if self._pace_s is None else self._pace_s + SMOOTHING * (seconds - self._pace_s)
        self._failing = not answer.delivered
        if answer.failure is Failure.GONE and self.endpoint.kind is not Kind.NOTIFY:
            self.closed = True

    def next_claim(self) -> Claim | None:
        """The next one that may still be sent in time; those whose lease is too old are left to run out."""
        while self.ready:
            claim, send_before = self.ready.popleft()
            if time.monotonic() < send_before:
                return claim
        return None

    def give_back(self, keep: int) -> list[Claim]:
        """What waits beyond the first `keep`."""
        given: list[Claim] = []
        while len(self.ready) > keep:
            given.append(self.ready.pop()[0])
        return given
