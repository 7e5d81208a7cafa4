"""A model of the ledger in forty lines, and whatever Hypothesis can think of to make the ledger disagree with it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from ledgers import SECOND, START, Clock, bad, empty_engine, order, reopened, sender, submission

from ordermill.core.batch import Draft, Sender, Settled
from ordermill.core.errors import Duplicate
from ordermill.core.order import Mode, NewOrder, OnExisting, Order, OrderKey
from ordermill.core.query import OrderQuery
from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger

# Few names, few contents, and mostly orders that may replace others: so that they meet, in the short run as well.
REFERENCES = ("A", "B", "1")
ON_EXISTING = (*[OnExisting.UPDATE] * 6, OnExisting.KEEP, OnExisting.REFUSE)


class Kept(msgspec.Struct):
    """One order of the model: its versions, the current one, and whether it holds its key."""

    key: OrderKey
    at: int
    content: int
    revision: int = 1
    versions: int = 1
    released: bool = False


class Model:
    """What a ledger is, said without a database: one account and mode."""

    def __init__(self) -> None:
        self.orders: list[Kept] = []
        self.last_number = 0

    def holder(self, key: OrderKey) -> Kept | None:
        return next((kept for kept in self.orders if kept.key == key and not kept.released), None)

    def settle(self, entries: list[Any], now: int, answered: list[str]) -> list[str]:
        """What has to become of each. `answered`: the references, among them the numbers the ledger allotted."""
        for entry, number in zip(entries, answered, strict=True):
            if isinstance(entry, NewOrder) and entry.reference is None:  # gaps are possible, repeats are not
                assert int(number) > self.last_number
                assert self.holder(OrderKey(entry.dialect, "", number)) is None
                self.last_number = int(number)
        return [self.take(entry, now, reference) for entry, reference in zip(entries, answered, strict=True)]

    def take(self, entry: NewOrder | Draft, now: int, reference: str) -> str:
        if isinstance(entry, Draft):
            return "failed"
        key = OrderKey(entry.dialect, "", reference)
        kept = self.holder(key)
        at = now if entry.updated_at is None else entry.updated_at
        if kept is None:
            self.orders.append(Kept(key, at, entry.content_hash, released=entry.released))
            return "created"
        if entry.on_existing is OnExisting.REFUSE:
            return "failed"
        if entry.on_existing is OnExisting.KEEP or kept.content == entry.content_hash:
            return "unchanged"
        kept.versions += 1
        if entry.updated_at is not None and at < kept.at:
            return "stale"
        self.amend(kept, entry, max(at, kept.at))
        return "updated"

    def amend(self, kept: Kept, entry: NewOrder, at: int) -> None:
        kept.at, kept.content, kept.released = at, entry.content_hash, entry.released
        kept.revision += 1


entries = st.one_of(
    st.builds(
        lambda reference, at, content, on_existing, released, identifiers: order(
            reference, at=at, content=content, on_existing=on_existing, released=released, identifiers=identifiers
        ),
        st.sampled_from(REFERENCES),
        st.none() | st.integers(-3, 3),
        st.integers(0, 4),
        st.sampled_from(ON_EXISTING),
        st.sampled_from((False, False, False, True)),
        st.sampled_from(((), (("email", "a"),), (("email", "b"), ("ext", "1")))),
    ),
    st.builds(
        lambda reference, content: order(
            reference, dialect="centra", numbered=True, on_existing=OnExisting.REFUSE, content=content
        ),
        st.none() | st.sampled_from(("1", "2", "5")),
        st.integers(0, 4),
    ),
    st.just(bad("x")),
)
scopes = st.tuples(st.integers(0, 1), st.sampled_from(Mode))


class Machine(RuleBasedStateMachine):
    """Everything that can be done to a ledger, in any order, a crash between any two."""

    engine: Engine  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.accounts = (sender().account_id, sender().account_id)
        self.models: dict[tuple[int, Mode], Model] = {}
        self.ledger = Ledger(reopened(self.engine, lanes=1, readers=1), self.clock)
        self.batches: list[tuple[Sender, Settled]] = []

    def teardown(self) -> None:
        for who, settled in self.batches:
            assert self.runner.run(self.ledger.find_batch(who, settled.batch_id)) == settled.batch
        self.ledger.close()
        self.runner.close()

    def scope(self, chosen: tuple[int, Mode]) -> tuple[Sender, Model]:
        model = self.models.setdefault(chosen, Model())
        return Sender(account_id=self.accounts[chosen[0]], mode=chosen[1], key_id="k"), model

    @rule(chosen=scopes, sent=st.lists(entries, max_size=6), twice=st.booleans())
    def submit(self, chosen: tuple[int, Mode], sent: list[Any], twice: bool) -> None:
        who, model = self.scope(chosen)
        for _ in range(1 + twice):  # a client that heard nothing sends it again
            settled = self.runner.run(self.ledger.settle(who, submission(*sent)))
            expected = model.settle(sent, self.clock.now, [item.reference for item in settled.items])
            assert [item.outcome.word for item in settled.items] == expected
            assert settled.batch is not None
            assert settled.batch.counts.adds_up
            self.batches.append((who, settled))

    @rule(chosen=scopes, sent=entries.filter(lambda entry: isinstance(entry, NewOrder)))
    def submit_single(self, chosen: tuple[int, Mode], sent: NewOrder) -> None:
        who, model = self.scope(chosen)
        settled = self.runner.run(self.ledger.settle(who, submission(sent, single=True)))
        expected = model.settle([sent], self.clock.now, [settled.items[0].reference])
        assert [item.outcome.word for item in settled.items] == expected

    @rule(
        chosen=scopes,
        place=st.integers(0, 9),
        at=st.none() | st.integers(-3, 3),
        content=st.integers(0, 9),
        released=st.booleans(),
    )
    def amend(self, chosen: tuple[int, Mode], place: int, at: int | None, content: int, released: bool) -> None:
        who, model = self.scope(chosen)
        if not model.orders:
            return
        kept = model.orders[place % len(model.orders)]
        number = self.number_of(who, model, kept)
        change = order(kept.key.reference, dialect=kept.key.dialect, at=at, content=content, released=released)
        taken = kept.released and not released and model.holder(kept.key) is not None
        if taken:
            with pytest.raises(Duplicate):
                self.runner.run(self.ledger.amend(who, number, lambda given: change))
            return
        amended = self.runner.run(self.ledger.amend(who, number, lambda given: change))
        if (kept.content, kept.released) != (content, released):
            now = self.clock.now if at is None else START + at * SECOND
            kept.versions += 1
            model.amend(kept, change, max(now, kept.at))
        assert (amended.revision, amended.released) == (kept.revision, kept.released)

    @rule(seconds=st.sampled_from((-7200, -1, 1, 3600)))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def crash(self) -> None:
        """Nothing but the database is left."""
        self.ledger.close()
        self.ledger = Ledger(reopened(self.engine, lanes=1, readers=1), self.clock)

    @invariant()
    def ledger_and_model_agree(self) -> None:
        for chosen, model in self.models.items():
            who, _ = self.scope(chosen)
            found = self.listed(who)
            assert [self.seen(entry) for entry in found] == [
                (kept.key, kept.at, kept.content, kept.revision, kept.released) for kept in model.orders
            ]
            for entry, kept in list(zip(found, model.orders, strict=True))[-2:]:
                history = self.runner.run(self.ledger.find_revisions(who, entry.id))
                assert len(history) == kept.versions

    def listed(self, who: Sender) -> list[Order]:
        page = self.runner.run(self.ledger.find_orders(who, OrderQuery(limit=1000, descending=False)))
        assert page.count == len(page.entries)
        return list(page.entries)

    def number_of(self, who: Sender, model: Model, kept: Kept) -> int:
        return self.listed(who)[next(n for n, entry in enumerate(model.orders) if entry is kept)].id

    @staticmethod
    def seen(entry: Order) -> tuple[Any, ...]:
        return entry.key, entry.updated_at, entry.content_hash, entry.revision, entry.released


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def quick_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Over a database that needs no disk: what a crash of the machine leaves is not the question here."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="ordermill-model-", dir=memory) as folder,
        empty_engine(request.param, Path(folder), lambda: request.getfixturevalue("postgres_url")) as engine,
    ):
        yield engine


def check(engine: Engine, sequences: int, steps: int) -> None:
    machine = type("MachineOnEngine", (Machine,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            derandomize=sequences < 1000,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_the_ledger_does_what_the_model_does(quick_engine: Engine) -> None:
    check(quick_engine, sequences=40 if quick_engine.name == "sqlite" else 15, steps=20)


@pytest.mark.long
@pytest.mark.timeout(14_400)
def test_the_ledger_does_what_the_model_does_in_ten_thousand_sequences(quick_engine: Engine) -> None:
    check(quick_engine, sequences=10_000, steps=50)
