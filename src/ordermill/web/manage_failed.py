"""The failed orders of a batch as a file: in the form they were sent, with what was wrong beside them, page by page.

What is downloaded can be mended and sent again: members and columns that begin with `ordermill_` are ours, and every
contract passes over what it does not know.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec

from ordermill.core.batch import Batch, Item, OutcomeKind
from ordermill.core.mill import Mill
from ordermill.core.query import ItemQuery
from ordermill.dialects.reading import DECODE_ERRORS
from ordermill.web import telling
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.manage_batches import CAUSE, IN_PATH, find_batch
from ordermill.web.parameters import flag, read_query

ROWS_AT_ONCE = 500
COLUMNS_MAX = 500  # of one file; beyond, an object stays one column of JSON
CSV = "text/csv; charset=utf-8"
NDJSON = "application/x-ndjson"
BOM = b"\xef\xbb\xbf"  # without it a spreadsheet reads UTF-8 as something else
ADDED = (
    "ordermill_row", "ordermill_key", "ordermill_code", "ordermill_field", "ordermill_value", "ordermill_error",
    "ordermill_hint",
)  # fmt: skip
DOCUMENT = "ordermill_document"  # what was sent, where it is no object
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

FILTERS = (*CAUSE, flag("raw", "true: for programs, without the byte order mark and the quotes before formulas."))

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
Members = dict[str, msgspec.Raw]


class Failed:
    """The handlers."""

    def __init__(self, mill: Mill) -> None:
        self.mill = mill

    async def csv(self, request: Request) -> Reply:
        """GET /batches/{id}/failed.csv: the columns first, from a pass over all rows, then the rows."""
        asked = read_query(request.query(), FILTERS)
        batch = await find_batch(self.mill, request)
        raw = asked.get("raw", False)
        columns = Columns()
        async for items in self._pages(request, batch, asked):
            for item in items:
                columns.look_at(read_members(item))

        async def stream() -> AsyncIterator[bytes]:
            names = columns.names()
            yield b"" if raw else BOM
            yield write_rows([[*names, *ADDED]], raw)
            async for items in self._pages(request, batch, asked):
                rows = [[*columns.cells(read_members(item), names), *added(item)] for item in items]
                yield write_rows(rows, raw)

        return Reply(200, b"", CSV, (_named(batch, "csv"),), stream)

    async def ndjson(self, request: Request) -> Reply:
        """GET /batches/{id}/failed.ndjson: one order a line."""
        asked = read_query(request.query(), CAUSE)
        batch = await find_batch(self.mill, request)

        async def stream() -> AsyncIterator[bytes]:
            async for items in self._pages(request, batch, asked):
                yield b"".join(write_line(item) for item in items)

        return Reply(200, b"", NDJSON, (_named(batch, "ndjson"),), stream)

    async def _pages(self, request: Request, batch: Batch, asked: dict[str, Any]) -> AsyncIterator[tuple[Item, ...]]:
        position, more = -1, True
        while more:
            query = ItemQuery(
                batch_id=batch.id,
                outcomes=(OutcomeKind.FAILED,),
                code=asked.get("code"),
                field=asked.get("field"),
                after_position=position,
                limit=ROWS_AT_ONCE,
                with_document=True,
            )
            page = await self.mill.find_items(request.who, query)
            if page.entries:
                position = page.entries[-1].position
                yield page.entries
            more = page.more

    def calls(self) -> tuple[Call, ...]:
        file = {"Content-Disposition": "A name for the file."}
        return (
            Call(
                method="GET",
                pattern="/batches/{id}/failed.csv",
                id="downloadFailedCsv",
                tag="Batches",
                summary="The failed orders as CSV",
                description="A column for each field that was sent, an object's members as `object.member`, lists as "
                "JSON; then `ordermill_row` (from 1), `_key`, `_code`, `_field`, `_value`, `_error` and `_hint`.",
                handler=self.csv,
                path_parameters=IN_PATH,
                parameters=FILTERS,
                answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media=CSV, headers=file),),
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/batches/{id}/failed.ndjson",
                id="downloadFailedNdjson",
                tag="Batches",
                summary="The failed orders, one JSON object a line",
                description="Each as it was sent, with the members of the CSV's added columns.",
                handler=self.ndjson,
                path_parameters=IN_PATH,
                parameters=CAUSE,
                answers=(
                    Answer(status=200, sentence="The file.", body={"type": "string"}, media=NDJSON, headers=file),
                ),
                refuses=(404, 422),
            ),
        )


def _named(batch: Batch, ending: str) -> tuple[str, str]:
    return ("content-disposition", f'attachment; filename="{telling.spell_batch(batch.id)}-failed.{ending}"')


def read_members(item: Item) -> Members | str:
    """The members of the order as sent; the whole text where it is no object."""
    document = item.document or ""
    try:
        return _object.decode(document)
    except DECODE_ERRORS:
        return document


def added(item: Item) -> list[str]:
    """The cells of ADDED. An item has at least one problem; the first names the field, all of them are told."""
    first = item.problems[0] if item.problems else None
    if first is None:
        return [str(item.position + 1), item.key, "", "", "", "", ""]
    told = "; ".join(problem.told() for problem in item.problems)
    return [str(item.position + 1), item.key, first.code, first.field, first.value or "", told, first.hint]


class Columns:
    """Which columns the file has: what was sent, in the order of its first occurrence."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, None]] = {}
        self._whole: dict[str, None] = {}
        self._count = 0

    def look_at(self, members: Members | str) -> None:
        if isinstance(members, str):
            self._whole[DOCUMENT] = None
            return
        for name, raw in members.items():
            inner = _inner(raw)
            if inner is None:
                self._whole[name] = None
                self._members.setdefault(name, {})
            else:
                known = self._members.setdefault(name, {})
                self._count += len(inner.keys() - known.keys())
                known.update(dict.fromkeys(inner))

    def names(self) -> list[str]:
        names = [DOCUMENT] if DOCUMENT in self._whole else []
        for name, inner in self._members.items():
            if name in self._whole or not self._split(name):
                names.append(name)
            if self._split(name):
                names += [f"{name}.{member}" for member in inner]
        return names

    def _split(self, name: str) -> bool:
        return bool(self._members.get(name)) and self._count + len(self._members) <= COLUMNS_MAX

    def cells(self, members: Members | str, names: Sequence[str]) -> list[str]:
        """One row under `names`. A text stands as it is, everything else as its JSON."""
        found: dict[str, str] = {}
        if isinstance(members, str):
            found[DOCUMENT] = members
        else:
            for name, raw in members.items():
                inner = _inner(raw) if self._split(name) else None
                if inner is None:
                    found[name] = cell(raw)
                else:
                    found.update((f"{name}.{member}", cell(value)) for member, value in inner.items())
        return [found.get(name, "") for name in names]


