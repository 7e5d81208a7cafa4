"""What is done now and then, by one process of all: answers, documents, files past their time go, backups are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from ordermill.core.figures import HOUR_US, MINUTE_US, MINUTES_KEPT
from ordermill.core.memo import KEPT_S
from ordermill.store import duties, erasing
from ordermill.store.ledger import Ledger

log = structlog.get_logger()
DAY_US = 24 * HOUR_US
LOOK_S = 60.0
AGAIN_US = 15 * 60 * 1_000_000  # behind a failure
PAUSE_S = 0.05  # between two steps of the retention: orders go first


class Upkeep:
    """`run` until the process ends. `back_up` is None where backups are not this program's business."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], int],
        *,
        raw_days: int,
        backup_hours: int = 0,
        back_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.raw_days = raw_days
        self.backup_hours = backup_hours
        self.back_up = back_up

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self.turn()
            except Exception as error:
                log.warning("upkeep.failed", error=type(error).__name__)
            try:
                await asyncio.wait_for(stopping.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Does what is due. What fails is tried again soon, and keeps nothing else from being done."""
        await self._do("memos", HOUR_US, self.forget_memos, self.forget_minutes)
        if self.raw_days:
            await self._do("raw", DAY_US, self.forget_documents, self.forget_files)
        if self.back_up is not None and self.backup_hours:
            await self._do("backup", self.backup_hours * HOUR_US, self.back_up)

    async def _do(self, name: str, every_us: int, *work: Callable[[], Awaitable[None]]) -> None:
        now = self.clock()
        if not await self.ledger.lanes.write(lambda tx: duties.claim_duty(tx, name, now, now + every_us)):
            return
        try:
            for part in work:
                await part()
        except Exception as error:
            log.warning("upkeep.failed", duty=name, error=type(error).__name__)
            again = self.clock() + min(every_us, AGAIN_US)
            await self.ledger.lanes.write(lambda tx: duties.put_off(tx, name, again))

    async def forget_memos(self) -> None:
        before = self.clock() - KEPT_S * 1_000_000
        for account in await self.ledger.find_accounts():
            await self.ledger.lanes.write(partial(erasing.forget_memos, account_id=account.id, before=before))

    async def forget_minutes(self) -> None:
        before = self.clock() // MINUTE_US - MINUTES_KEPT
        for account in await self.ledger.find_accounts():
            await self.ledger.lanes.write(partial(duties.forget_minutes, account_id=account.id, before=before))

    async def forget_documents(self) -> None:
        """In small steps, so that nobody waits for it."""
        before = self.clock() - self.raw_days * DAY_US
        for account in await self.ledger.find_accounts():
            above: int | None = 0
            while above is not None:
                step = partial(erasing.forget_documents, account_id=account.id, above=above, before=before)
                above = await self.ledger.lanes.write(step)
                await asyncio.sleep(PAUSE_S)

    async def forget_files(self) -> None:
        """Of imports that nobody finished, whatever they wait for: orders stand in them as they were sent."""
        before = self.clock() - self.raw_days * DAY_US
        for account in await self.ledger.find_accounts():
            step = partial(erasing.forget_file, account_id=account.id, before=before, now=self.clock())
            found = True
            while found:
                found = await self.ledger.lanes.write(step)
                await asyncio.sleep(PAUSE_S)
