"""Rows that belong together: consecutive rows with one reference are one order with several lines."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ordermill.files.mapping import Column
from ordermill.files.tables import Row


class Entry(msgspec.Struct, gc=False):
    """The rows of one order. `scattered`: an earlier order of the file had the same reference."""

    reference: str
    rows: list[Row]
    scattered: bool = False

    @property
    def key(self) -> str:
        """The number of its first row."""
        return str(self.rows[0][0])


class Places(msgspec.Struct, frozen=True):
    """Where in a row the columns stand that grouping looks at. -1: there is none."""

    reference: int
    updated_at: int
    head: tuple[int, ...]
    lines: tuple[int, ...]


def places(columns: Sequence[Column]) -> Places:
    by_path = {column.path: column.index for column in columns if column.path}
    return Places(
        reference=by_path.get("reference", -1),
        updated_at=by_path.get("updated_at", -1),
        head=tuple(c.index for c in columns if c.path and not c.path.startswith("lines.") and c.path != "reference"),
        lines=tuple(column.index for column in columns if column.path.startswith("lines.")),
    )


def adjacent(rows: Iterable[Row], where: Places) -> Iterator[Entry]:
    """Orders in the order of the file. Memory: one order, and a number for every reference met so far."""
    seen: set[int] = set()
    versions = where.updated_at >= 0  # a later row of the same reference may be a newer version
    current: Entry | None = None
    for row in rows:
        cells = row[1]
        reference = cells[where.reference].strip() if 0 <= where.reference < len(cells) else ""
        if current is not None and _continues(current, reference, cells, where):
            current.rows.append(row)
            continue
        if current is not None:
            yield current
        mark = hash(reference)
        current = Entry(reference, [row], bool(reference) and not versions and mark in seen)
        seen.add(mark)
    if current is not None:
        yield current


def _continues(current: Entry, reference: str, cells: list[str], where: Places) -> bool:
    if not where.lines:
        return False
    if reference != current.reference or not reference:
        return not reference and current.reference != "" and all(_blank(cells, index) for index in where.head)
    if where.updated_at >= 0 and where.updated_at < len(cells):
        first = current.rows[0][1]
        before = first[where.updated_at] if where.updated_at < len(first) else ""
        return not cells[where.updated_at].strip() or cells[where.updated_at] == before
    return True


def _blank(cells: list[str], index: int) -> bool:
    return index >= len(cells) or not cells[index].strip()


def anywhere(rows: Iterable[Row], where: Places) -> Iterator[Entry]:
    """The same when rows of one order stand apart: sorted on disk first, so that memory stays bounded."""
    with tempfile.NamedTemporaryFile(prefix="ordermill-group-") as file:
        db = sqlite3.connect(file.name, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=OFF")
            db.execute("PRAGMA synchronous=OFF")
            db.execute("CREATE TABLE line (number INTEGER PRIMARY KEY, reference TEXT, cells BLOB)")
            db.execute("BEGIN")
            pack = msgspec.msgpack.encode
            db.executemany(
                "INSERT INTO line VALUES (?, ?, ?)",
                (
                    (number, cells[where.reference].strip() if where.reference < len(cells) else "", pack(cells))
                    for number, cells in rows
                ),
            )
            db.execute("CREATE INDEX line_reference ON line (reference, number)")
            found = db.execute(
                "SELECT l.number, l.cells FROM (SELECT reference, min(number) AS first FROM line GROUP BY reference) g"
                " JOIN line l ON l.reference = g.reference ORDER BY g.first, l.number"
            )
            unpack = msgspec.msgpack.Decoder(list[str]).decode
            yield from adjacent(((number, unpack(cells)) for number, cells in found), where)
        finally:
            db.close()
