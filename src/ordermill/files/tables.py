"""Tables: rows of texts out of CSV, TSV, XLSX, XLS and ODS, with their row numbers, one at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from ordermill.files import fields
from ordermill.files.sizing import refuse_too_large
from ordermill.files.sniffing import Sniffed, Unusable, spell_encoding
from ordermill.files.values import as_text

CELL_CHARS_MAX = 1_000_000
COLUMNS_MAX = 1_000
ROWS_TO_HEADER = 20
NUMERIC_ROWS = 200  # so many tell which columns a spreadsheet keeps as numbers
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
    header_row: int = 0  # where rows above the header were passed over


@contextmanager
def open_table(path: Path, sniffed: Sniffed, *, sheet: str | None = None) -> Iterator[Table]:
    """Raises Unusable for a file without a header, a sheet that is not there, or a spreadsheet that cannot be read."""
    if sniffed.kind == "spreadsheet":
        yield _open_spreadsheet(path, sniffed, sheet)
        return
    csv.field_size_limit(CELL_CHARS_MAX)
    # Five bytes mean nothing in Windows-1252; a file that is taken for it because it is no UTF-8 may have them.
    errors = "replace" if sniffed.encoding == "cp1252" else "strict"
    with open(path, "rb") as raw, io.TextIOWrapper(raw, encoding=sniffed.encoding, errors=errors, newline="") as text:
        reader = csv.reader(text, delimiter=sniffed.delimiter)
        size = max(1, sniffed.size_bytes)
        first, index = _first_rows(reader, sniffed.name)
        header = _checked(first[index][1], sniffed.name)
        rows = chain(first[index + 1 :], _csv_rows(reader, path, sniffed, first[-1]))
        above = first[index][0] if index else 0
        yield Table(header, rows, lambda: min(1.0, raw.tell() / size), header_row=above)


def _first_rows(reader: Any, name: str) -> tuple[list[Row], int]:
    """(the first rows that are not blank, which of them is the header). Raises Unusable."""
    found: list[Row] = []
    number = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((number, row))
            number = int(reader.line_num) + 1
            if len(found) == ROWS_TO_HEADER:
                break
    except (csv.Error, UnicodeError) as error:
        raise Unusable(f"{name}, near line {number}: {_said(error)}", _hint(error)) from None
    if not found:
        raise Unusable(f"{name} has no header row")
    return found, which_is_header([row for _, row in found])


def which_is_header(rows: list[list[str]]) -> int:
    """The first row, but where titles stand above the header: lines of one cell, or rows with no column's name in them.

    Rows of group names (`Ship to;;;Lines;;`) have at most half of the cells of the header below them.
    """
    names = fields.all_names()
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    known = [sum(fields.normal(cell) in names for cell in row) for row in rows]
    for index in range(1, len(rows)):
        if known[index] < 3:
            continue
        if known[0] == 0 or (filled[0] * 2 <= filled[index] and known[0] * 2 < known[index]):
            return index
    below_titles = next((index for index, cells in enumerate(filled) if cells > 1), 0)
    return below_titles if filled[below_titles] >= 3 else 0


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


def _csv_rows(reader: Any, path: Path, sniffed: Sniffed, last: Row) -> Iterator[Row]:
    """The number of a row is the line it begins on: an editor's, and but for line breaks in cells a spreadsheet's.

    `last`: the row that was read before them.
    """
    begun, number = last[0], int(reader.line_num) + 1
    try:
        for row in reader:
            if row and (row[0] or any(row)):
                yield number, row
            begun, number = number, reader.line_num + 1
    except csv.Error as error:
        raise Unusable(f"{sniffed.name}, near line {number}: {_said(error)}", _hint(error)) from None
    except UnicodeError:
        told = f"the text is not {spell_encoding(sniffed.encoding)}"
        raise Unusable(f"{sniffed.name}, near line {number}: {told}") from None
    if number - begun > 1 and _never_ends(path, sniffed, begun):
        raise Unusable(f"{sniffed.name}: the quoted text that begins in row {begun} never ends", "close its quote")


def _never_ends(path: Path, sniffed: Sniffed, number: int) -> bool:
    """Whether the last row, which has several lines, has them because a quote was not closed: it swallowed the rest."""
    with open(path, encoding=sniffed.encoding, errors="replace", newline="") as text:
        try:
            for _ in csv.reader(islice(text, number - 1, None), delimiter=sniffed.delimiter, strict=True):
                pass
        except csv.Error as error:
            return "unexpected end" in str(error)
    return False


def _said(error: Exception) -> str:
    return f"a cell has more than {CELL_CHARS_MAX:,} characters" if "field larger" in str(error) else str(error)


def _hint(error: Exception) -> str:
    return "is a quote not closed there?" if "field larger" in str(error) else ""


def _open_spreadsheet(path: Path, sniffed: Sniffed, sheet: str | None) -> Table:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise Unusable("spreadsheets cannot be read here: python-calamine is missing", "save the file as CSV") from None
    refuse_too_large(path, sniffed.name, sheet)
    try:
        book = CalamineWorkbook.from_path(str(path))
        name = sheet or book.sheet_names[0]
        if name not in book.sheet_names:
            raise Unusable(f"{sniffed.name} has no sheet {name!r}", f"it has {', '.join(book.sheet_names)}")
        cells = book.get_sheet_by_name(name)
    except Unusable:
        raise
    except Exception as error:
        raise Unusable(f"{sniffed.name} cannot be read as a spreadsheet: {error}") from None
    done = [0]
    rows = _sheet_rows(cells, done)
    top = list(islice(rows, ROWS_TO_HEADER))
    if not top:
        raise Unusable(f"{sniffed.name}, sheet {name}: there is nothing in it")
    index = which_is_header([[as_text(cell) for cell in row] for _, row in top])
    first, row = top[index]
    header = _checked([as_text(cell) for cell in row], sniffed.name)
    sample = [*top[index + 1 :], *islice(rows, NUMERIC_ROWS)]
    numeric = frozenset(
        column for column in range(len(header)) if any(isinstance(row[column], float) for _, row in sample)
    )
    texts = ((number, [as_text(cell) for cell in row]) for number, row in chain(sample, rows))
    height = cells.end[0] + 1 if cells.end else 1
    return Table(header, texts, lambda: done[0] / height, numeric, name, first if index else 0)


def _sheet_rows(cells: Any, done: list[int]) -> Iterator[tuple[int, list[Any]]]:
    """(number of the row, its cells as the sheet keeps them), blank rows left out; one at a time, as they are many."""
    before = [""] * (cells.start[1] if cells.start else 0)
    for number, row in enumerate(cells.iter_rows(), 1):
        done[0] = number
        if any(cell != "" and as_text(cell).strip() for cell in row):
            yield number, before + row
