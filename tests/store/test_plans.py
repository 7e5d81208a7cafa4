"""How the engines mean to run what every request asks of them: by an index, over a hundred thousand orders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from ledgers import START, Clock, ask, bad, empty_engine, order, sender, submission

from ordermill.core.batch import BatchStatus, OutcomeKind
from ordermill.core.memo import Answer, Memo
from ordermill.core.order import NewOrder, OnExisting, OrderKey
from ordermill.core.query import BatchQuery, ItemQuery, OrderQuery, OrderSort
from ordermill.store import accounts, intake, query
from ordermill.store.engine import Engine, Transaction
from ordermill.store.postgres.engine import PostgresEngine

LARGE = {"orders", "item", "batch", "contact_identifier", "memo", "event", "delivery"}
ACCOUNTS, EACH = 10, 10_000
BATCH = 1 << 20  # the numbers of these batches lie far from those that are reserved

# One statement fills a table: `n` counts from 0, `a` is the account, `m` the number within it.
ROWS = {
    "orders": (
        "id, account_id, mode, dialect, source, reference, retired, revision, status, placed_at, updated_at,"
        " received_at, changed_at, amount, currency, contact_id, content_hash, request_id, number, document_item",
        f"(({BATCH} + a) * 16777216) + m, a, 0, 'brevo', '', 'R' || m, 0, 1, 'open', {START} + m, {START}, {START} + n,"
        f" {START}, '1.00', 'EUR', m / 2, n, NULL, m, (({BATCH} + a) * 16777216) + m",
    ),
    "item": (
        "id, account_id, key, outcome, reference, order_id, revision, updated_at, at, document",
        f"(({BATCH} + a) * 16777216) + m, a, NULL, 1, NULL, (({BATCH} + a) * 16777216) + m, 1, {START},"
        f" {START}, '{{}}'",
    ),
    "contact_identifier": ("account_id, mode, kind, value, contact_id", "a, 0, 'ext', 'x' || m, m / 2"),
    "batch": (
        "id, account_id, mode, dialect, source, key_id, request_id, status, historical, origin, received, created,"
        " updated, unchanged, failed, waiting, created_at, updated_at, finished_at, size_bytes",
        f"({BATCH} + 100) + n, a, 0, 'brevo', '', 'k', 'r', 'completed', 0, '', 1, 1, 0, 0, 0, 0, {START}, {START},"
        f" {START}, 1",
    ),
    "memo": (
        "account_id, key, fingerprint, status, content_type, body, created_at",
        f"a, 'K' || m, bytes, 200, 't', bytes, {START}",
    ),
}


@pytest.fixture(scope="module")
def full_postgres(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Engine]:
    with empty_engine("postgres", tmp_path_factory.mktemp("full"), lambda: postgres_url) as engine:
        fill(engine)
        yield engine


@pytest.fixture(scope="module", params=["sqlite", "postgres without statistics", "postgres"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, str]]:
    """A ledger of ten accounts with ten thousand orders each, which the planner has not seen yet, or has."""
    if request.param == "sqlite":
        with empty_engine("sqlite", tmp_path_factory.mktemp("full"), lambda: "") as engine:
            fill(engine)
            yield engine, request.param
        return
    engine = request.getfixturevalue("full_postgres")
    if request.param == "postgres":
        analyze(engine)
    yield engine, request.param


def fill(engine: Engine) -> None:
    total = ACCOUNTS * EACH
    if isinstance(engine, PostgresEngine):
        series, blob = f"generate_series(0::bigint, {total - 1}) AS t (n)", "'\\x00'::bytea"
    else:
        counting = f"VALUES (0) UNION ALL SELECT n + 1 FROM s WHERE n < {total - 1}"
        series = f"(WITH RECURSIVE s (n) AS ({counting}) SELECT n FROM s) t"
        blob = "x'00'"
    connection = engine.connect()
    with connection.transaction() as tx:
        raw: Any = tx.raw  # type: ignore[attr-defined]
        for table, (columns, values) in ROWS.items():
            if isinstance(engine, PostgresEngine):
                raw.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
            values = values.replace("bytes", blob)
            rows = total if table in ("orders", "item", "contact_identifier") else total // 10
            raw.execute(
                f"INSERT INTO {table} ({columns})"
                f" SELECT {values} FROM (SELECT n, n % {ACCOUNTS} + 1 AS a, n / {ACCOUNTS} AS m FROM {series}) r"
                f" WHERE n < {rows}"
            )
    connection.close()


def analyze(engine: Engine) -> None:
    connection = engine.connect()
    with connection.transaction() as tx:
        tx.raw.execute("ANALYZE")  # type: ignore[attr-defined]
    connection.close()


class Watched:
    """A raw connection that has every statement explained before it runs."""

    def __init__(self, raw: Any, engine: Engine) -> None:
        self.raw = raw
        self.engine = engine
        self.plans: list[tuple[str, Any]] = []

    def execute(self, statement: Any, params: Any = (), **options: Any) -> Any:
        text = statement.decode() if isinstance(statement, bytes) else statement
        if isinstance(self.engine, PostgresEngine):
            found = self.raw.execute(f"EXPLAIN (FORMAT JSON) {text}".encode(), params).fetchone()[0]
            plan = found if isinstance(found, list) else json.loads(found)
            self.plans.append((text, list(nodes(plan[0]["Plan"]))))
        else:
            rows = self.raw.execute(f"EXPLAIN QUERY PLAN {text}", params).fetchall()
            self.plans.append((text, [row[3] for row in rows]))
        return self.raw.execute(statement, params, **options)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def scans(text: str, plan: list[Any]) -> list[str]:
    """The large tables that would be read from end to end."""
    if plan and isinstance(plan[0], dict):
        read = [n["Relation Name"] for n in plan if n["Node Type"] == "Seq Scan"]
    else:
        names = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN)\s+(\w+)\s+(?:AS\s+)?(\w+)", text)}
        names |= {table: table for table in LARGE}
        words = [step.split() for step in plan]
        read = [names.get(step[1], step[1]) for step in words if step[0] == "SCAN" and "USING" not in step]
    return [table for table in read if table in LARGE]


def careless(plans: list[tuple[str, list[Any]]]) -> dict[str, list[str]]:
    return {text: found for text, plan in plans if (found := scans(text, plan))}


def sorts(plan: list[Any]) -> bool:
    """Whether everything is put in order first, only to show the top of it."""
    if plan and isinstance(plan[0], dict):
        return any(n["Node Type"] == "Sort" for n in plan)
    return any(step.startswith("USE TEMP B-TREE FOR ORDER BY") for step in plan)


def used(plan: list[Any]) -> set[str]:
    if plan and isinstance(plan[0], dict):
        return {n["Index Name"] for n in plan if "Index Name" in n}
    return {words[words.index("INDEX") + 1] for step in plan if "INDEX" in (words := step.split())}


class Enough(Exception):
    """Every verb starts from the same tables: what it wrote is rolled back."""


def condition(step: Any) -> str:
    """What is looked up in the index itself; the rest is only compared afterwards."""
    return str(step.get("Index Cond", "")) if isinstance(step, dict) else step


def watch(engine: Engine, verb: Any, *, read_only: bool = False) -> list[tuple[str, list[Any]]]:
    """The plans of all statements of a verb."""
    connection = engine.connect(read_only=read_only)
    watched: Watched | None = None
    with suppress(Enough), connection.transaction() as tx:
        watched = Watched(tx.raw, engine)  # type: ignore[attr-defined]
        tx.raw = watched  # type: ignore[attr-defined]
        verb(tx)
        raise Enough
    connection.close()
    assert watched is not None
    return watched.plans


WHO = sender(1)


def settling(*entries: Any, **options: Any) -> Any:
    def verb(tx: Transaction) -> None:
        tx.again = options.pop("again", False)
        job = {name: options.pop(name) for name in ("into", "last", "memo") if name in options}
        intake.settle(tx, [intake.Job(sender=WHO, submission=submission(*entries, **options), **job)], START)

    return verb


def people(n: int) -> tuple[tuple[str, str], ...]:
    return (("ext", f"x{n}"), ("email", f"{n}@example.com"))


WRITING = {
    "new": settling(*(order(f"N{n}", identifiers=people(n)) for n in range(300))),
    "changed": settling(*(order(f"R{n}", at=5, identifiers=people(n)) for n in range(300))),
    "changed after a lost race": settling(*(order(f"R{n}", at=6) for n in range(300)), again=True),
    "unchanged": settling(*(order(f"R{n}", on_existing=OnExisting.KEEP) for n in range(300))),
    "single": settling(order("R5", at=7, identifiers=people(1)), single=True),
    "failed": settling(*(bad(f"{n}") for n in range(50))),
    "numbered": settling(order(None, dialect="centra", numbered=True), order(None, numbered=True)),
    "remembered": settling(order("M"), memo=Memo("mine", b"f", lambda settled: Answer(200, "t", b""))),
}


@pytest.mark.parametrize("what", WRITING)
def test_settling_reads_no_large_table_from_end_to_end(full: tuple[Engine, str], what: str) -> None:
    engine, _ = full
    plans = watch(engine, WRITING[what])
    assert careless(plans) == {}


def test_the_look_up_by_key_takes_the_index_of_the_key(full: tuple[Engine, str]) -> None:
    """Any other index holds a whole account under what it can match: one look-up would read them all."""
    engine, _ = full
    plans = watch(engine, WRITING["changed"])
    by_key = next(plan for text, plan in plans if re.search(r"reference = k\.", text))
    by_identifier = next(plan for text, plan in plans if re.search(r"kind = k\.", text))
    assert used(by_key) == {"orders_key"}
    assert any("reference" in condition(step) for step in by_key)
    assert any("value" in condition(step) for step in by_identifier)


def test_amending_and_filling_read_no_large_table_from_end_to_end(full: tuple[Engine, str]) -> None:
    engine, _ = full
    number = ask(engine, "SELECT id FROM orders WHERE account_id = 1 AND reference = ? AND retired = 0", "R77")[0][0]

    def amend(tx: Transaction) -> None:
        tx.all_of("lock_orders", (1,), [(number,)])
        current = query.find_order(tx, WHO, number)
        assert current is not None
        change: NewOrder = order("R77", at=50, status="packed")
        job = intake.Job(sender=WHO, submission=submission(change, single=True))
        intake.amend(tx, job, current, Clock()())

    def fill_up(tx: Transaction) -> None:
        opened = intake.settle(tx, [intake.Job(sender=WHO, submission=submission(order("F1")), last=False)], START)
        into = (opened[0].batch_id, 1)
        intake.settle(tx, [intake.Job(sender=WHO, submission=submission(order("F2")), into=into)], START)

    for verb in (amend, fill_up):
        assert careless(watch(engine, verb)) == {}


def reading(**asked: Any) -> Any:
    return lambda tx: query.find_orders(tx, WHO, OrderQuery(**asked))


BREVO: dict[str, Any] = {"dialect": "brevo", "sort": OrderSort.PLACED}
LISTS = {
    "newest": reading(),
    "newest of a contract": reading(dialect="brevo", with_document=False),
    "behind an order": reading(dialect="brevo", after_id=BATCH << 24, with_count=False),
    "by creation": reading(**BREVO),
    "by creation, oldest first": reading(**BREVO, descending=False),
    "by creation and update": reading(dialect="brevo", sort=OrderSort.PLACED_UPDATED),
    "by number": reading(dialect="brevo", sources=("",), sort=OrderSort.NUMBER, descending=False, with_count=False),
}
FILTERED = {
    "changed since": reading(**BREVO, updated_after=START),
    "created since": reading(**BREVO, placed_after=START + 9_990),
    "by status": reading(**BREVO, statuses=("paid", "open")),
    "by reference": reading(dialect="brevo", references=("R1", "R2"), with_count=False),
    "by our id": reading(ids=(1, 2), with_count=False),
    "by contact": reading(contact_id=7),
    "by identifier": reading(identifier=("ext", "x9")),
    "by request": reading(request_id="r"),
    "received since": reading(received_after=START),
}


@pytest.mark.parametrize("what", LISTS)
def test_the_first_page_of_a_list_is_read_from_an_index_in_its_order(full: tuple[Engine, str], what: str) -> None:
    engine, kind = full
    plans = watch(engine, LISTS[what], read_only=True)
    assert careless(plans) == {}
    if kind != "postgres without statistics":  # it takes an account for one row then, and one row is soon sorted
        assert [text for text, plan in plans if sorts(plan)] == []


@pytest.mark.parametrize("what", FILTERED)
def test_a_filtered_list_stays_within_the_account(full: tuple[Engine, str], what: str) -> None:
    engine, _ = full
    plans = watch(engine, FILTERED[what], read_only=True)
    assert careless(plans) == {}


NAMED: dict[str, dict[str, Any]] = {
    "reference": {"references": ("R1",)},
    "references": {"references": ("R1", "R2")},
    "our ids": {"ids": (1, 2)},
    "contact": {"contact_id": 7},
    "identifier": {"identifier": ("ext", "x9")},
    "request": {"request_id": "r"},
}


@pytest.mark.parametrize("sort", [OrderSort.RECEIVED, OrderSort.PLACED])
@pytest.mark.parametrize("what", NAMED)
def test_orders_that_are_named_are_looked_up_not_picked_from_the_list(
    full: tuple[Engine, str], what: str, sort: OrderSort
) -> None:
    """At a million orders the one took a twentieth of a millisecond, the other up to two seconds."""
    engine, kind = full
    if kind == "postgres without statistics":
        return  # it takes every table for a few rows, until its first ANALYZE, which it makes by itself
    for with_document in (True, False):
        asked = reading(**NAMED[what], dialect="brevo", sort=sort, with_document=with_document)
        for text, plan in watch(engine, asked, read_only=True):
            assert not used(plan) & {"orders_placed", "orders_received", "orders_received_by"}, text


ONE = (BATCH + 1) << 24
SINGLE_READS = {
    "order": lambda tx: query.find_order(tx, WHO, ONE + 5),
    "order by key": lambda tx: query.find_order_by_key(tx, WHO, OrderKey("brevo", "", "R5")),
    "history": lambda tx: query.find_revisions(tx, WHO, ONE + 5),
    "batch": lambda tx: query.find_batch(tx, WHO, BATCH + 100),
    "batches": lambda tx: query.find_batches(tx, WHO, BatchQuery()),
    "batches filtered": lambda tx: query.find_batches(
        tx, WHO, BatchQuery(statuses=(BatchStatus.FAILED,), has_failures=True, key_id="k", with_count=True)
    ),
    "items": lambda tx: query.find_items(tx, WHO, ItemQuery(batch_id=BATCH + 100)),
    "failed items": lambda tx: query.find_items(
        tx, WHO, ItemQuery(batch_id=BATCH + 100, outcomes=(OutcomeKind.FAILED,), code="c", field="f")
    ),
    "causes": lambda tx: query.find_causes(tx, WHO, BATCH + 100),
    "question": lambda tx: intake.check(
        tx, intake.Job(sender=WHO, submission=submission(*(order(f"R{n}", at=9) for n in range(100)))), START
    ),
    "memo": lambda tx: tx.one("find_memo", 1, "K5", 0),
    "key": lambda tx: accounts.find_key(tx, "nobody"),
}


@pytest.mark.parametrize("what", SINGLE_READS)
def test_what_is_asked_for_by_name_is_found_by_an_index(full: tuple[Engine, str], what: str) -> None:
    engine, _ = full
    plans = watch(engine, SINGLE_READS[what], read_only=True)
    assert careless(plans) == {}


def test_the_watch_sees_a_table_that_is_read_from_end_to_end(full: tuple[Engine, str]) -> None:
    engine, _ = full

    def read_everything(tx: Any) -> None:
        tx.raw.execute("SELECT count(*) FROM orders o WHERE o.status = 'paid' OR o.amount = 'x'")
        tx.raw.execute("SELECT o.id FROM orders o ORDER BY o.status LIMIT 1")

    plans = watch(engine, read_everything)
    assert [scans(*entry) for entry in plans] == [["orders"], ["orders"]]
    assert sorts(plans[1][1])
