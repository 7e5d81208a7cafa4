"""A clock that is set back must not hold anything up: retries, leases and duties wait for instants of that clock.

Set forward, what waits comes early, each thing once; the next wait is a whole one again. Nothing is done about that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import structlog

from ordermill.store import duties
from ordermill.store.ledger import Ledger

TOLERATED_US = 5_000_000  # processes on several machines differ by less; so do the corrections of a kept clock
NOBODY = 0  # duties belong to no account

log = structlog.get_logger()


def _monotonic() -> int:
    return time.monotonic_ns() // 1000


class ClockSteps:
    """Compares the clock with one that nobody can set. All instants in µs."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int], *, monotonic: Callable[[], int] = _monotonic) -> None:
        self.ledger = ledger
        self.clock = clock
        self.monotonic = monotonic
        self._ahead = clock() - monotonic()
        self._owed = 0  # by how much the clock was set back, and the ledger has not heard of it

    async def at_start(self) -> None:
        """What the ledger has of the future was written before the clock was set back."""
        now = self.clock()
        for account in await self.ledger.find_accounts():
            find = partial(duties.newest_event_at, account_id=account.id)
            newest = await self.ledger.lanes.read(find)
            if newest is not None and newest - now > TOLERATED_US:
                await self._set_back(account.id, newest - now)

    async def look(self) -> None:
        """To be called often. Raises what the ledger raises; then the next look tries again."""
        ahead = self.clock() - self.monotonic()
        if abs(ahead - self._ahead) > TOLERATED_US:
            self._owed += max(0, self._ahead - ahead)
            log.warning("clock.set", seconds=round((ahead - self._ahead) / 1_000_000))
            self._ahead = ahead
        if self._owed:
            for account in await self.ledger.find_accounts():
                await self._set_back(account.id, self._owed)
            await self._set_back(NOBODY, self._owed)
            self._owed = 0

    async def _set_back(self, account_id: int, by: int) -> None:
        now = self.clock()
        moved = await self.ledger.lanes.write(partial(duties.set_back, account_id=account_id, by=by, now=now))
        if moved:
            self.ledger.outbox.on_deliveries()
