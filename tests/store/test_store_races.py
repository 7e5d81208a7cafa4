"""Many at once: whatever the interleaving there is one order per key, its newest version, and every sum is right."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from ledgers import START, Clock, ask, order, reopened, sender, submission, words

from ordermill.core.batch import OutcomeKind, Sender, Settled
from ordermill.core.errors import Overloaded
from ordermill.core.order import NewOrder, OnExisting, Order
from ordermill.core.query import OrderQuery
from ordermill.store import lanes
from ordermill.store.engine import Engine, Transaction
from ordermill.store.intake import Job, Settlement
from ordermill.store.ledger import Ledger
from ordermill.store.postgres.engine import PostgresEngine

pytestmark = pytest.mark.anyio
KEYS = 60


def overlapping(seed: int, rounds: int) -> list[list[NewOrder]]:
    """Batches over the same few keys and people, in any order, with repeated keys and any instants."""
    chance = random.Random(seed)
    batches = []
    for _ in range(rounds):
        references = [f"R{chance.randrange(KEYS):02}" for _ in range(chance.choice((1, 1, 5, 40)))]
        batches.append(
            [
                order(
                    reference,
                    at=chance.randrange(1, 10_000),
                    dialect=chance.choice(("brevo", "karrio")),
                    on_existing=chance.choice((OnExisting.UPDATE, OnExisting.UPDATE, OnExisting.KEEP)),
                    identifiers=(("ext", f"{chance.randrange(30)}"), ("email", f"{chance.randrange(30)}@example.com")),
                )
                for reference in references
            ]
        )
    return batches


async def submit(ledger: Ledger, who: Sender, batches: Sequence[Sequence[NewOrder]]) -> list[Settled]:
    answers: list[Settled] = []
    for start in range(0, len(batches), 16):
        answers += await asyncio.gather(
            *(ledger.settle(who, submission(*batch, single=len(batch) == 1)) for batch in batches[start : start + 16])
        )
    return answers


async def all_orders(ledger: Ledger, who: Sender) -> dict[tuple[str, str], Order]:
    page = await ledger.find_orders(who, OrderQuery(limit=10_000))
    by_key = {(found.dialect, found.reference): found for found in page.entries}
    assert len(by_key) == len(page.entries) == page.count
    return by_key


async def check_books(ledger: Ledger, engine: Engine, who: Sender, answers: Sequence[Settled]) -> None:
    """Everything that is kept twice says the same twice, and the current order is the newest of its versions."""
    current = await all_orders(ledger, who)
    seen: dict[OutcomeKind, int] = {}
    for settled in answers:
        for item in settled.items:
            seen[item.outcome] = seen.get(item.outcome, 0) + 1
        if settled.batch is not None:
            assert await ledger.find_batch(who, settled.batch.id) == settled.batch
            assert settled.batch.counts.adds_up
    assert seen[OutcomeKind.CREATED] == len(current)
    for found in current.values():
        history = await ledger.find_revisions(who, found.id)
        applied = [version for version in history if not version.stale]
        assert [version.revision for version in sorted(applied, key=lambda v: v.revision)] == list(
            range(1, found.revision + 1)
        )
        assert found.updated_at == max(version.updated_at for version in history)
        assert found.document == max(applied, key=lambda v: v.revision).document
    account = (who.account_id, int(who.mode))
    sums = ask(
        engine,
        "SELECT sum(received), sum(created), sum(updated), sum(unchanged), sum(failed) FROM tally"
        " WHERE account_id = ? AND mode = ?",
        *account,
    )[0]
    told = [
        sum(seen.values()),
        seen.get(OutcomeKind.CREATED, 0),
        seen.get(OutcomeKind.UPDATED, 0),
        seen.get(OutcomeKind.UNCHANGED, 0) + seen.get(OutcomeKind.STALE, 0),
        seen.get(OutcomeKind.FAILED, 0),
    ]
    assert [int(number) for number in sums] == told
    kept = ask(engine, "SELECT sum(orders) FROM order_count WHERE account_id = ? AND mode = ?", *account)
    assert int(kept[0][0]) == len(current)


async def race(engine: Engine, clock: Clock, *, houses: int, rounds: int) -> None:
    """`houses` ledgers with their own connections over one database, as processes have them."""
    who = sender()
    ledgers = [Ledger(reopened(engine), clock) for _ in range(houses)]
    answers: list[Settled] = []
    try:
        for found in await asyncio.gather(
            *(submit(ledger, who, overlapping(seed, rounds)) for seed, ledger in enumerate(ledgers))
        ):
            answers += found
        await check_books(ledgers[0], engine, who, answers)
    finally:
        for ledger in ledgers:
            ledger.close()
    if isinstance(engine, PostgresEngine):  # they would be run again, but each costs a second
        assert ask(engine, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


async def test_overlapping_batches_leave_one_order_per_key_and_right_sums(engine: Engine, clock: Clock) -> None:
    await race(engine, clock, houses=3, rounds=40)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_races_leave_one_order_per_key_and_right_sums(engine: Engine, clock: Clock) -> None:
    await race(engine, clock, houses=4, rounds=1_000)


async def test_who_lost_a_race_does_not_lose_for_ever(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them changes the same order, so most lose the first race they are in; none may need many tries."""
    monkeypatch.setattr(lanes, "TRIES", 3)
    who = sender()
    ledgers = [Ledger(reopened(engine), clock) for _ in range(4)]
    await ledgers[0].settle(who, submission(order(at=None)))

    def more_than_a_group(n: int) -> list[NewOrder]:
        return [order(at=None, content=n), *(order(f"own{n}-{m}") for m in range(lanes.SMALL))]

    try:
        answers = await asyncio.gather(
            *(ledgers[n % 4].settle(who, submission(*more_than_a_group(n))) for n in range(1, 81))
        )
        found = (await ledgers[0].find_orders(who, OrderQuery(references=("A",)))).entries
    finally:
        for ledger in ledgers:
            ledger.close()
    assert [words(answer)[0] for answer in answers] == ["updated"] * 80
    assert [entry.revision for entry in found] == [81]


