"""Everything that tells the outside, made once: guard, sender, dispatcher, and the regular duties beside them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from ordermill.core.delivery import Policy
from ordermill.core.endpoints import Endpoints
from ordermill.delivery.addressing import Guard
from ordermill.delivery.dispatcher import Bounds, Dispatcher, Post
from ordermill.delivery.meters import Meters
from ordermill.delivery.sender import Sender
from ordermill.store.announcing import Voices
from ordermill.store.outbox import Outbox

GAUGES_S = 15.0
RETENTION_S = 3_600.0
DAY_US = 86_400_000_000
log = structlog.get_logger()


class Pipeline:
    """`start` and `stop` are for processes with background loops; the rest works in every process.

    `alone`: no other process delivers from this database.
    """

    def __init__(
        self,
        outbox: Outbox,
        voices: Voices,
        clock: Callable[[], int],
        *,
        guard: Guard,
        delays_s: tuple[float, ...],
        attempt_s: float,
        meters: Meters | None = None,
        show_secret: bool = False,
        retention_days: int = 30,
        broker: Post | None = None,
        alone: bool = False,
    ) -> None:
        self.outbox = outbox
        self.clock = clock
        self.retention_days = retention_days
        self.alone = alone
        self.guard = guard
        self.meters = meters or Meters()
        posts: dict[str, Post] = {"http": Sender(guard, attempt_s=attempt_s)}
        if broker is not None:
            posts["nats"] = broker
        self.dispatcher = Dispatcher(
            outbox,
            posts,
            voices,
            Policy(delays_s=delays_s, jitter=lambda: random.uniform(-1, 1)),
            clock,
            bounds=bounds_for(attempt_s),
            meters=self.meters,
            show_secret=show_secret,
        )
        self.endpoints = Endpoints(outbox, guard.check_url, self.dispatcher.try_now, broker=broker is not None)
        self._duties: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts delivering."""
        self.outbox.on_deliveries = self.dispatcher.wake
        self.dispatcher.start()
        self._duties = [asyncio.create_task(duty) for duty in (self._take_over(), self._show_backlog(), self._forget())]

    async def stop(self, grace_s: float = 5.0) -> None:
        """Lets attempts under way end within the grace. Also right where nothing was started."""
        for duty in self._duties:
            duty.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        await self.dispatcher.stop(grace_s)

    async def _take_over(self) -> None:
        """Where no other process can be sending, nobody has to wait for the leases of a run that crashed."""
        if self.alone:
            with contextlib.suppress(Exception):  # the leases will run out
                await self.outbox.release_all(self.dispatcher.owner)
                self.dispatcher.wake()

    async def _show_backlog(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # a database that is away shows elsewhere
                found = await self.outbox.backlog()
                waited_us = 0 if found.oldest_due_at is None else max(0, self.clock() - found.oldest_due_at)
                self.meters.backlog(waited_us / 1_000_000, found.disabled)
            await asyncio.sleep(GAUGES_S)

    async def _forget(self) -> None:
        while self.retention_days:
            try:
                await self.outbox.forget(self.clock() - self.retention_days * DAY_US)
            except Exception as error:
                log.warning("delivery.retention_failed", error=repr(error))
            await asyncio.sleep(RETENTION_S)


def bounds_for(attempt_s: float) -> Bounds:
    """A claim is held long enough for two attempts, one that it waits for and its own."""
    longest_s = attempt_s + 5
    return Bounds(attempt_s=longest_s, lease_s=max(60.0, 3 * longest_s))


def read_delays(text: str) -> tuple[float, ...]:
    """`0s,5s,5m,2h` as seconds. Raises ValueError."""
    units = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
    delays = []
    for part in (part.strip().lower() for part in text.split(",")):
        number, unit = (part[:-1], part[-1:]) if part[-1:] in units else (part, "s")
        delays.append(float(number) * units[unit])
    if not 1 <= len(delays) <= 100 or not all(0 <= delay <= 30 * 86_400 for delay in delays):
        raise ValueError("1 to 100 waits of at most 30 days")
    return tuple(delays)
