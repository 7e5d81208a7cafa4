"""What breaks around the ledger is answered as Overloaded, leaves nothing half there, and is over when it is over."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledgers import Clock, ask, empty_engine, order, prepare, put, put_one, reopened, sender, submission, words
from postgres_server import PostgresServer, installations

from ordermill.core.errors import Invalid, Overloaded
from ordermill.core.order import OnExisting
from ordermill.core.query import OrderQuery
from ordermill.store import intake
from ordermill.store.engine import UNCERTAIN, Engine, Transaction
from ordermill.store.ledger import Ledger
from ordermill.store.postgres import engine as postgres
from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine

pytestmark = pytest.mark.anyio
ON_POSTGRES = pytest.mark.parametrize("engine", ["postgres"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def kill_backends(engine: PostgresEngine) -> int:
    """Cuts every other connection to the database, as a restart or a broken network does."""
    with psycopg.connect(engine.url, autocommit=True) as raw:
        cut = raw.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert cut is not None
    return int(cut[0])


def cut_before(engine: PostgresEngine, statement: str) -> Callable[[], None]:
    """Cuts all connections once, just before that statement runs. Returns how to end it."""
    original = postgres.PostgresTransaction.run_of
    done = threading.Event()

    def run_of(self: Any, name: str, *args: Any) -> int:
        if name == statement and not done.is_set():
            done.set()
            kill_backends(engine)
        written: int = original(self, name, *args)
        return written

    postgres.PostgresTransaction.run_of = run_of  # type: ignore[method-assign]

    def end() -> None:
        postgres.PostgresTransaction.run_of = original  # type: ignore[method-assign]
        assert done.is_set()

    return end


@ON_POSTGRES
async def test_a_connection_that_is_lost_while_idle_is_replaced_without_a_word(
    ledger: Ledger, engine: PostgresEngine
) -> None:
    who = sender()
    for n in range(3):
        assert words(await put(ledger, who, order(f"{n}"))) == ["created"]
        assert (await ledger.find_orders(who, OrderQuery())).count == n + 1
        assert kill_backends(engine) >= 2


@ON_POSTGRES
@pytest.mark.parametrize("statement", ["save_orders", "save_items"])
async def test_a_connection_that_is_lost_in_mid_transaction_leaves_nothing_and_is_overloaded(
    ledger: Ledger, engine: PostgresEngine, statement: str
) -> None:
    who = sender()
    await put(ledger, who, order("before"))
    end = cut_before(engine, statement)
    try:
        with pytest.raises(Overloaded, match="nothing was stored") as refusal:
            await put(ledger, who, order("A"), order("B"))
    finally:
        end()
    assert refusal.value.retry_after_s == 2
    assert (await ledger.find_orders(who, OrderQuery())).count == 1
    assert words(await put(ledger, who, order("A"), order("B"))) == ["created", "created"]


@ON_POSTGRES
async def test_all_singles_of_a_lost_group_hear_it_and_none_is_settled_twice(
    ledger: Ledger, engine: PostgresEngine
) -> None:
    who = sender()
    entries = [submission(order(f"S{n}", on_existing=OnExisting.REFUSE), single=True) for n in range(40)]
    end = cut_before(engine, "save_items")
    try:
        answers = await asyncio.gather(*(ledger.settle(who, entry) for entry in entries), return_exceptions=True)
    finally:
        end()
    told = [answer for answer in answers if isinstance(answer, Overloaded)]
    stored = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert told
    assert len(told) + len(stored) == 40
    assert all(words(answer) == ["created"] for answer in stored)
    assert (await ledger.find_orders(who, OrderQuery())).count == len(stored)


class CutAtCommit:
    """Sends the COMMIT, and then the connection is gone before its answer has come."""

    def __init__(self, raw: Any, *, arrives: bool) -> None:
        self._raw = raw
        self._arrives = arrives

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        if query == "COMMIT":
            if self._arrives:
                self._raw.execute(query)
            self._raw.close()
            raise psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")
        return self._raw.execute(query, *args, **options)


@ON_POSTGRES
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_group_whose_commit_was_cut_off_is_told_that_nobody_knows(
    ledger: Ledger, engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    """Never that it is stored, nor that it is not; and nothing is run again from here: a number would be allotted
    twice, and of its own order somebody would be told that it exists already."""
    who = sender()
    await put_one(ledger, who, order("before"))
    begin = postgres.PostgresConnection._begin
    cut = threading.Event()

    def cut_once(self: postgres.PostgresConnection) -> Any:
        raw = begin(self)
        if self.read_only or cut.is_set():
            return raw
        cut.set()
        self._raw = CutAtCommit(raw, arrives=arrives)  # type: ignore[assignment]
        return self._raw

    monkeypatch.setattr(postgres.PostgresConnection, "_begin", cut_once)
    entries = [submission(order(f"S{n}", on_existing=OnExisting.REFUSE), single=True) for n in range(10)]
    answers = await asyncio.gather(*(ledger.settle(who, entry) for entry in entries), return_exceptions=True)
    unknown = [str(answer) for answer in answers if isinstance(answer, BaseException)]
    stored = [words(answer) for answer in answers if not isinstance(answer, BaseException)]
    found = (await ledger.find_orders(who, OrderQuery())).count
    assert set(unknown) == {UNCERTAIN}
    assert stored == [["created"]] * (10 - len(unknown))
    assert found == 1 + len(stored) + (len(unknown) if arrives else 0)


async def test_postgres_that_restarts_is_back_without_a_restart_of_ours(
    tmp_path: Path, clock: Clock, unavailable: Callable[[str], Any]
) -> None:
    programs = next(iter(installations().values()), None) or unavailable("PostgreSQL")
    server = PostgresServer(programs)
    engine = PostgresEngine(server.url, lanes=2, readers=1)
    ledger = Ledger(engine, clock)
    who = sender(1)
    try:
        prepare(engine)
        await put(ledger, who, *(order(f"{n}") for n in range(5)))
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        stop(server, postmaster, signal.SIGQUIT)  # an immediate shutdown: no checkpoint, every connection cut
        for verb in (put(ledger, who, order("down")), ledger.find_order(who, 1)):
            with pytest.raises(Overloaded):
                await verb
        start_again(server)
        began = time.monotonic()
        assert words(await put(ledger, who, order("down"), order("0"))) == ["created", "unchanged"]
        assert (await ledger.find_orders(who, OrderQuery())).count == 6
        assert time.monotonic() - began < 5
    finally:
        ledger.close()
        server.stop()


def stop(server: PostgresServer, postmaster: int, how: signal.Signals) -> None:
    os.kill(postmaster, how)
    assert server.process is not None
    server.process.wait(20)


def start_again(server: PostgresServer) -> None:
    """On the same port and data, as an operator does."""
    port = server.port
    assert server.process is not None
    assert server.process.stdin is not None
    server.process.stdin.close()
    command: list[str | Path] = [server.programs / "postgres", "-D", server.folder / "data", "-k", server.folder]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    from postgres_server import RUN_WHILE_PIPE_IS_OPEN

    server.process = subprocess.Popen(
        ["/bin/sh", "-c", RUN_WHILE_PIPE_IS_OPEN, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **server._run_as(),
    )
    assert server._answers()


@pytest.mark.parametrize("url", ["host= port sesame", "postgresql://[sesame"])
async def test_a_database_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        PostgresEngine(url)
    assert "sesame" not in f"{refusal.value!r}{refusal.value.__cause__!r}"


async def test_a_database_that_is_not_there_is_overloaded(clock: Clock) -> None:
    ledger = Ledger(PostgresEngine("postgresql://u:sesame@127.0.0.1:1/x", lanes=1, readers=1), clock)
    try:
        for verb in (put(ledger, sender(), order()), ledger.find_order(sender(), 1)):
            with pytest.raises(Overloaded) as refusal:
                await verb
            assert "sesame" not in refusal.value.message
    finally:
        ledger.close()


# a session that waits for ever


@ON_POSTGRES
async def test_who_waits_too_long_for_a_lock_is_told_to_come_back(
    engine: PostgresEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_S", 1)
    who = sender()
    ledger = Ledger(reopened(engine), clock)
    try:
        await put(ledger, who, order("A", at=1))
        with psycopg.connect(engine.url) as other:
            other.execute("SELECT 1 FROM orders WHERE account_id = %s FOR UPDATE", (who.account_id,))
            with pytest.raises(Overloaded):
                await put(ledger, who, order("A", at=2))
        assert words(await put(ledger, who, order("A", at=2))) == ["updated"]
    finally:
        ledger.close()


@ON_POSTGRES
async def test_a_process_that_stands_still_in_a_transaction_does_not_hold_its_locks_for_ever(
    engine: PostgresEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "IDLE_TIMEOUT_S", 1)
    who = sender()
    ledger, stopped = Ledger(reopened(engine), clock), engine.connect()
    try:
        await put(ledger, who, order("A", at=1))
        holding = stopped.transaction()
        intake.settle(holding.__enter__(), [intake.Job(sender=who, submission=submission(order("A", at=3)))], clock())
        answer = await put(ledger, who, order("A", at=2))
        with pytest.raises(Overloaded):
            holding.__exit__(None, None, None)
        assert words(answer) == ["updated"]
        assert words(await put(ledger, who, order("A", at=3))) == ["updated"]
    finally:
        stopped.close()
        ledger.close()


@ON_POSTGRES
async def test_what_the_server_says_against_a_statement_is_a_fault_of_one_member_only(ledger: Ledger) -> None:
    """An index row that is too long is nothing a client should come back with."""
    who = sender()
    long = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(5_000))
    answers = await asyncio.gather(
        *(ledger.settle(who, submission(order(ref), single=True)) for ref in ("A", long, "B")), return_exceptions=True
    )
    assert isinstance(answers[1], psycopg.Error)
    assert [words(answers[n]) for n in (0, 2)] == [["created"], ["created"]]  # type: ignore[arg-type]


# SQLite


@pytest.fixture
def own_sqlite(tmp_path: Path) -> Iterator[SqliteEngine]:
    with empty_engine("sqlite", tmp_path, lambda: "") as engine:
        assert isinstance(engine, SqliteEngine)
        yield engine


async def test_a_full_database_is_overloaded_and_works_again_when_there_is_room(
    own_sqlite: SqliteEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ordermill.store.sqlite import engine as sqlite

    set_up = sqlite._set_up
    full = threading.Event()

    def small(raw: sqlite3.Connection, *, read_only: bool) -> None:
        set_up(raw, read_only=read_only)
        if full.is_set():
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count={pages + 2}")

    monkeypatch.setattr(sqlite, "_set_up", small)
    full.set()
    ledger = Ledger(own_sqlite, clock)
    who = sender()
    try:
        big = [order(f"{n}", document="x" * 2000) for n in range(100)]
        for _ in range(2):
            with pytest.raises(Overloaded, match="full"):
                await put(ledger, who, *big)
        assert (await ledger.find_orders(who, OrderQuery())).count == 0
        full.clear()
        assert set(words(await put(ledger, who, *big))) == {"created"}
    finally:
        ledger.close()


WRITES_FAIL = """
import asyncio, resource, signal, sys
from pathlib import Path
from ledgers import *
from ordermill.core.errors import Overloaded
from ordermill.core.query import OrderQuery

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    engine = SqliteEngine(Path(sys.argv[1]) / "ordermill.db")
    prepare(engine)
    ledger = Ledger(engine, Clock())
    who = sender(1)
    await put(ledger, who, order("before"))
    log = Path(sys.argv[1]) / "ordermill.db-wal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 5_000, 60_000, 150_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + room, hard))
        try:
            await put(ledger, who, *(order(f"{room}-{n}", document="x" * 2000) for n in range(200)))
        except Overloaded as refusal:
            print("refused", refusal.retry_after_s)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        print("found", (await ledger.find_orders(who, OrderQuery())).count)
    print(*set(words(await put(ledger, who, *(order(f"after{n}") for n in range(200))))))
    print("found", (await ledger.find_orders(who, OrderQuery())).count)
    ledger.close()

