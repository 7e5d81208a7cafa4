"""What tests of the ledger start from: engines on empty databases, a clock that stands still, orders in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postgres_server import drop_database, fresh_database

from ordermill.core.batch import Draft, Item, Problem, Sender, Settled, Submission
from ordermill.core.order import Mode, NewOrder, OnExisting
from ordermill.store import accounts, migrating
from ordermill.store.engine import Engine, Row
from ordermill.store.ledger import Ledger
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine

START = 1_750_000_000_000_000  # June 2025, in microseconds
SECOND = 1_000_000
_accounts = itertools.count(2)


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@contextmanager
def empty_engine(name: str, folder: Path, postgres_url: Callable[[], str]) -> Iterator[Engine]:
    """An engine over a new database with the newest schema and the default account."""
    if name == "sqlite":
        engine: Engine = SqliteEngine(folder / "ordermill.db")
        prepare(engine)
        yield engine
        engine.close()
        return
    server = postgres_url()
    database = fresh_database(server)
    engine = PostgresEngine(database)
    try:
        prepare(engine)
        yield engine
    finally:
        engine.close()
        drop_database(server, database)


def prepare(engine: Engine) -> None:
    migrating.migrate(engine, START)
    connection = engine.connect()
    with connection.transaction() as tx:
        accounts.ensure_default(tx, START)
    connection.close()


def reopened(engine: Engine, **options: int) -> Engine:
    """A second engine over the same database, as another process has it."""
    if isinstance(engine, PostgresEngine):
        return PostgresEngine(engine.url, **options)
    assert isinstance(engine, SqliteEngine)
    return SqliteEngine(engine.path)


def ask(engine: Engine, statement: str, *params: object) -> list[Row]:
    """What the tables themselves say, past every verb of ours."""
    connection = engine.connect()
    try:
        with connection.transaction() as tx:
            raw: Any = tx.raw  # type: ignore[attr-defined]
            text = statement.replace("?", "%s") if isinstance(engine, PostgresEngine) else statement
            found: list[Row] = raw.execute(text, params).fetchall()
            return found
    finally:
        connection.close()


def sender(account_id: int | None = None, mode: Mode = Mode.LIVE, key_id: str = "k1") -> Sender:
    """Of an account that nobody else uses, unless it is named."""
    return Sender(account_id=next(_accounts) if account_id is None else account_id, mode=mode, key_id=key_id)


def order(reference: str | None = "A", *, at: int | None = 0, content: int | None = None, **facts: Any) -> NewOrder:
    """`at`: the merchant's instant in seconds after START, None for none. `content` stands for all that was said."""
    said = content if content is not None else hash((reference, at)) % 1_000_003
    given: dict[str, Any] = {
        "dialect": "brevo",
        "source": "",
        "status": "open",
        "placed_at": START,
        "amount": "10.00",
        "currency": "EUR",
        "identifiers": (),
        "on_existing": OnExisting.UPDATE,
        "document": f'{{"reference":"{reference}","at":{at or 0},"content":{said}}}',
        **facts,
    }
    return NewOrder(
        reference=reference, updated_at=None if at is None else START + at * SECOND, content_hash=said, **given
    )


def bad(key: str, *problems: Problem, reference: str = "") -> Draft:
    """A draft that is no order."""
    told = problems or (Problem(code="invalid_parameter", message="must be a number", field="amount", value="x"),)
    return Draft(key, None, told, '{"amount":"x"}', reference)


def submission(*entries: NewOrder | Draft, single: bool = False, **options: Any) -> Submission:
    """Orders are keyed by their position."""
    drafts = tuple(
        entry if isinstance(entry, Draft) else Draft(str(position), entry) for position, entry in enumerate(entries)
    )
    return Submission(**{"dialect": "brevo", "drafts": drafts, "single": single, **options})


def words(settled: Settled) -> list[str]:
    """What became of each item, in a word."""
    return [item.outcome.word for item in settled.items]


async def put(ledger: Ledger, who: Sender, *entries: NewOrder | Draft, **options: Any) -> Settled:
    """Settles them as one batch."""
    return await ledger.settle(who, submission(*entries, **options))


async def put_one(ledger: Ledger, who: Sender, entry: NewOrder, **options: Any) -> Item:
    """Settles one single."""
    settled = await ledger.settle(who, submission(entry, single=True, **options))
    return settled.items[0]
