"""The failed orders of an import as a file to mend: the original columns untouched and in order, ours behind them.

What is ours begins with `ordermill_` and is passed over when the file is imported again. Orders that came as JSON are
given back as NDJSON, likewise.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ordermill.core.batch import Item, Problem
from ordermill.files import fields
from ordermill.files.making import ROWS
from ordermill.files.values import neutral

ADDED = (
    "ordermill_row", "ordermill_code", "ordermill_field", "ordermill_value", "ordermill_error", "ordermill_hint",
)  # fmt: skip
BOM = "\ufeff"  # without it the most used spreadsheet takes UTF-8 for something else


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known of the file: its columns and their fields, its delimiter, the contract it went in as."""

    header: tuple[str, ...] = ()
    paths: dict[str, str] = {}
    delimiter: str = ","
    contract: str = ""

    def column(self, contract_path: str) -> str:
        """The column that a contract's field was read from; the field itself where there is none."""
        ours = fields.our_path(self.contract, contract_path)
        if ours is None:
            return contract_path
        for path in (ours, f"{ours.rpartition('.')[0]}.first_name" if ours.endswith(".name") else ours):
            if path in self.paths:
                return self.paths[path]
        if ours.startswith("ship_to.") and ours.rpartition(".")[2] in ("email", "phone"):
            return self.paths.get(f"identifiers.{ours.rpartition('.')[2]}", contract_path)
        return contract_path


class _Kept(msgspec.Struct):
    ordermill_rows: list[tuple[int, list[str]]] = []


_kept = msgspec.json.Decoder(_Kept)
_encode = msgspec.json.encode


def rows_of(document: str | None) -> list[tuple[int, list[str]]]:
    """The rows that a failed order's document keeps."""
    if not document or ROWS not in document:
        return []
    try:
        return _kept.decode(document).ordermill_rows
    except msgspec.DecodeError:
        return []


def write_header(origin: Origin, *, raw: bool = False) -> bytes:
    header = [name for name in origin.header if not name.startswith("ordermill_")]
    return (BOM + _line(header if raw else list(map(neutral, header)), ADDED, origin.delimiter)).encode()


def write_item(item: Item, origin: Origin, *, raw: bool = False) -> bytes:
    """The rows of one failed order. Each row has the problems of its line, the first one those of the order as well."""
    rows = rows_of(item.document)
    ours = [place for place, name in enumerate(origin.header) if name.startswith("ordermill_")]
    placed = _by_row(item.problems, len(rows))
    text = []
    for index, (number, cells) in enumerate(rows):
        kept = [cell for place, cell in enumerate(cells) if place not in ours] if ours else list(cells)
        width = len(origin.header) - len(ours)
        kept += [""] * (width - len(kept))
        if not raw:
            kept = [neutral(cell) for cell in kept]
        text.append(_line(kept[:width], _told(number, placed[index], origin), origin.delimiter))
    return "".join(text).encode("utf-8", "replace")


def _by_row(problems: Sequence[Problem], rows: int) -> list[list[Problem]]:
    placed: list[list[Problem]] = [[] for _ in range(max(1, rows))]
    for problem in problems:
        line = fields.line_index(problem.field) or 0
        placed[line if line < rows else 0].append(problem)
    return placed


def _told(number: int, problems: Sequence[Problem], origin: Origin) -> list[str]:
    if not problems:
        return [str(number), "", "", "", "", ""]
    return [
        str(number),
        " | ".join(dict.fromkeys(problem.code for problem in problems)),
        " | ".join(dict.fromkeys(origin.column(problem.field) for problem in problems)),
        neutral(" | ".join(problem.value or "" for problem in problems)),
        neutral(" | ".join(_sentence(problem, origin) for problem in problems)),
        neutral(" | ".join(dict.fromkeys(problem.hint for problem in problems if problem.hint))),
    ]


def _sentence(problem: Problem, origin: Origin) -> str:
    return problem.told(origin.column(problem.field) if problem.field else "")


def _line(cells: Sequence[str], ours: Iterable[str], delimiter: str) -> str:
    """Every cell quoted: spreadsheets that can be told to take quoted cells for texts leave them as they are."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter or ",", quoting=csv.QUOTE_ALL).writerow([*cells, *ours])
    return out.getvalue()


def write_document(item: Item) -> bytes:
    """A failed order that came as JSON: as it was sent, our members at its end, on one line."""
    first = item.problems[0] if item.problems else Problem(code="", message="")
    ours: dict[str, Any] = dict(
        zip(
            ADDED,
            (
                int(item.key) if item.key.isdecimal() else item.position + 1,
                first.code,
                first.field,
                first.value or "",
                " | ".join(p.told() for p in item.problems),
                first.hint,
            ),
            strict=True,
        )
    )
    document = (item.document or "").encode()
    try:
        sent = msgspec.json.format(document, indent=-1)
    except msgspec.DecodeError:
        return _encode({"ordermill_document": item.document, **ours}) + b"\n"
    if not sent.startswith(b"{"):
        return _encode({"ordermill_document": item.document, **ours}) + b"\n"
    return sent[:-1] + (b"," if sent != b"{}" else b"") + _encode(ours)[1:] + b"\n"
