"""A whole ledger from one engine to the other: every table, row for row, in one transaction at the target.

Ids are the same on both engines, so nothing is renamed. The target must be a fresh ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ordermill.store.engine import Engine

ROWS_AT_ONCE = 1_000
FIRST = ("account", "api_key")  # what others refer to
LEFT_OUT = ("schema_migration",)
Row = tuple[Any, ...]
Progress = Callable[[str, int], None]


class CannotMove(Exception):
    """The two ledgers are not fit for it; the message says why."""


def move(source: Engine, target: Engine, progress: Progress = lambda _table, _rows: None) -> dict[str, int]:
    """Table -> rows moved. Raises CannotMove; then the target is as it was."""
    there: Any = source.connect(read_only=True)
    here: Any = target.connect()
    try:
        with there.transaction() as reading, here.transaction() as writing:
            _take_your_time(source, reading)
            _take_your_time(target, writing)
            names = tables(source, reading)
            if set(names) != set(tables(target, writing)):
                raise CannotMove("the two ledgers do not have the same schema; run ordermill migrate on both")
            if writing.raw.execute("SELECT 1 FROM item LIMIT 1").fetchone() is not None:
                raise CannotMove("the target holds orders already; move into a fresh ledger")
            for name in reversed(names):
                writing.raw.execute(f"DELETE FROM {name}")
            moved = {name: _copy(source, target, reading, writing, name, progress) for name in names}
            for name, rows in moved.items():
                counted = writing.raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                if counted != rows:
                    raise CannotMove(f"{counted} of {rows} rows of {name} arrived")
        return moved
    finally:
        there.close()
        here.close()


def _take_your_time(engine: Engine, tx: Any) -> None:
    """Limits for requests would end a large move: a statement that counts, a source that is silent meanwhile."""
    if engine.name == "postgres":
        tx.raw.execute("SET LOCAL statement_timeout = 0")
        tx.raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


def tables(engine: Engine, tx: Any) -> list[str]:
    """All tables but the record of migrations, those that others refer to first."""
    if engine.name == "sqlite":
        select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    else:
        select = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
    names = {row[0] for row in tx.raw.execute(select).fetchall()} - set(LEFT_OUT)
    return [name for name in FIRST if name in names] + sorted(names - set(FIRST))


def _columns(engine: Engine, tx: Any, table: str) -> list[str]:
    if engine.name == "sqlite":
        return [row[1] for row in tx.raw.execute(f"PRAGMA table_info({table})").fetchall()]
    select = (
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s"
    )
    return [row[0] for row in tx.raw.execute(select, (table,)).fetchall()]


def _copy(source: Engine, target: Engine, reading: Any, writing: Any, table: str, progress: Progress) -> int:
    columns = sorted(_columns(source, reading, table))
    if columns != sorted(_columns(target, writing, table)):
        raise CannotMove(f"the table {table} is not the same in both ledgers; run ordermill migrate on both")
    names = ", ".join(columns)
    rows = 0
    for chunk in _read(source, reading, f"SELECT {names} FROM {table}"):
        _write(target, writing, table, names, chunk)
        rows += len(chunk)
        progress(table, rows)
    return rows


def _read(engine: Engine, tx: Any, select: str) -> Iterator[list[Row]]:
    """The rows in pieces: a ledger may be larger than the memory."""
    if engine.name == "sqlite":
        cursor = tx.raw.execute(select)
        while chunk := cursor.fetchmany(ROWS_AT_ONCE):
            yield chunk
        return
    with tx.raw.cursor(name="moving", binary=True) as cursor:
        cursor.execute(select)
        while chunk := cursor.fetchmany(ROWS_AT_ONCE):
            yield chunk


def _write(engine: Engine, tx: Any, table: str, names: str, rows: Sequence[Row]) -> None:
    if engine.name == "sqlite":
        marks = ", ".join("?" * len(rows[0]))
        tx.raw.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        return
    with tx.raw.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
