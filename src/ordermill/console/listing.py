"""What every list page does the same way: filters out of the address, keyset paging, what came since, twins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from ordermill.console.formats import SECOND
from ordermill.console.visit import EXPORT_MAX, Visit
from ordermill.core.errors import Invalid

T = TypeVar("T")
PAGE = 50
TWIN_PAGE = 500


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Where a list stands. `after`: the id it continues behind. `until`: the newest id it shows; newer ones wait.

    `following`: the link to the next page. `newer`: how many have come since, and the link that shows them.
    """

    after: int | None = None
    until: int | None = None
    following: str | None = None
    newer: int = 0
    newest: str = ""
    first: bool = True


class Column(msgspec.Struct, frozen=True):
    """A column of the twins: its name and how it is read from an entry."""

    name: str
    read: Callable[[Any], Any]


def word(visit: Visit, name: str, words: Sequence[str]) -> str | None:
    """A filter that may be one of some words. Raises Invalid, saying which."""
    said = visit.query.get(name)
    if said is not None and said not in words:
        raise Invalid(f"The filter {name} cannot be {said[:60]!r}.", hint=f"It may be {', '.join(words)}.")
    return said


def day(visit: Visit, name: str, *, end: bool = False) -> int | None:
    """A filter that is a date (or a date and a time) in the chosen zone, as an instant. Raises Invalid."""
    said = visit.query.get(name)
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise Invalid(f"The filter {name} must be a date.", hint="Write it as 2026-11-20.") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=visit.zone)
    if end and len(said) == 10:
        at += timedelta(days=1)
    return int(at.timestamp()) * SECOND - (0 if end else 1)


async def twin(
    visit: Visit,
    name: str,
    columns: Sequence[Column],
    fetch: Callable[[int | None, int], Awaitable[tuple[Sequence[T], int | None]]],
) -> Response:
    """The list as JSON (one page and the link of the next) or as CSV (all pages, within the limit).

    `fetch(after, limit)` gives entries and the `after` of the next page, None on the last.
    """
    if visit.twin == "json":
        entries, following = await fetch(visit.number("after"), PAGE)
        told: list[Mapping[str, Any]] = [{c.name: c.read(entry) for c in columns} for entry in entries]
        path = visit.path
        return visit.json(told, None if following is None else visit.link(path, {**visit.query, "after": following}))

    async def rows() -> AsyncIterator[Sequence[Any]]:
        after: int | None = None
        given = 0
        while given < EXPORT_MAX:
            entries, following = await fetch(after, TWIN_PAGE)
            for entry in entries:
                yield [c.read(entry) for c in columns]
            given += len(entries)
            if following is None:
                return
            after = following

    return visit.csv(name, [c.name for c in columns], rows())


async def paging(
    visit: Visit, ids: Sequence[int], following: int | None, count_newer: Callable[[int], Awaitable[int]] | None = None
) -> Paging:
    """The links around a page whose entries have these ids, newest first."""
    after = visit.number("after")
    first = after is None
    until = visit.number("until") if first else None
    newer = 0
    if first and until is not None and count_newer is not None:
        newer = await count_newer(until)
    top = until if until is not None else (max(ids) if ids else 0)
    return Paging(
        after=after,
        until=top if first else None,
        following=None if following is None else visit.here(after=following, until=None),
        newer=newer,
        newest=visit.here(after=None, until=None),
        first=first,
    )
