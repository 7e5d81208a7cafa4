"""The limit: the very rows that Ordermill wrote, loaded in bulk into tables without any index, just as durable.

SQLite: executemany, one transaction a batch, WAL, synchronous=FULL. PostgreSQL: binary COPY, one transaction a batch.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg

Rows = list[tuple[Any, ...]]
Batch = dict[str, Rows]  # table -> rows

# What one batch brought, by table. A contact's identifiers belong to the order that came first with it.
OF_BATCH = {
    "orders": "SELECT * FROM orders WHERE account_id = 1 AND id >= {first} AND id < {behind}",
    "item": "SELECT * FROM item WHERE account_id = 1 AND id >= {first} AND id < {behind}",
    "contact_identifier": "SELECT * FROM contact_identifier c WHERE account_id = 1 AND contact_id IN ("
    "SELECT contact_id FROM orders WHERE account_id = 1 AND id >= {first} AND id < {behind}) AND NOT EXISTS ("
    "SELECT 1 FROM orders o WHERE o.account_id = 1 AND o.contact_id = c.contact_id AND o.id < {first})",
}


class Raw(Protocol):
    """The raw side of one store."""

    def newest(self, batches: int) -> list[Batch]:
        """The rows of the newest batches, the oldest of them first."""
        ...

    def load(self, batches: Sequence[Batch], connections: int = 1) -> list[float]:
        """Loads them, a transaction each; the seconds that each one took, the time in all as the last entry."""
        ...

    def commit_each(self, rows: Batch, count: int) -> float:
        """Orders a second when each is a transaction of its own."""
        ...

    def close(self) -> None: ...


class RawSqlite:
    """Beside the ledger's file, on the same disk."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ordermill.db"
        self.raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as ledger:
            size = ledger.execute("PRAGMA page_size").fetchone()[0]
        self.raw.execute(f"PRAGMA page_size={size}")
        for setting in ("journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={32_768_000 // size}"):
            self.raw.execute(f"PRAGMA {setting}")
        self.marks: dict[str, str] = {}

    def newest(self, batches: int) -> list[Batch]:
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as ledger:
            ids = ledger.execute("SELECT id FROM batch ORDER BY id DESC LIMIT ?", (batches,)).fetchall()
            return [
                {
                    table: ledger.execute(text.format(first=number << 24, behind=(number + 1) << 24)).fetchall()
                    for table, text in OF_BATCH.items()
                }
                for (number,) in reversed(ids)
            ]

    def _insert(self, table: str, rows: Rows) -> None:
        if not rows:
            return
        if table not in self.marks:
            self.raw.execute(f"CREATE TABLE {table} ({', '.join(f'c{n}' for n in range(len(rows[0])))})")
            self.marks[table] = f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})"
        self.raw.executemany(self.marks[table], rows)

    def load(self, batches: Sequence[Batch], connections: int = 1) -> list[float]:
        taken = []
        began = time.perf_counter()
        for batch in batches:
            started = time.perf_counter()
            self.raw.execute("BEGIN IMMEDIATE")
            for table, rows in batch.items():
                self._insert(table, rows)
            self.raw.execute("COMMIT")
            taken.append(time.perf_counter() - started)
        return [*taken, time.perf_counter() - began]

    def commit_each(self, rows: Batch, count: int) -> float:
        started = time.perf_counter()
        for number in range(count):
            self.raw.execute("BEGIN IMMEDIATE")
            for table, found in rows.items():
                self._insert(table, found[number : number + 1])
            self.raw.execute("COMMIT")
        return count / (time.perf_counter() - started)

    def close(self) -> None:
        self.raw.close()


class RawPostgres:
    """In a schema of its own in the same database."""

    CLIENTS = 16  # of the one-commit-each run

    def __init__(self, url: str) -> None:
        self.url = url
        self.types: dict[str, list[str]] = {}
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
            for table in OF_BATCH:
                connection.execute(f"CREATE TABLE IF NOT EXISTS raw.{table} (LIKE public.{table})".encode())
                found = connection.execute(
                    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass "
                    "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                    (f"raw.{table}",),
                )
                self.types[table] = [name for (name,) in found]
        self.pool = [psycopg.connect(url, autocommit=True) for _ in range(self.CLIENTS)]

    def newest(self, batches: int) -> list[Batch]:
        raw = self.pool[0]
        ids = raw.execute("SELECT id FROM batch ORDER BY id DESC LIMIT %s", (batches,)).fetchall()
        return [
            {
                table: raw.execute(text.format(first=number << 24, behind=(number + 1) << 24).encode()).fetchall()
                for table, text in OF_BATCH.items()
            }
            for (number,) in reversed(ids)
        ]

    def _copy(self, raw: psycopg.Connection[Any], batch: Batch) -> None:
        with raw.transaction():
            for table, rows in batch.items():
                with raw.cursor().copy(f"COPY raw.{table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                    copy.set_types(self.types[table])
                    for row in rows:
                        copy.write_row(row)

    def load(self, batches: Sequence[Batch], connections: int = 1) -> list[float]:
        taken: list[float] = []

        def work(raw: psycopg.Connection[Any], mine: Iterable[Batch]) -> None:
            for batch in mine:
                started = time.perf_counter()
                self._copy(raw, batch)
                taken.append(time.perf_counter() - started)

        together = self._together(work, batches, connections)
        return [*taken, together]

    def _together(self, work: Any, parts: Sequence[Any], connections: int) -> float:
        threads = [
            threading.Thread(target=work, args=(self.pool[n], parts[n::connections])) for n in range(connections)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started

    def commit_each(self, rows: Batch, count: int) -> float:
        marks = {
            table: f"INSERT INTO raw.{table} VALUES ({', '.join(f'%s::{kind}' for kind in types)})".encode()
            for table, types in self.types.items()
        }

        def work(raw: psycopg.Connection[Any], numbers: Iterable[int]) -> None:
            for number in numbers:
                with raw.transaction():
                    for table, found in rows.items():
                        if found[number : number + 1]:
                            raw.execute(marks[table], found[number])

        return count / self._together(work, range(count), self.CLIENTS)

    def close(self) -> None:
        for raw in self.pool:
            raw.close()