async def test_a_second_try_is_alone_in_its_account(engine: Engine, clock: Clock) -> None:
    """It waits for who is there, and whoever comes after waits for it; another account is none of its business."""
    if not isinstance(engine, PostgresEngine):
        return  # one writer is always alone
    who, stranger = sender(), sender(77)
    mine, theirs = engine.connect(), engine.connect()

    def enter(tx: Transaction, member: Sender, content: int) -> None:
        job = Job(sender=member, submission=submission(order("L1", at=None, content=content)))
        Settlement(tx, [job], clock()).decide()

    def enter_in_vain() -> None:
        with theirs.transaction(again=True) as tx:
            tx.raw.execute("SET LOCAL lock_timeout = '200ms'")  # type: ignore[attr-defined]
            enter(tx, who, 2)

    try:
        with mine.transaction() as tx:
            enter(tx, who, 1)
            with theirs.transaction(again=True) as other:
                enter(other, stranger, 1)
            with pytest.raises(Overloaded):
                enter_in_vain()
    finally:
        mine.close()
        theirs.close()


async def test_two_who_amend_the_same_order_both_count(ledger: Ledger, engine: Engine, clock: Clock) -> None:
    who = sender()
    number = (await ledger.settle(who, submission(order()))).items[0].order_id or 0
    other = Ledger(reopened(engine), clock)

    def longer(given: Order) -> NewOrder:
        return order(at=None, status=given.status + "x", content=len(given.status))

    try:
        await asyncio.gather(*((ledger, other)[n % 2].amend(who, number, longer) for n in range(30)))
    finally:
        other.close()
    found = await ledger.find_order(who, number)
    assert found is not None
    assert (found.status, found.revision) == ("open" + "x" * 30, 31)


async def test_an_identifier_that_many_bring_at_once_is_one_contact(engine: Engine, clock: Clock) -> None:
    who = sender()
    ledgers = [Ledger(reopened(engine), clock) for _ in range(3)]
    mail = (("email", "new@example.com"),)
    try:
        await asyncio.gather(
            *(
                ledgers[n % 3].settle(who, submission(order(f"C{n}", identifiers=(*mail, ("ext", f"{n}")))))
                for n in range(60)
            )
        )
        page = await ledgers[0].find_orders(who, OrderQuery(limit=100))
    finally:
        for ledger in ledgers:
            ledger.close()
    assert len(page.entries) == 60
    assert len({found.contact_id for found in page.entries}) == 1


async def test_a_ledger_serves_the_loops_of_several_threads(ledger: Ledger) -> None:
    """Answers arrive in the loop that waits for them."""
    who = sender()
    kinds: list[OutcomeKind] = []

    async def some(base: int) -> None:
        settled = await asyncio.gather(
            *(ledger.settle(who, submission(order(f"T{base + n}"), single=True)) for n in range(25))
        )
        kinds.extend(answer.items[0].outcome for answer in settled)

    threads = [
        threading.Thread(target=lambda base=base: asyncio.run(asyncio.wait_for(some(base), 20)))
        for base in range(0, 100, 25)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert kinds == [OutcomeKind.CREATED] * 100


PROCESS = """
import asyncio, sys
from ledgers import *
from test_store_races import overlapping, submit

async def main():
    ledger = Ledger(PostgresEngine(sys.argv[1]), Clock())
    try:
        await submit(ledger, sender(int(sys.argv[2])), overlapping(int(sys.argv[3]), 60))
    finally:
        ledger.close()

asyncio.run(main())
"""


def run_processes(url: str, who: Sender) -> None:
    here = Path(__file__)
    paths = [here.parent, here.parent.parent, here.parents[2] / "src"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, url, str(who.account_id), str(seed)],
            env={"PYTHONPATH": ":".join(map(str, paths)), "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    said = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # an SQLite ledger has one process
async def test_several_processes_leave_one_order_per_key(engine: PostgresEngine, ledger: Ledger) -> None:
    who = sender()
    await asyncio.to_thread(run_processes, engine.url, who)
    current = await all_orders(ledger, who)
    expected = {
        (entry.dialect, entry.reference or ""): entry
        for seed in range(3)
        for batch in overlapping(seed, 60)
        for entry in batch
    }
    assert current.keys() == expected.keys()
    kept = ask(engine, "SELECT sum(orders) FROM order_count WHERE account_id = ?", who.account_id)
    assert int(kept[0][0]) == len(current)
    newest: dict[tuple[str, str], int] = {}
    for seed in range(3):
        for batch in overlapping(seed, 60):
            for entry in batch:
                if entry.on_existing is OnExisting.UPDATE:
                    key = (entry.dialect, entry.reference or "")
                    newest[key] = max(newest.get(key, START), entry.updated_at or 0)
    assert all(current[key].updated_at >= instant for key, instant in newest.items())
