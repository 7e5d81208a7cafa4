"""Dates as Centra writes them (contract A17); one that names no zone is meant in the store's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ordermill.dialects.reading import EPOCH, instant

CHARS = 40  # the longest of them has 35
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def read_date(text: str, zone: ZoneInfo) -> int | None:
    """`YYYY-mm-dd`, `YYYY-mm-dd HH:MM:SS` or ISO 8601 as µs since 1970 UTC; None for anything else."""
    return _read(text, zone) if len(text) <= CHARS and _DATE.fullmatch(text) else None


# Each date is asked for twice, and orders of one batch are mostly of one day.
@lru_cache(maxsize=4096)
def _read(text: str, zone: ZoneInfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        return instant(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def instant_of(text: str, zone: ZoneInfo) -> int:
    """read_date of what is known to be a date."""
    micros = read_date(text, zone)
    assert micros is not None
    return micros


def local(micros: int, zone: ZoneInfo) -> str:
    """An instant as `YYYY-MM-DD HH:MM:SS` of the store's zone (of UTC, at both ends of time)."""
    moment = EPOCH + timedelta(microseconds=micros)
    try:
        moment = moment.astimezone(zone)
    except (ValueError, OverflowError):
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
