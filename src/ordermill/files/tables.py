"""Tables: rows of texts out of CSV, TSV, XLSX, XLS and ODS, with their row numbers, one at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ordermill.files.sniffing import Sniffed, Unusable, spell_encoding
from ordermill.files.values import as_text

CELL_CHARS_MAX = 1_000_000
COLUMNS_MAX = 1_000
OURS = "ordermill_"  # columns that begin so were added by us and are passed over

Row = tuple[int, list[str]]


class Table(msgspec.Struct):
    """An open table. `rows` gives (row number as a spreadsheet counts, cells) behind the header, blank rows left out.

    `progress()`: how much of the file was read, 0 to 1. `numeric`: columns whose cells a spreadsheet keeps as numbers.
    """

    header: list[str]
    rows: Iterator[Row]
    progress: Any
    numeric: frozenset[int] = frozenset()
    sheet: str = ""


@contextmanager
def open_table(path: Path, sniffed: Sniffed, *, sheet: str | None = None) -> Iterator[Table]:
    """Raises Unusable for a file without a header, a sheet that is not there, or a spreadsheet that cannot be read."""
    if sniffed.kind == "spreadsheet":
        yield _open_spreadsheet(path, sheet)
        return
    csv.field_size_limit(CELL_CHARS_MAX)
    # Five bytes mean nothing in Windows-1252; a file that is taken for it because it is no UTF-8 may have them.
    errors = "replace" if sniffed.encoding == "cp1252" else "strict"
    with open(path, "rb") as raw, io.TextIOWrapper(raw, encoding=sniffed.encoding, errors=errors, newline="") as text:
        reader = csv.reader(text, delimiter=sniffed.delimiter)
        size = max(1, sniffed.size_bytes)
        header, start = _find_header(reader, path.name)
        yield Table(header, _csv_rows(reader, sniffed.encoding, path.name, start), lambda: min(1.0, raw.tell() / size))


def _find_header(reader: Any, name: str) -> tuple[list[str], int]:
    """The first row that is not blank. Raises Unusable where it looks like data."""
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                return _checked(row, name), int(reader.line_num)
    except (csv.Error, UnicodeError) as error:
        raise Unusable(f"{name}: {error}") from None
    raise Unusable(f"{name} has no header row")


def _checked(row: list[str], name: str) -> list[str]:
    header = [cell.strip().lstrip("\ufeff") for cell in row]
    while header and not header[-1]:
        header.pop()
    if len(header) > COLUMNS_MAX:
        raise Unusable(f"{name} has {len(header)} columns, at most {COLUMNS_MAX} are read")
    if not any(any(char.isalpha() for char in cell) for cell in header):
        raise Unusable(
            f"{name} seems to have no header row: the first row is {', '.join(header[:4])}…",
            "put the column names into the first row",
        )
    return header


def _csv_rows(reader: Any, encoding: str, name: str, start: int) -> Iterator[Row]:
    """The number of a row is the line it begins on: an editor's, and but for line breaks in cells a spreadsheet's."""
    number = start + 1
    try:
        for row in reader:
            if row and (row[0] or any(row)):
                yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        raise Unusable(f"{name}, near line {number}: {error}") from None
    except UnicodeError:
        raise Unusable(f"{name}, near line {number}: the text is not {spell_encoding(encoding)}") from None


def _open_spreadsheet(path: Path, sheet: str | None) -> Table:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise Unusable("spreadsheets cannot be read here: python-calamine is missing", "save the file as CSV") from None
    try:
        book = CalamineWorkbook.from_path(str(path))
        name = sheet or book.sheet_names[0]
        if name not in book.sheet_names:
            raise Unusable(f"{path.name} has no sheet {name!r}", f"it has {', '.join(book.sheet_names)}")
        cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"{path.name} cannot be read as a spreadsheet: {error}") from None
    first = next((index for index, row in enumerate(cells) if any(as_text(cell).strip() for cell in row)), None)
    if first is None:
        raise Unusable(f"{path.name}, sheet {name}: there is nothing in it")
    header = _checked([as_text(cell) for cell in cells[first]], path.name)
    numeric = frozenset(
        column for column in range(len(header))
        if any(isinstance(row[column], float) for row in cells[first + 1 : first + 201] if column < len(row))
    )  # fmt: skip
    done = [0]
    return Table(header, _sheet_rows(cells, first, done), lambda: done[0] / max(1, len(cells)), numeric, name)


def _sheet_rows(cells: list[list[Any]], first: int, done: list[int]) -> Iterator[Row]:
    for index in range(first + 1, len(cells)):
        row = [as_text(cell) for cell in cells[index]]
        done[0] = index + 1
        cells[index] = []
        if any(row):
            yield index + 1, row
