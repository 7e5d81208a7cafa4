"""PostgreSQL through psycopg 3: row sets travel as arrays, one statement each, in binary form.

A lane is a thread with a connection. Deadlocks and lost races come back as Collided and are run again; a lost
connection is an Overloaded: the client is told to come back, and nothing is half there.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from ordermill.core.errors import Invalid, Overloaded
from ordermill.store import sql
from ordermill.store.engine import UNCERTAIN, Collided, Row
from ordermill.store.postgres.arrays import COLUMNS, register
from ordermill.store.postgres.bell import PostgresBell

LOCK_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60
IDLE_TIMEOUT_S = 20  # a process that is stopped in mid-transaction does not hold its locks for ever
# What libpq is told where the URL says nothing: a server that is gone without a word is noticed within half a minute.
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "ordermill",
}
_ARRAY = re.compile(r"\?(?=::(\w+)\[\])")
# Connection lost, out of resources, shut down by an operator, system error; a lock or an idle timeout; a server that
# has become read-only. What else the server says against a statement is a Fault.
_PASSING_CLASSES = ("08", "53", "57", "58")
_PASSING = ("55P03", "25P03", "25006")
_RACES = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)


class PostgresEngine:
    """One database, as many connections as there are lanes and readers, and one aside."""

    name = "postgres"

    def __init__(self, url: str, *, lanes: int = 4, readers: int = 4) -> None:
        self.url = url
        self.lanes = lanes
        self.readers = readers
        # psycopg marks parameters with %s; the files mark them with ?, as SQLite does. Arrays travel in binary (%b):
        # as text, each of their elements goes through a regular expression, at sixty times the cost for a document.
        texts = sql.load("postgres")
        self.statements = {
            name: _ARRAY.sub("%b", text.replace("%", "%%")).replace("?", "%s") for name, text in texts.items()
        }
        self.columns = {name: [COLUMNS[kind] for kind in _ARRAY.findall(text)] for name, text in texts.items()}
        try:
            self._conninfo = {**_DEFAULTS, **conninfo_to_dict(url)}
        except psycopg.ProgrammingError:  # not told on: it repeats what it could not read, the password among it
            raise Invalid("the database URL cannot be read: postgresql://user:password@host:5432/name") from None
        self.bell = PostgresBell(self)
        self._side: psycopg.Connection[Row] | None = None
        self._side_lock = threading.Lock()

    def connect(self, *, read_only: bool = False) -> PostgresConnection:
        return PostgresConnection(self, read_only=read_only)

    def open(self) -> psycopg.Connection[Row]:
        """A new connection; transactions are begun and ended by hand."""
        raw = psycopg.connect("", autocommit=True, **self._conninfo)
        try:
            register(raw.adapters)
            raw.execute(
                f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'; SET statement_timeout = '{STATEMENT_TIMEOUT_S}s'; "
                f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'".encode()
            )
        except BaseException:
            raw.close()
            raise
        return raw

    async def open_async(self) -> psycopg.AsyncConnection[Row]:
        """A new connection for who waits on the event loop, in autocommit."""
        return await psycopg.AsyncConnection.connect("", autocommit=True, **self._conninfo)

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        """A transaction that fails leaves a gap, never a repeat."""
        row = self._aside(self.statements["reserve"], (account_id, counter, count)).fetchone()
        assert row is not None
        return int(row[0]) - count

    def run_aside(self, name: str, params: Sequence[Any]) -> bool:
        try:
            self._aside(self.statements[name], params)
        except errors.UniqueViolation:
            return False
        return True

    def notify(self, channel: str) -> None:
        """Wakes who listens on the channel, in whichever process."""
        self._aside("SELECT pg_notify(%s, '')", (channel,))

    def _aside(self, text: str, params: Sequence[Any]) -> psycopg.Cursor[Row]:
        """Commits at once and does not wait for the disk: the log is written in order, so what a durable row speaks of
        is durable as well."""
        with self._side_lock:
            if self._side is not None:
                try:
                    return self._side.execute(text.encode(), params, binary=True)
                except (psycopg.OperationalError, psycopg.InterfaceError):  # lost while idle: one more try
                    self._drop_side()
            self._side = self.open()
            try:
                self._side.execute("SET synchronous_commit = off")
                return self._side.execute(text.encode(), params, binary=True)
            except BaseException:
                self._drop_side()
                raise

    def _drop_side(self) -> None:
        if self._side is not None:
            raw, self._side = self._side, None
            raw.close()

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def script(self, text: str, *, record: tuple[str, str, int]) -> bool:
        """A migration, under an advisory lock, so that two processes that start together do not both apply it."""
        number = int.from_bytes(hashlib.sha256(b"ordermill.schema").digest()[:8], "big", signed=True)
        try:
            with self.open() as raw:
                raw.execute("SET statement_timeout = 0; SET lock_timeout = 0")
                with raw.transaction():
                    raw.execute("SELECT pg_advisory_xact_lock(%s)", (number,))
                    raw.execute(self.statements["create_migrations"].encode())
                    if raw.execute(self.statements["find_migration"].encode(), record[:1]).fetchone() is not None:
                        return False
                    raw.execute(text.encode())
                    raw.execute(self.statements["record_migration"].encode(), record)
                    return True
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not _passing(error):
                raise
            raise Overloaded("the database cannot be reached now", retry_after_s=2) from error

    def keep_copy(self, name: str) -> Path | None:
        """None: pg_dump and base backups are the operator's."""
        return None

    def size_bytes(self) -> int | None:
        with self.open() as raw:
            row = raw.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(row[0]) if row else None

    def close(self) -> None:
        with self._side_lock:
            self._drop_side()


