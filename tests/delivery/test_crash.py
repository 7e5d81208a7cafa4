"""The process dies at every step between commit, send and record: no event is lost, none is sent twice but what was in
flight."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from delivery.house import House
from delivery.receiver import Receiver
from ledgers import Clock, order, put, sender

from ordermill.core.delivery import DeliveryState
from ordermill.failpoints import EXIT_CODE
from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
LEASE_S = 61


async def process(engine: Engine, clock: Clock, reference: str, failpoint: str) -> int:
    """Runs dying.py, and its exit code."""
    if isinstance(engine, PostgresEngine):
        where = engine.url
    else:
        assert isinstance(engine, SqliteEngine)
        where = str(engine.path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ORDERMILL_FAILPOINT": failpoint}
    started = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("dying.py")), engine.name, where, str(clock.now), reference,
        env=environment, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await asyncio.wait_for(started.wait(), 60)


@pytest.mark.parametrize(
    ("point", "stored", "sent"),
    [
        ("settle.events", False, 0),
        ("settle.counts", False, 0),
        ("lane.committed", True, 0),
        ("delivery.claimed", True, 0),
        ("delivery.sent", True, 1),
        ("delivery.recorded", True, 1),
    ],
)
async def test_one_event_at_every_step(
    engine: Engine, ledger: Ledger, clock: Clock, point: str, stored: bool, sent: int
) -> None:
    who = sender(1)
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url)
        assert await process(engine, clock, f"{point}-{receiver.port}", point) == EXIT_CODE
        assert len(receiver.got) == sent
        owed = await house.deliveries(who, endpoint_id=endpoint.id)
        assert len(owed) == stored
        await house.turn()
        clock.advance(LEASE_S)
        await house.turn()
        expected = 0 if not stored else 2 if point == "delivery.sent" else 1
        assert len(receiver.got) == expected
        assert len({got.headers["webhook-id"] for got in receiver.got}) == stored
        assert {entry.state for entry in await house.deliveries(who, endpoint_id=endpoint.id)} <= {
            DeliveryState.DELIVERED
        }


@pytest.mark.parametrize("nth", [1, 7, 23])
async def test_of_many_only_what_was_not_recorded_is_sent_twice(
    engine: Engine, ledger: Ledger, clock: Clock, nth: int
) -> None:
    who = sender(1)
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url)
        await put(ledger, who, *(order(f"{nth}-{receiver.port}-{number}") for number in range(40)))
        assert await process(engine, clock, "-", f"delivery.sent:{nth}") == EXIT_CODE
        recorded = await house.deliveries(who, endpoint_id=endpoint.id, state=DeliveryState.DELIVERED)
        unrecorded = len(receiver.got) - len(recorded)
        clock.advance(LEASE_S)
        await house.turn()
        times = Counter(got.headers["webhook-id"] for got in receiver.got)
        assert len(times) == 41
        assert sum(times.values()) - 41 <= unrecorded


async def test_a_stop_lets_attempts_end_and_gives_the_rest_back(live_ledger: Ledger) -> None:
    who = sender()

    async def slowly(_got: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with Receiver(slowly) as receiver:
        async with House(live_ledger, keep=True) as house:
            await house.endpoint(who, receiver.url)
            house.dispatcher.start()
            await put(live_ledger, who, *(order(f"O{number}") for number in range(40)))
            await receiver.wait_for(1)
        sent = len(receiver.got)
        entries = await house.deliveries(who)
        assert sum(entry.state is DeliveryState.DELIVERED for entry in entries) == sent <= 16
        assert all(entry.owner is None for entry in entries)
        async with House(live_ledger) as again:
            again.dispatcher.start()
            await again.until_done(who)
        assert len({got.headers["webhook-id"] for got in receiver.got}) == len(receiver.got) == 41
