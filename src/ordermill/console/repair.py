"""The downloaded failed rows, mended and sent back: each changed cell goes into the order as it was first sent.

What was not touched stays as it was, byte for byte; what was a number stays one as long as the new cell is a number.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec

from ordermill.core.batch import Batch, Item, OutcomeKind, Sender
from ordermill.core.errors import Invalid, TooMany
from ordermill.core.mill import Mill
from ordermill.core.query import ItemQuery
from ordermill.web.manage_failed import DOCUMENT, Members, cell, guard, read_members

ROWS_MAX = 10_000
OURS = "ordermill_"
ROW = "ordermill_row"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def read_fixed(mill: Mill, sender: Sender, batch: Batch, content: bytes) -> dict[str, bytes]:
    """Key -> mended order, of every row that names a failed order of the batch. Raises Invalid, TooMany."""
    wanted = read_rows(content)
    found: dict[str, bytes] = {}
    position, more = -1, True
    while more and len(found) < len(wanted):
        query = ItemQuery(
            batch_id=batch.id, outcomes=(OutcomeKind.FAILED,), after_position=position, limit=500, with_document=True
        )
        page = await mill.find_items(sender, query)
        for item in page.entries:
            row = wanted.get(item.position + 1)
            if row is not None:
                found[item.key] = mend(item, row)
            position = item.position
        more = page.more
    return found


def read_rows(content: bytes) -> dict[int, dict[str, str]]:
    """Row number -> cells by column. Raises Invalid where the file is not one that was downloaded here."""
    text = _decode(content)
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows: dict[int, dict[str, str]] = {}
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        if ROW not in (reader.fieldnames or ()):
            raise Invalid(
                f"This file has no column {ROW}.",
                hint="Download the failed rows of this batch, mend them, keep all columns; other files go to Import.",
            )
        for line in reader:
            number = (line.get(ROW) or "").strip().removesuffix(".0")
            if not number:
                continue
            if not number.isdecimal() or None in line:
                raise Invalid(f"Line {reader.line_num} cannot be read.", hint="Keep the columns as they were.")
            rows[int(number)] = {name: unguard(value or "") for name, value in line.items() if name}
            if len(rows) > ROWS_MAX:
                raise TooMany(f"At most {ROWS_MAX} rows can be sent again at once.")
    except csv.Error as error:
        raise Invalid(f"The file cannot be read as CSV: {error}.", hint="Save it as CSV (UTF-8).") from None
    return rows


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def unguard(text: str) -> str:
    """Takes back the quote that keeps a spreadsheet from running a cell."""
    return text[1:] if text.startswith("'") and text[1:2] in _FORMULA else text


def mend(item: Item, row: dict[str, str]) -> bytes:
    """The order as sent, with the cells that differ from what was downloaded."""
    members = read_members(item)
    if isinstance(members, str):
        return _document(row.get(DOCUMENT, members))
    mended: dict[str, Any] = dict(members)
    for name, text in row.items():
        if not name.startswith(OURS):
            _put(mended, name, text)
    return msgspec.json.encode(mended)


def _document(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError:
        return msgspec.json.encode(text)
    return text.encode()


def _put(members: dict[str, Any], name: str, text: str) -> None:
    """One cell. `a.b` is the member b of the object a, unless there is a member of that very name."""
    if name not in members and "." in name:
        outer, _, inner = name.partition(".")
        held = members.get(outer)
        object_ = held if isinstance(held, dict) else _members(held)
        if object_ is not None or text:
            object_ = {} if object_ is None else object_
            _put(object_, inner, text)
            members[outer] = object_
        return
    before = members.get(name)
    shown = "" if before is None else cell(before) if isinstance(before, msgspec.Raw) else str(before)
    if text in (shown, guard([shown])[0]) or text == unguard(shown):
        return
    if not text:
        members.pop(name, None)
        return
    members[name] = _typed(text, before)


def _members(raw: Any) -> Members | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw]) if raw is not None else None
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _typed(text: str, before: Any) -> Any:
    """A text where a text was; JSON where JSON was, as long as the cell still is some."""
    was = bytes(before)[:1] if isinstance(before, msgspec.Raw) else b""
    if was == b'"' or (was == b"" and text[:1] not in "[{"):
        return text
    try:
        json.loads(text)
    except ValueError:
        return text
    return msgspec.Raw(text.encode())
