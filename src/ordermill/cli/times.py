"""`--since 24h`, `--since 2026-11-19`: points in time as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ordermill.cli.options import fail

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(said: str | None, now: datetime | None = None) -> str | None:
    """ISO 8601 for the API. Ends with exit code 2 for what is no point in time."""
    if said is None:
        return None
    found = re.fullmatch(r"(\d+)\s*([smhdw])", said.strip().lower())
    if found:
        past = (now or datetime.now(UTC)) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        return past.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        read = datetime.fromisoformat(said.strip())
    except ValueError:
        fail(f"{said!r} is no point in time; say 24h, 7d, 2026-11-19 or 2026-11-19T08:00", 2)
    if read.tzinfo is None:
        read = read.replace(tzinfo=UTC)
    return read.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
