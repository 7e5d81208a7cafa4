"""SQLite: WAL, synchronous=FULL, one writer. Row sets travel as multi-row VALUES, 1,000 rows a statement.

Why many rows a statement: Python's sqlite3 gives the interpreter lock away at every row step of executemany, and waits
for it again each time while the event loop is busy (78 times slower, docs/performance.md). A statement is one step.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from ordermill.core.errors import Overloaded
from ordermill.store import backup, sql
from ordermill.store.engine import UNCERTAIN, Row

BUSY_TIMEOUT_S = 10
ROWS_PER_STATEMENT = 1000
_SIZES = (ROWS_PER_STATEMENT, 250, 128)  # above 64 rows only these, so that few statements are ever prepared
# What the world around the file can do to us (busy, no memory, read-only, I/O error, full, …). All else is a Fault.
_PASSING = frozenset(
    (
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    )
)  # fmt: skip
WAL_TRIES = 100  # of 50 ms


class SilentBell:
    """One process holds a ledger in a file: there is nobody else to ring for."""

    def ring(self) -> None:
        """Nobody hears it."""

    async def listen(self, wake: Callable[[], None]) -> None:
        """Ends at once."""


class SqliteEngine:
    """One database file. `connect` gives the writer once, and readers as often as asked."""

    name = "sqlite"
    lanes = 1
    readers = 2

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bell = SilentBell()
        self.statements = sql.load("sqlite")
        # With the default 5 ms the writer thread waits that long for its turn after every statement while the event
        # loop is busy; 0.5 ms costs nothing measurable elsewhere.
        sys.setswitchinterval(0.0005)

    def connect(self, *, read_only: bool = False) -> SqliteConnection:
        return SqliteConnection(self, read_only=read_only)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Without it a second process would take a half-migrated ledger for one in use, and copy it as well.

        The folder is what is locked: a lock on the ledger's own file would end SQLite's locks when it is closed.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def script(self, text: str, *, record: tuple[str, str, int]) -> bool:
        """A migration: every statement of the file and its record, or nothing. The write lock keeps others out."""
        connection = self.connect()
        try:
            with connection.transaction() as tx:
                tx.run("create_migrations")
                if tx.one("find_migration", record[0]) is not None:
                    return False
                for statement in _split(text):
                    tx.raw.execute(statement)
                tx.run("record_migration", *record)
                return True
        finally:
            connection.close()

    def keep_copy(self, name: str) -> Path | None:
        """`backups/<name>.db` beside the ledger."""
        target = self.path.parent / "backups" / f"{name}.db"
        backup.copy(self.path, target)
        return target

    def size_bytes(self) -> int | None:
        return self.path.stat().st_size if self.path.exists() else None

    def close(self) -> None:
        """Nothing is held besides the connections."""


class SqliteConnection:
    """Opened lazily, and again after an error that says the old one is of no more use (a failing disk)."""

    def __init__(self, engine: SqliteEngine, *, read_only: bool) -> None:
        self.engine = engine
        self.read_only = read_only
        self._raw: sqlite3.Connection | None = None

    def _open(self) -> sqlite3.Connection:
        if self._raw is None:
            raw = sqlite3.connect(
                self.engine.path,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
                timeout=BUSY_TIMEOUT_S,
            )
            try:
                _set_up(raw, read_only=self.read_only)
            except BaseException:
                raw.close()
                raise
            self._raw = raw
        return self._raw

    @contextmanager
    def transaction(self, *, again: bool = False) -> Iterator[SqliteTransaction]:
        committing = False
        try:
            raw = self._open()
            raw.execute("BEGIN" if self.read_only else "BEGIN IMMEDIATE")
            try:
                yield SqliteTransaction(raw, self.engine.statements, again=again)
                committing = True
                raw.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except sqlite3.OperationalError as error:
            self.close()
            if (error.sqlite_errorcode & 0xFF) not in _PASSING:
                raise
            # A commit that was cut off between writing and syncing may come back at the next start.
            message = UNCERTAIN if committing else f"the ledger cannot be used now ({error}); nothing was stored"
            raise Overloaded(message, retry_after_s=2) from error

    def _roll_back(self) -> None:
        try:
            if self._raw is not None and self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        if self._raw is not None:
            raw, self._raw = self._raw, None
            raw.close()


def _set_up(raw: sqlite3.Connection, *, read_only: bool) -> None:
    # Heeded when the file is made. Documents of a kilobyte fill a page of 8 kB better than one of 4: see
    # docs/performance.md for what it gains.
    raw.execute("PRAGMA page_size=8192")
    _into_wal(raw)
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA secure_delete=ON")  # what is erased does not lie about in free pages
    raw.execute("PRAGMA wal_autocheckpoint=4000")
    raw.execute("PRAGMA cache_size=-65536" if not read_only else "PRAGMA cache_size=-16384")
    raw.execute("PRAGMA temp_store=MEMORY")
    if read_only:
        raw.execute("PRAGMA query_only=ON")


def _into_wal(raw: sqlite3.Connection) -> None:
    """Turning a fresh file to WAL does not wait for others who do the same; so it is tried until they are done."""
    for _ in range(WAL_TRIES - 1):
        try:
            raw.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.05)
    raw.execute("PRAGMA journal_mode=WAL")


class SqliteTransaction:
    """Named statements on one open transaction."""

    def __init__(self, raw: sqlite3.Connection, statements: dict[str, str], *, again: bool) -> None:
        self.raw = raw
        self.statements = statements
        self.again = again

    def one(self, name: str, *params: object) -> Row | None:
        row: Row | None = self.raw.execute(self.statements[name], params).fetchone()
        return row

    def all(self, name: str, *params: object) -> list[Row]:
        return self.raw.execute(self.statements[name], params).fetchall()

    def run(self, name: str, *params: object) -> int:
        return self.raw.execute(self.statements[name], params).rowcount

    def all_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> list[Row]:
        """A column `packed` holds all rows as one JSON array.

        Every row that is fetched gives the interpreter lock away: a thousand of them take a second while the event
        loop is busy, and one takes no longer than it takes SQLite to find them.
        """
        found: list[Row] = []
        for statement, params in self._row_sets(name, fixed, rows):
            cursor = self.raw.execute(statement, params)
            answer = cursor.fetchall()
            found += _unpack(answer[0][0]) if cursor.description[0][0] == "packed" else answer
        return found

    def run_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> int:
        return sum(
            self.raw.execute(statement, params).rowcount for statement, params in self._row_sets(name, fixed, rows)
        )

    def run_aside(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> bool:
        """There is one writer: nobody waits, and nothing is there that it has not seen."""
        return self.run_of(name, fixed, rows) == len(rows)

    def compose(self, name: str, clauses: Sequence[str], params: Sequence[object], tail: str = "") -> list[Row]:
        filters = "".join(f"\n  AND {self.statements[clause]}" for clause in clauses)
        statement = self.statements[name].replace("{filters}", filters)
        return self.raw.execute(f"{statement} {self.statements[tail] if tail else ''}", params).fetchall()

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        row = self.one("reserve", account_id, counter, count)
        assert row is not None
        return int(row[0]) - count

    def _row_sets(
        self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]
    ) -> Iterator[tuple[str, list[object]]]:
        """The statement in pieces of a few fixed sizes, each with its parameters flattened."""
        if not rows:
            return
        template, marks, leading = _row_form(self.statements[name], len(rows[0]))
        front, behind = (fixed, ()) if leading else ((), fixed)
        start = 0
        while start < len(rows):
            left = len(rows) - start
            size = next((size for size in _SIZES if size <= left), min(left, 64))
            params = [*front, *chain.from_iterable(rows[start : start + size]), *behind]
            yield _spread(template, marks, size), params
            start += size


_ROWS = re.compile(r"\{rows(?: ([^}]+))?\}")


@cache
def _row_form(statement: str, width: int) -> tuple[str, str, bool]:
    """The statement with a plain `{rows}`, the form of one row, and whether every row starts with fixed parameters:
    `{rows ?1, ?2}`. A parameter that is bound once is a quarter cheaper than one that is bound with every row."""
    found = _ROWS.search(statement)
    assert found is not None
    fixed: str | None = found[1]
    marks = ", ".join([*([fixed] if fixed else []), *["?"] * width])
    return _ROWS.sub("{rows}", statement), f"({marks})", fixed is not None


_unpack = msgspec.json.Decoder(list[tuple[Any, ...]]).decode
_spread_cache: dict[tuple[str, str, int], str] = {}
_spread_lock = threading.Lock()


def _spread(template: str, marks: str, size: int) -> str:
    key = (template, marks, size)
    text = _spread_cache.get(key)
    if text is None:
        text = template.replace("{rows}", ",".join([marks] * size))
        with _spread_lock:
            _spread_cache[key] = text
    return text


def _split(text: str) -> Iterator[str]:
    statement = ""
    for line in text.splitlines():
        if line.lstrip().startswith("--"):
            continue
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
