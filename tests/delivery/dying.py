"""A process that takes an order in and delivers what is due, once, and dies at the failpoint of its environment.

    python dying.py ENGINE WHERE NOW REFERENCE

ENGINE is sqlite or postgres, WHERE a file or a URL, NOW the instant of its clock (µs), REFERENCE the order to take in
('-' for none). Ends with 0 when it was not killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from delivery.house import VOICES, House
from ledgers import Clock, order, put_one, sender

from ordermill.store.ledger import Ledger
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine


async def main(engine_name: str, where: str, now: str, reference: str) -> None:
    engine = SqliteEngine(Path(where)) if engine_name == "sqlite" else PostgresEngine(where)
    ledger = Ledger(engine, Clock(int(now)), VOICES)
    async with House(ledger) as house:
        if reference != "-":
            await put_one(ledger, sender(1), order(reference))
        await house.turn()
    ledger.close()
    engine.close()


asyncio.run(main(*sys.argv[1:]))