asyncio.run(main())
"""


def test_writes_that_the_kernel_refuses_are_overloaded_and_leave_the_file_sound(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the kernel refuses, at one place or another of the log."""
    here = Path(__file__)
    paths = ":".join(map(str, (here.parents[1], here.parents[2] / "src")))
    done = subprocess.run(
        [sys.executable, "-c", WRITES_FAIL, tmp_path],
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["refused 2", "found 1"] * 4 + ["created", "found 201"], done.stderr
    with sqlite3.connect(tmp_path / "ordermill.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


async def test_a_ledger_that_another_program_holds_is_overloaded_until_it_lets_go(
    own_sqlite: SqliteEngine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ordermill.store.sqlite import engine as sqlite

    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    ledger = Ledger(own_sqlite, clock)
    who = sender()
    other = sqlite3.connect(own_sqlite.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Overloaded, match="locked"):
            await put(ledger, who, order())
        assert await ledger.find_order(who, 1) is None
        other.execute("ROLLBACK")
        assert words(await put(ledger, who, order())) == ["created"]
    finally:
        other.close()
        ledger.close()


# both


async def test_a_fault_inside_a_verb_leaves_nothing_and_the_lane_goes_on(ledger: Ledger) -> None:
    who = sender()

    def stumble(tx: Transaction) -> None:
        intake.settle(tx, [intake.Job(sender=who, submission=submission(order("A")))], 1)
        raise ZeroDivisionError

    for _ in range(8):
        with pytest.raises(ZeroDivisionError):
            await ledger.lanes.write(stumble)
    assert (await ledger.find_orders(who, OrderQuery())).count == 0
    assert words(await put(ledger, who, order("A"))) == ["created"]


async def test_readers_cannot_write_in_their_first_transaction_nor_in_any_other(engine: Engine) -> None:
    connection = engine.connect(read_only=True)
    for reads_before in (0, 1, 3):
        for _ in range(reads_before):
            with connection.transaction() as tx:
                assert tx.one("find_account", 1) is not None
        with pytest.raises(Overloaded), connection.transaction() as tx:
            tx.run("add_order_count", 1, 0, "brevo", 1)
    connection.close()
    assert ask(engine, "SELECT count(*) FROM order_count WHERE account_id = 1 AND dialect = 'brevo'") == [(0,)]


async def test_a_reader_sees_one_instant_through_all_its_statements(ledger: Ledger, engine: Engine) -> None:
    who = sender()
    await put(ledger, who, order("A"))
    connection = engine.connect(read_only=True)
    with connection.transaction() as tx:
        first = tx.one("order_count_all", who.account_id, int(who.mode))
        await put(ledger, who, order("B"))
        second = tx.one("order_count_all", who.account_id, int(who.mode))
    connection.close()
    assert first == second
    assert (await ledger.find_orders(who, OrderQuery())).count == 2


async def test_a_closed_ledger_leaves_neither_threads_nor_connections(engine: Engine, clock: Clock) -> None:
    before = set(threading.enumerate())
    mine = reopened(engine)
    ledger = Ledger(mine, clock)
    await asyncio.gather(*(put(ledger, sender(), order("A")) for _ in range(20)))
    await asyncio.gather(*(ledger.find_order(sender(), 1) for _ in range(20)))
    assert set(threading.enumerate()) - before
    ledger.close()
    assert not set(threading.enumerate()) - before
    if isinstance(mine, PostgresEngine):
        left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        for _ in range(100):
            if ask(engine, left) == [(0,)]:
                break
            await asyncio.sleep(0.05)
        assert ask(engine, left) == [(0,)]
    else:
        assert isinstance(mine, SqliteEngine)
        assert not mine.path.with_name(mine.path.name + "-wal").exists()
