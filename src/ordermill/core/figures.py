"""Sums that are kept while orders come in, so that an overview reads a few rows instead of counting all of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
MINUTES_KEPT = 180  # of what came in minute by minute; the hours stay


class TallyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which hours (since 1970 UTC; `until_hour` excluded), of which contract and key. None: of all."""

    since_hour: int
    until_hour: int
    dialect: str | None = None
    key_id: str | None = None


class Tally(msgspec.Struct, frozen=True):
    """What came in during one hour (of find_minutes: one minute), counted since 1970 UTC, or altogether (0)."""

    hour: int
    batches: int
    received: int
    created: int
    updated: int
    unchanged: int
    failed: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The hours in which something came in, ascending; orders in the ledger by dialect; batches not complete."""

    hours: tuple[Tally, ...]
    orders: dict[str, int]
    unfinished_batches: int
    oldest_unfinished_at: int | None

    @property
    def total(self) -> Tally:
        return sum_up(self.hours)


def sum_up(hours: Iterable[Tally]) -> Tally:
    columns = tuple(zip(*(msgspec.structs.astuple(tally)[1:] for tally in hours), strict=True))
    return Tally(0, *map(sum, columns)) if columns else Tally(0, 0, 0, 0, 0, 0, 0)
