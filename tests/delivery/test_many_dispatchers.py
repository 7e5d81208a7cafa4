"""Several dispatchers on one database: nothing is lost, nothing is sent twice, orders keep their order."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest
from delivery.house import VOICES, House
from delivery.receiver import Receiver
from ledgers import order, put, reopened, sender

from ordermill.core.delivery import DeliveryState
from ordermill.delivery.dispatcher import Bounds
from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
PROCESSES = 3
ORDERS = 60
VERSIONS = 5


async def test_what_several_dispatchers_send_together(engine: Engine) -> None:
    """On PostgreSQL as several processes; on SQLite, which has one, as several loops on the one ledger."""
    who = sender()
    engines = [reopened(engine) for _ in range(PROCESSES if engine.name == "postgres" else 1)]
    ledgers = [Ledger(one, lambda: time.time_ns() // 1000, VOICES) for one in engines]
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(Receiver()) for _ in range(3)]
        houses = [
            await stack.enter_async_context(House(ledgers[number % len(ledgers)], bounds=Bounds(poll_s=0.05)))
            for number in range(PROCESSES)
        ]
        for receiver in receivers:
            await houses[0].endpoint(who, receiver.url, events=("order.*",))
        for house in houses:
            house.dispatcher.start()
        for version in range(VERSIONS):
            await asyncio.gather(
                *(
                    put(ledgers[part % len(ledgers)], who, *(order(f"O{part}-{n}", at=version) for n in range(20)))
                    for part in range(ORDERS // 20)
                )
            )
        done = await houses[0].until_done(who, 60)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        assert len(done) == ORDERS * VERSIONS * 3
        for receiver in receivers:
            ids = [got.headers["webhook-id"] for got in receiver.got]
            assert len(ids) == len(set(ids)) == ORDERS * VERSIONS
            seen: dict[str, int] = {}
            for got in receiver.got:
                facts = json.loads(got.body)["data"]
                assert facts["version"] == seen.get(facts["orderId"], 0) + 1
                seen[facts["orderId"]] = facts["version"]
    for ledger, one in zip(ledgers, engines, strict=True):
        ledger.close()
        one.close()


async def test_numbers_of_events_follow_the_versions_of_an_order(engine: Engine) -> None:
    """Whoever writes the next version has waited for the one before: on every engine, whichever process it is."""
    who = sender()
    ledgers = [Ledger(reopened(engine), lambda: time.time_ns() // 1000, VOICES) for _ in range(2)]
    if engine.name == "sqlite":
        ledgers[1].close()
        ledgers = ledgers[:1] * 2
    house = House(ledgers[0])
    await house.endpoint(who, "https://receiver.example/", events=("order.*",))
    for round_ in range(10):
        await asyncio.gather(
            *(
                put(ledgers[n % 2], who, order("A", at=round_ * 10 + n), order("B", at=round_ * 10 + n))
                for n in range(6)
            )
        )
    found = sorted(await house.deliveries(who), key=lambda entry: entry.event_id)
    events = [await ledgers[0].outbox.find_event(who, entry.event_id) for entry in found]
    versions: dict[str, list[int]] = {}
    for event in events:
        assert event is not None
        facts = json.loads(event.body)["data"]
        versions.setdefault(facts["reference"], []).append(facts["version"])
    assert all(said == sorted(said) for said in versions.values())
    for ledger in set(ledgers):
        ledger.close()
        ledger.engine.close()