def _inner(raw: msgspec.Raw) -> Members | None:
    """The members of an object that has some."""
    if bytes(raw)[:1] != b"{":
        return None
    try:
        return _object.decode(raw) or None
    except DECODE_ERRORS:
        return None


def cell(raw: msgspec.Raw) -> str:
    said = bytes(raw)
    if said == b"null":
        return ""
    if said[:1] == b'"':
        try:
            return _text.decode(said)
        except DECODE_ERRORS:
            pass
    elif said[:1] in (b"{", b"["):
        return msgspec.json.format(said, indent=-1).decode("utf-8", "replace")
    return said.decode("utf-8", "replace")


def guard(row: Sequence[str]) -> list[str]:
    """A quote before what a spreadsheet would run (OWASP, CSV injection). Numbers keep their minus."""
    return [f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text for text in row]


def _is_number(text: str) -> bool:
    digits = text[1:] if text[:1] == "-" else text
    return digits.replace(".", "", 1).isdecimal() and digits.isascii()


def write_rows(rows: Iterable[Sequence[str]], raw: bool) -> bytes:
    """CSV as RFC 4180 has it, guarded unless it is wanted raw."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows if raw else map(guard, rows))
    return out.getvalue().encode("utf-8", "replace")


def write_line(item: Item) -> bytes:
    """The order on one line, our members at its end. Numbers and texts stay byte for byte as they were sent."""
    names = dict(zip(ADDED, added(item), strict=True))
    ours = telling.encode({**names, "ordermill_row": item.position + 1})
    members = read_members(item)
    if isinstance(members, str):
        return telling.encode({DOCUMENT: members})[:-1] + b"," + ours[1:] + b"\n"
    sent = msgspec.json.format((item.document or "").encode(), indent=-1)
    if not members:
        return ours + b"\n"
    return sent[:-1] + b"," + ours[1:] + b"\n"
