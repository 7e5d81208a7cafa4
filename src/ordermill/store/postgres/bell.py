"""NOTIFY and LISTEN: a process that only takes orders in tells those that deliver and import that something is due.

A hint and nothing more. Whoever listens looks for itself as often as before, so a ring that is lost costs a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from ordermill.store.postgres.engine import PostgresEngine

CHANNEL = "ordermill"
AT_MOST_EVERY_S = 0.05  # NOTIFY takes a lock that all of the server's databases share
AGAIN_AFTER_S = 5.0


class PostgresBell:
    """The one of a database. A connection of its own for who listens; the one aside for who rings."""

    def __init__(self, engine: PostgresEngine) -> None:
        self.engine = engine
        self._ringing: asyncio.Task[None] | None = None
        self._again = False

    def ring(self) -> None:
        """From the event loop. Many rings at once are one."""
        self._again = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        while self._again:
            self._again = False
            with suppress(psycopg.Error, OSError):
                await asyncio.to_thread(self.engine.notify, CHANNEL)
            await asyncio.sleep(AT_MOST_EVERY_S)

    async def listen(self, wake: Callable[[], None]) -> None:
        """Calls `wake` at each ring, and once when it begins to hear, until it is cancelled."""
        while True:
            with suppress(psycopg.Error, OSError):
                async with await self.engine.open_async() as raw:
                    await raw.execute(f"LISTEN {CHANNEL}".encode())
                    wake()
                    async for _ in raw.notifies():
                        wake()
            await asyncio.sleep(AGAIN_AFTER_S)