class PostgresConnection:
    """Opened lazily, and again when it was lost."""

    def __init__(self, engine: PostgresEngine, *, read_only: bool) -> None:
        self.engine = engine
        self.read_only = read_only
        self._raw: psycopg.Connection[Row] | None = None

    def _begin(self) -> psycopg.Connection[Row]:
        """A connection with an open transaction. One that was lost while idle is replaced without a word."""
        # Readers see one instant through all statements of a verb, as they do on SQLite.
        begin = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.read_only else b"BEGIN"
        if self._raw is not None and not self._raw.closed:
            try:
                self._raw.execute(begin)
                return self._raw
            except psycopg.OperationalError:
                pass
        self.close()
        self._raw = self.engine.open()
        self._raw.execute(begin)
        return self._raw

    @contextmanager
    def transaction(self, *, again: bool = False) -> Iterator[PostgresTransaction]:
        committing = False
        try:
            raw = self._begin()
            try:
                yield PostgresTransaction(raw, self.engine, again=again)
                committing = True
                raw.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except _RACES as error:
            raise Collided(str(error)) from error
        except psycopg.Error as error:
            if not (_passing(error) or (self._raw is not None and self._raw.closed)):
                raise
            self.close()
            message = UNCERTAIN if committing else "the database cannot be used now; nothing was stored"
            raise Overloaded(message, retry_after_s=2) from error

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

    def __init__(self, raw: psycopg.Connection[Row], engine: PostgresEngine, *, again: bool) -> None:
        self.raw = raw
        self.engine = engine
        self.again = again
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
        return self._execute(self.statements[name], self._params(name, rows, fixed)).fetchall()

    def run_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        return self._execute(self.statements[name], self._params(name, rows, fixed)).rowcount

    def run_aside(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> bool:
        return self.engine.run_aside(name, self._params(name, rows, fixed))

    def _params(self, name: str, rows: Sequence[Row], fixed: tuple[object, ...]) -> list[Any]:
        kinds = self.engine.columns[name]
        return [*(kind(values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)), *fixed]

    def compose(self, name: str, clauses: Sequence[str], params: Sequence[object], tail: str = "") -> list[Row]:
        filters = "".join(f"\n  AND {self.statements[clause]}" for clause in clauses)
        statement = self.statements[name].replace("{filters}", filters)
        return self._execute(f"{statement} {self.statements[tail] if tail else ''}", params).fetchall()

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        return self.engine.reserve(account_id, counter, count)


def _passing(error: psycopg.Error) -> bool:
    """Whether the trouble lies around us and may be gone in a moment. Without a code it comes from the connection."""
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code.startswith(_PASSING_CLASSES) or code in _PASSING
