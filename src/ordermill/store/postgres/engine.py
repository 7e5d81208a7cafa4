"""PostgreSQL through psycopg 3: row sets travel as arrays, one statement each, in binary form.

A lane is a thread with a connection. Deadlocks and lost races come back as Collided and are run again; a lost
connection is an Overloaded: the client is told to come back, and nothing is half there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from ordermill.core.errors import Overloaded
from ordermill.store import sql
from ordermill.store.engine import Collided, Row

_RACES = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)


class PostgresEngine:
    """One database, as many connections as there are lanes and readers, and one for numbers."""

    name = "postgres"

    def __init__(self, url: str, *, lanes: int = 4, readers: int = 4) -> None:
        self.url = url
        self.lanes = lanes
        self.readers = readers
        # psycopg marks parameters with %s; the files mark them with ?, as SQLite does.
        self.statements = {
            name: text.replace("%", "%%").replace("?", "%s") for name, text in sql.load("postgres").items()
        }
        self._numbers: psycopg.Connection[Row] | None = None
        self._numbers_lock = threading.Lock()

    def connect(self, *, read_only: bool = False) -> PostgresConnection:
        return PostgresConnection(self, read_only=read_only)

    def open(self, *, autocommit: bool) -> psycopg.Connection[Row]:
        return psycopg.connect(self.url, autocommit=autocommit, connect_timeout=5, application_name="ordermill")

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        """Commits at once and does not wait for the disk: the log is written in order, so a number that a durable row
        carries is durable as well. A transaction that fails leaves a gap, never a repeat."""
        with self._numbers_lock:
            for attempt in (1, 2):
                try:
                    if self._numbers is None or self._numbers.closed:
                        self._numbers = self.open(autocommit=True)
                        self._numbers.execute("SET synchronous_commit = off")
                    row = self._numbers.execute(
                        self.statements["reserve"].encode(), (account_id, counter, count), binary=True
                    ).fetchone()
                    assert row is not None
                    return int(row[0]) - count
                except psycopg.OperationalError:
                    if self._numbers is not None:
                        self._numbers.close()
                    if attempt == 2:
                        raise
        raise AssertionError("unreachable")

    def script(self, text: str, *, record: tuple[str, str, int]) -> None:
        """A migration, under an advisory lock, so that two processes that start together do not both apply it."""
        with self.open(autocommit=False) as raw:
            number = int.from_bytes(hashlib.sha256(b"ordermill.schema").digest()[:8], "big", signed=True)
            raw.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
            known = raw.execute("SELECT 1 FROM schema_migration WHERE version = %s", (record[0],)).fetchone()
            if known is None:
                raw.execute(text.encode())
                raw.execute(self.statements["record_migration"].encode(), record)

    def size_bytes(self) -> int | None:
        with self.open(autocommit=True) as raw:
            row = raw.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(row[0]) if row else None


class PostgresConnection:
    """Opened lazily, and again when it was lost."""

    def __init__(self, engine: PostgresEngine, *, read_only: bool) -> None:
        self.engine = engine
        self.read_only = read_only
        self._raw: psycopg.Connection[Row] | None = None

    def _begin(self) -> psycopg.Connection[Row]:
        """A connection with an open transaction. One that was lost while idle is replaced without a word."""
        if self._raw is not None and not self._raw.closed:
            try:
                self._raw.execute("BEGIN")
                return self._raw
            except psycopg.OperationalError:
                self.close()
        self._raw = self.engine.open(autocommit=True)
        self._raw.execute("BEGIN READ ONLY" if self.read_only else "BEGIN")
        return self._raw

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        try:
            raw = self._begin()
            try:
                yield PostgresTransaction(raw, self.engine)
                raw.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except _RACES as error:
            raise Collided(str(error)) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise Overloaded("the database cannot be reached now; nothing was stored", retry_after_s=2) from error

    def _roll_back(self) -> None:
        try:
            if self._raw is not None and not self._raw.closed:
                self._raw.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        if self._raw is not None:
            raw, self._raw = self._raw, None
            raw.close()


class PostgresTransaction:
    """Named statements on one open transaction. A set of rows becomes an array a column, before fixed parameters."""

    def __init__(self, raw: psycopg.Connection[Row], engine: PostgresEngine) -> None:
        self.raw = raw
        self.engine = engine
        self.statements = engine.statements

    def _execute(self, text: str, params: Sequence[Any]) -> psycopg.Cursor[Row]:
        return self.raw.execute(text.encode(), params, binary=True)

    def one(self, name: str, *params: object) -> Row | None:
        return self._execute(self.statements[name], params).fetchone()

    def all(self, name: str, *params: object) -> list[Row]:
        return self._execute(self.statements[name], params).fetchall()

    def run(self, name: str, *params: object) -> int:
        return self._execute(self.statements[name], params).rowcount

    def all_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> list[Row]:
        if not rows:
            return []
        return self._execute(self.statements[name], [*_columns(rows), *fixed]).fetchall()

    def run_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        return self._execute(self.statements[name], [*_columns(rows), *fixed]).rowcount

    def compose(self, name: str, clauses: Sequence[str], params: Sequence[object], tail: str = "") -> list[Row]:
        filters = "".join(f"\n  AND {self.statements[clause]}" for clause in clauses)
        statement = self.statements[name].replace("{filters}", filters)
        return self._execute(f"{statement} {self.statements[tail] if tail else ''}", params).fetchall()

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        return self.engine.reserve(account_id, counter, count)


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
