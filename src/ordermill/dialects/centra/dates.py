"""Dates as Centra writes them (contract A17); one that names no zone is meant in the store's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ordermill.dialects.reading import EPOCH, instant

_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def read_date(text: str, zone: ZoneInfo) -> int | None:
    """`YYYY-mm-dd`, `YYYY-mm-dd HH:MM:SS` or ISO 8601 as µs since 1970 UTC; None for anything else."""
    if not _DATE.fullmatch(text):
        return None
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
