"""How numbers, instants, spans and sizes look to people. UTC and plain numbers always stay in the markup."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

NARROW = "\u202f"  # groups digits without breaking the line
SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINE = re.compile(r"^line([12])$")
_TICKED = re.compile("`([^`\n]+)`")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def server_zone() -> str:
    """The name of the machine's zone, UTC where it cannot be told."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        try:
            target = os.readlink("/etc/localtime")
            name = target.partition("zoneinfo/")[2]
        except OSError:
            try:
                name = Path("/etc/timezone").read_text(encoding="ascii").strip()
            except (OSError, UnicodeDecodeError):
                name = ""
    name = name.removeprefix("Etc/") if name in ("Etc/UTC", "Etc/GMT") else name
    return name if name in available_timezones() else "UTC"


def moment(micros: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(micros / SECOND, UTC).astimezone(zone)


def iso_utc(micros: int) -> str:
    return datetime.fromtimestamp(micros // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(text: str) -> int:
    """The instant of an ISO text."""
    return int(datetime.fromisoformat(text).timestamp() * SECOND)


def group(value: int) -> str:
    """4812 -> 4 812."""
    return f"{value:,}".replace(",", NARROW)


def number(value: int | None) -> Markup:
    if value is None:
        return Markup("–")
    return Markup('<data value="{}">{}</data>').format(value, group(value))


def span(micros: int | None) -> str:
    """How long something took, in one unit that can be read at a glance."""
    if micros is None:
        return "–"
    if micros < SECOND:
        return f"{max(micros, 0) // 1000}{NARROW}ms"
    if micros < 10 * SECOND:
        return f"{micros / SECOND:.1f}{NARROW}s"
    if micros < 2 * MINUTE:
        return f"{micros // SECOND}{NARROW}s"
    if micros < 2 * HOUR:
        return f"{micros // MINUTE}{NARROW}min"
    if micros < 2 * DAY:
        return f"{micros // HOUR}{NARROW}h"
    return f"{group(micros // DAY)}{NARROW}days"


def ago(micros: int, now: int) -> str:
    if micros > now + SECOND:
        return f"in {span(micros - now)}"
    return "just now" if now - micros < 2 * SECOND else f"{span(now - micros)} ago"


def size(count: int | None) -> str:
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f}{NARROW}{unit}" if unit == "B" or value >= 100 else f"{value:.1f}{NARROW}{unit}"
        value /= 1000
    return f"{value:.1f}{NARROW}TB"


def share(part: int, whole: int) -> str:
    """A percentage that never says 100 % or 0 % when it is not."""
    if not whole:
        return "–"
    value = 100 * part / whole
    if part != whole and value > 99.9:
        value = 99.9
    if part and value < 0.1:
        value = 0.1
    return f"{value:.1f}".removesuffix(".0") + f"{NARROW}%"


def money(amount: str | None, currency: str | None) -> Markup:
    if amount is None:
        return Markup("–")
    whole, _, rest = amount.partition(".")
    try:
        shown = group(int(whole)) + (f".{rest:<02}" if rest else "")
    except ValueError:
        shown = amount
    return Markup('<data value="{}">{}{}</data>').format(amount, f"{currency}\u00a0" if currency else "", shown)


def plural(count: int, one: str, many: str = "") -> Markup:
    return Markup("{}\u00a0{}").format(number(count), one if count == 1 else many or one + "s")


@pass_context
def when(context: Context, micros: int | None, form: str = "short") -> Markup:
    """<time>: absolute in the chosen zone, relative in the tooltip, UTC in the attribute."""
    if micros is None:
        return Markup("–")
    visit: Any = context["visit"]
    at, today = moment(micros, visit.zone), moment(visit.now, visit.zone)
    clock = f"{at:%H:%M:%S}" if form == "full" else f"{at:%H:%M}"
    if form == "full":
        shown = f"{at:%Y-%m-%d} {clock}"
    elif form == "day":
        shown = f"{at.day} {MONTHS[at.month - 1]}" + ("" if at.year == today.year else f" {at.year}")
    elif at.date() == today.date():
        shown = clock
    else:
        shown = f"{at.day} {MONTHS[at.month - 1]}" + (f" {clock}" if at.year == today.year else f" {at.year}")
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
        iso_utc(micros), form, ago(micros, visit.now), shown
    )


def long_day(micros: int, zone: ZoneInfo) -> str:
    at = moment(micros, zone)
    return f"{DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}"


def field_word(name: str) -> str:
    """`postal_code` -> postal code, `line1` -> address line 1."""
    return _LINE.sub(r"address line \1", name.replace("_", " "))


def shorten(text: str | None, most: int = 80) -> str:
    text = text or ""
    return text if len(text) <= most else text[: most - 1] + "…"


def ticked(text: str) -> Markup:
    """What stands between backticks as code."""
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))


FILTERS: dict[str, Any] = {
    "number": number,
    "span": span,
    "size": size,
    "when": when,
    "plural": plural,
    "shorten": shorten,
    "ticked": ticked,
    "text": lambda value: "–" if value in (None, "") else escape(value),
}
