"""Schema files: applied once, in order, under a lock, never over something they do not know; what was there stays."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledgers import START, Clock, ask, order, put, sender, words
from postgres_server import drop_database, fresh_database

from ordermill.core.batch import OutcomeKind
from ordermill.core.order import Mode, OrderKey
from ordermill.core.query import ItemQuery, OrderQuery
from ordermill.store import backup, migrating
from ordermill.store.backup import BadCopy
from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger
from ordermill.store.migrating import Migration, SchemaTrouble
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine


@contextmanager
def database(name: str, folder: Path, postgres_url: Callable[[], str]) -> Iterator[Engine]:
    """An engine over a database with nothing in it."""
    if name == "sqlite":
        yield SqliteEngine(folder / "ordermill.db")
        return
    server = postgres_url()
    url = fresh_database(server)
    engine = PostgresEngine(url)
    yield engine
    engine.close()
    drop_database(server, url)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(request.param, tmp_path, lambda: request.getfixturevalue("postgres_url")) as engine:
        yield engine


def versions(engine: Engine) -> list[str]:
    return [migration.version for migration in migrating.shipped(engine.name)]


def applied(engine: Engine) -> list[tuple[str, int]]:
    return [tuple(row) for row in ask(engine, "SELECT version, applied_at FROM schema_migration ORDER BY version")]


def test_both_engines_ship_the_same_versions_in_one_order() -> None:
    on_sqlite, on_postgres = ([m.version for m in migrating.shipped(name)] for name in ("sqlite", "postgres"))
    assert on_sqlite == on_postgres == sorted(on_sqlite)
    assert on_sqlite[0] == "0001_pre_start"
    assert [int(version[:4]) for version in on_sqlite] == list(range(1, len(on_sqlite) + 1))
    assert {version[5:].split("_")[0] for version in on_sqlite} <= {"pre", "post"}


def test_every_migration_is_applied_once_and_told_of(engine: Engine) -> None:
    shipped = versions(engine)
    assert list(migrating.migrate(engine, START)) == shipped
    assert migrating.migrate(engine, START + 1) == ()
    assert migrating.pending(engine) == ()
    assert applied(engine) == [(version, START) for version in shipped]


def test_the_plan_shows_what_would_be_done_and_does_nothing(engine: Engine) -> None:
    assert [migration.version for migration in migrating.pending(engine)] == versions(engine)
    assert all(migration.text.startswith("-- ") for migration in migrating.pending(engine))
    tables = {
        "sqlite": "SELECT count(*) FROM sqlite_master",
        "postgres": "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
    }
    assert ask(engine, tables[engine.name]) == [(0,)]


def test_a_database_that_is_newer_than_the_program_is_refused(engine: Engine) -> None:
    migrating.migrate(engine, START)
    engine.script("SELECT 1", record=("9999_post_future", "c", START))
    for verb in (migrating.pending, lambda given: migrating.migrate(given, START)):
        with pytest.raises(SchemaTrouble, match=r"made by a newer Ordermill \(it has 9999_post_future\)"):
            verb(engine)


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrating.migrate(engine, START)
    shipped = list(migrating.shipped(engine.name))
    shipped[0] = Migration(shipped[0].version, shipped[0].text + "\n-- one more remark\n")
    monkeypatch.setattr(migrating, "shipped", lambda name: tuple(shipped))
    with pytest.raises(SchemaTrouble, match=r"0001_pre_start was changed after it was applied"):
        migrating.pending(engine)


def test_a_migration_that_fails_leaves_nothing_of_itself(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    migrating.migrate(engine, START)
    broken = Migration("9000_pre_broken", "CREATE TABLE half (id bigint);\nINSERT INTO nowhere VALUES (1);\n")
    shipped = (*migrating.shipped(engine.name), broken)
    monkeypatch.setattr(migrating, "shipped", lambda name: shipped)
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedTable)):
        migrating.migrate(engine, START)
    assert "9000_pre_broken" not in dict(applied(engine))
    with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedTable)):
        ask(engine, "SELECT * FROM half")


START_TOGETHER = """
import sys, time
from pathlib import Path
from ordermill.store import migrating
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine
kind, where, at = sys.argv[1:]
engine = SqliteEngine(Path(where)) if kind == "sqlite" else PostgresEngine(where)
time.sleep(max(0, float(at) - time.time()))
print(*migrating.migrate(engine, 1))
"""


@pytest.mark.parametrize("before", [0, 2])
def test_processes_that_start_at_once_apply_each_migration_once(
    engine: Engine, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new ledger, and one of an older version: that one is copied, once."""
    import time

    older = migrating.shipped(engine.name)[:before]
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "shipped", lambda name: older)
        migrating.migrate(engine, START)
    where = str(engine.path) if isinstance(engine, SqliteEngine) else engine.url  # type: ignore[attr-defined]
    source = str(Path(__file__).parents[2] / "src")
    moment = str(time.time() + 1.5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START_TOGETHER, engine.name, where, moment],
            env={"PYTHONPATH": source, "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    assert sorted(version for out, _ in told for version in out.split()) == versions(engine)[before:]
    assert [version for version, _ in applied(engine)] == versions(engine)
    if isinstance(engine, SqliteEngine):
        assert len(list((engine.path.parent / "backups").glob("*"))) == (1 if before else 0)


def test_what_the_program_asks_of_the_schema_is_the_same_on_both_engines(tmp_path: Path, postgres_url: str) -> None:
    """The same tables with the same columns and what may be NULL, whatever the types are called."""

    def said(engine: Engine, statement: str) -> set[tuple[Any, ...]]:
        return {tuple(row) for row in ask(engine, statement)}

    with (
        database("sqlite", tmp_path, lambda: "") as lite,
        database("postgres", tmp_path, lambda: postgres_url) as big,
    ):
        for engine in (lite, big):
            migrating.migrate(engine, START)
        on_sqlite = said(
            lite,
            'SELECT t.name, c.name, c."notnull" = 1 OR c.pk > 0 FROM sqlite_master t, pragma_table_info(t.name) c'
            " WHERE t.type = 'table' AND t.name <> 'schema_migration' AND t.name NOT LIKE 'sqlite_%'",
        )
        on_postgres = said(
            big,
            "SELECT table_name, column_name, is_nullable = 'NO' FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'schema_migration'",
        )
    assert {(table, column, bool(needed)) for table, column, needed in on_sqlite} == on_postgres


# data of older schemas

OLD_ROWS = """
INSERT INTO account (id, name, notify_secret, created_at) VALUES (1, 'default', 'whsec_x', 5);
INSERT INTO api_key (account_id, id, name, mode, scopes, secret_hash, hint, created_at)
    VALUES (1, 'key00001', 'till', 0, 'admin', {hash}, 'abcd', 5);
INSERT INTO counter (account_id, name, next) VALUES (0, 'batch', 2);
INSERT INTO batch (id, account_id, mode, dialect, source, key_id, request_id, status, historical, origin, received,
    created, updated, unchanged, failed, waiting, created_at, updated_at, finished_at, size_bytes)
    VALUES (1, 1, 0, 'brevo', '', 'key00001', 'r', 'completed_with_errors', 0, '', 2, 1, 0, 0, 1, 0, 5, 5, 5, 9);
INSERT INTO item (id, account_id, outcome, order_id, revision, updated_at, at, document)
    VALUES (16777216, 1, 1, 16777216, 1, 7, 5, '{{"id":"A"}}');
INSERT INTO item (id, account_id, outcome, reference, at, code, field, problems, document)
    VALUES (16777217, 1, 5, 'B', 5, 'required', 'id', '[{{"code":"required","message":"m","field":"id"}}]', '{{}}');
INSERT INTO orders (id, account_id, mode, dialect, source, reference, retired, revision, status, placed_at, updated_at,
    received_at, changed_at, amount, currency, content_hash, document_item)
    VALUES (16777216, 1, 0, 'brevo', '', 'A', 0, 1, 'paid', 3, 7, 5, 5, '1.50', 'EUR', 99, 16777216);
INSERT INTO order_count (account_id, mode, dialect, orders) VALUES (1, 0, 'brevo', 1);
INSERT INTO tally (account_id, mode, hour, dialect, key_id, batches, received, created, updated, unchanged, failed)
    VALUES (1, 0, 0, 'brevo', 'key00001', 1, 2, 1, 0, 0, 1);
INSERT INTO memo (account_id, key, fingerprint, status, content_type, body, created_at)
    VALUES (1, '0:K', {hash}, 202, 'application/json', {hash}, {now});
"""


@pytest.mark.anyio
@pytest.mark.parametrize("steps", range(1, len(migrating.shipped("sqlite")) + 1))
async def test_data_of_every_shipped_schema_is_there_after_the_last_migration(engine: Engine, steps: int) -> None:
    shipped = migrating.shipped(engine.name)
    for migration in shipped[:steps]:
        engine.script(migration.text, record=(migration.version, migration.checksum, START))
    hash_ = "x'00ff'" if engine.name == "sqlite" else "'\\x00ff'::bytea"
    for statement in OLD_ROWS.format(hash=hash_, now=START).split(";\n")[:-1]:
        write(engine, statement)
    assert len(migrating.migrate(engine, START)) == len(shipped) - steps
    clock = Clock()
    ledger = Ledger(engine, clock)
    who = sender(1)
    try:
        found = await ledger.find_order_by_key(who, OrderKey("brevo", "", "A"))
        assert found is not None
        assert (found.id, found.status, found.amount, found.document) == (1 << 24, "paid", "1.50", '{"id":"A"}')
        items = (await ledger.find_items(who, ItemQuery(batch_id=1))).entries
        assert [item.outcome for item in items] == [OutcomeKind.CREATED, OutcomeKind.FAILED]
        assert [cause.count for cause in await ledger.find_causes(who, 1)] == [1]
        assert (await ledger.find_orders(who, OrderQuery())).count == 1
        assert (await ledger.find_answer(1, "0:K")) is not None
        assert (await ledger.find_key("key00001")) is not None
        settled = await put(ledger, who, order("A", at=9), order("C"))
        assert words(settled) == ["updated", "created"]
        assert settled.batch_id == 2
        assert await ledger.find_order(sender(1, Mode.TEST), found.id) is None
    finally:
        ledger.close()


def write(engine: Engine, statement: str) -> None:
    connection = engine.connect()
    with connection.transaction() as tx:
        tx.raw.execute(statement)  # type: ignore[attr-defined]
    connection.close()


# the copy before the first change


@pytest.fixture
def used(tmp_path: Path) -> SqliteEngine:
    """A ledger of the first schema with a row in it."""
    engine = SqliteEngine(tmp_path / "ordermill.db")
    first = migrating.shipped("sqlite")[0]
    engine.script(first.text, record=(first.version, first.checksum, START))
    write(engine, "INSERT INTO account (id, name, notify_secret, created_at) VALUES (7, 'kept', 's', 1)")
    return engine


def test_an_existing_ledger_is_copied_before_it_is_changed(used: SqliteEngine) -> None:
    migrating.migrate(used, START)
    copies = list((used.path.parent / "backups").iterdir())
    assert [copy.name for copy in copies] == ["before-0002_pre_events-20250615T150640Z.db"]
    backup.verify(copies[0])
    with closing(sqlite3.connect(copies[0])) as raw:
        assert raw.execute("SELECT id, name FROM account").fetchall() == [(7, "kept")]
        assert raw.execute("SELECT version FROM schema_migration").fetchall() == [("0001_pre_start",)]
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_new_ledger_and_one_that_is_up_to_date_are_not_copied(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "ordermill.db")
    migrating.migrate(engine, START)
    migrating.migrate(engine, START)
    assert not (tmp_path / "backups").exists()


def test_without_a_copy_nothing_is_changed(used: SqliteEngine) -> None:
    (used.path.parent / "backups").write_text("in the way")
    with pytest.raises(SchemaTrouble, match="nothing was changed, because the copy"):
        migrating.migrate(used, START)
    assert [version for version, _ in applied(used)] == ["0001_pre_start"]


def test_a_copy_that_is_not_sound_is_no_copy(
    used: SqliteEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: Path) -> None:
        raise BadCopy(f"{path} is damaged")

    monkeypatch.setattr(backup, "verify", damaged)
    with pytest.raises(SchemaTrouble, match="is damaged"):
        migrating.migrate(used, START)
    assert list((tmp_path / "backups").iterdir()) == []


def test_damage_is_noticed(used: SqliteEngine, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup.copy(used.path, copy)
    whole = bytearray(copy.read_bytes())
    for page in range(4096, len(whole), 4096):
        whole[page : page + 8] = b"\xff" * 8
    copy.write_bytes(whole)
    with pytest.raises(BadCopy):
        backup.verify(copy)
    with pytest.raises(BadCopy):
        backup.verify(tmp_path / "nothing here.db")


@pytest.mark.anyio
async def test_a_copy_is_taken_while_orders_come_in(tmp_path: Path) -> None:
    """Everything that was answered before the copy began is in it, and the writer is not kept waiting."""
    import asyncio

    engine = SqliteEngine(tmp_path / "ordermill.db")
    migrating.migrate(engine, START)
    ledger = Ledger(engine, Clock())
    who = sender(1)
    try:
        for n in range(20):
            await put(ledger, who, *(order(f"{n}-{m}", document="x" * 1000) for m in range(100)))
        copying = asyncio.create_task(asyncio.to_thread(backup.copy, engine.path, tmp_path / "copy.db"))
        during = 0
        while not copying.done():
            await put(ledger, who, order(f"during {during}"))
            during += 1
        await copying
    finally:
        ledger.close()
    with closing(sqlite3.connect(tmp_path / "copy.db")) as raw:
        number = raw.execute("SELECT count(*) FROM orders").fetchone()[0]
    assert 2_000 <= number <= 2_000 + during
