"""Telling the ledger now and then that this process is there: people see who works on it, and who fell silent."""

from __future__ import annotations

import os
from collections.abc import Callable

from ordermill import __version__
from ordermill.core.watching import Process
from ordermill.store import duties
from ordermill.store.lanes import Lanes


def own_name() -> str:
    """Host and process id: also what imports are claimed under."""
    return f"{os.uname().nodename}:{os.getpid()}"


class Presence:
    """The entry of this process. `doing`: what it is for."""

    def __init__(self, lanes: Lanes, clock: Callable[[], int]) -> None:
        self.lanes = lanes
        self.clock = clock
        self.started_at = clock()
        self.doing = ""

    async def tell(self) -> None:
        """It is there."""
        told = Process(own_name(), self.doing, __version__, self.started_at, self.clock())
        await self.lanes.write(lambda tx: duties.save_process(tx, told))

    async def leave(self) -> None:
        """It ends as it should."""
        await self.lanes.write(lambda tx: duties.forget_process(tx, own_name()))
