"""Working on the ledger itself, where no server runs: the parts of the house that the commands need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ordermill.config import Config
from ordermill.core.account import DEFAULT_ACCOUNT
from ordermill.core.batch import Sender
from ordermill.core.order import Mode

T = TypeVar("T")
KEY_ID = "cli"  # what the ledger says of whoever works on it without a key


class Desk:
    """A ledger in this process."""

    def __init__(self, config: Config, *, mode: Mode = Mode.LIVE, account: str = DEFAULT_ACCOUNT) -> None:
        self.config = config
        self.mode = mode
        self.account = account

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        """Raises Unavailable where a server holds the data directory."""
        from ordermill.app import House, clock, make_engine, prepare
        from ordermill.holding import lock_data
        from ordermill.store import accounts
        from ordermill.store.imports import ImportLedger

        lock = lock_data(self.config)
        try:
            engine = make_engine(self.config)
            prepare(engine, self.config)
            self.clock = clock
            self.house = House(self.config, engine)
            self.ledger = self.house.ledger
            self.contracts = {dialect.name: dialect for dialect in self.house.dialects}
            self.imports = ImportLedger(self.ledger.lanes, clock)
            self.presets = self.house.presets
            try:
                found = await self.ledger.lanes.read(lambda tx: accounts.get_account_by_name(tx, self.account))
                self.sender = Sender(account_id=found.id, mode=self.mode, key_id=KEY_ID)
                yield self
            finally:
                await asyncio.to_thread(self.house.close)
        finally:
            if lock is not None:
                lock.close()


def contracts_of(config: Config) -> dict[str, Any]:
    """The contracts alone, to read and write orders without any ledger."""
    from ordermill.app import contracts_of as made

    return dict(made(config))


def run(main: Coroutine[Any, Any, T]) -> T:
    """On the event loop that the server uses."""
    import uvloop

    return uvloop.run(main)
