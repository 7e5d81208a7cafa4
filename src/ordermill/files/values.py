"""What stands in one cell: texts, decimals, instants, yes or no, countries. Pure; a cell that cannot be read is Bad."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from ordermill.dialects.reading import instant, iso

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
DIGITS_MAX = 15

DecimalSign = Literal[".", ","]
DateOrder = Literal["DMY", "MDY"]


class Bad(ValueError):
    """A cell that cannot be read: a stable code, what is wrong, what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(message)


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """How a file writes its values. `date_format`: strptime's, None for what can be told by looking."""

    decimal: DecimalSign = "."
    date_order: DateOrder = "DMY"
    date_format: str | None = None
    zone: str = "UTC"


# -- texts ------------------------------------------------------------------------------------------------------------


def is_number(text: str) -> bool:
    """A plain number as a spreadsheet shows it, sign included."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return digits.replace(".", "", 1).replace(",", "", 1).isdecimal() and digits.isascii()


def neutral(text: str) -> str:
    """A quote before what a spreadsheet would run as a formula (CSV injection). Numbers stay as they are."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) and not is_number(text) else text


def un_neutral(text: str) -> str:
    """Takes away what neutral() put there, and the mark with which spreadsheets (and Shopify) keep digits a text."""
    return text[1:] if text[:1] == "'" and (text[1:2] in FORMULA_SIGNS or text[1:2].isdigit()) else text


# -- decimals ---------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII).fullmatch
_GROUPED_POINT = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII).fullmatch
_GROUPED_COMMA = re.compile(r"-?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII).fullmatch
_PLAIN_COMMA = re.compile(r"-?\d{1,15}(,\d+)?", re.ASCII).fullmatch
_MONEY = re.compile(r"^(?:[A-Za-z]{3}|[$€£¥₹]|Fr\.?|kr\.?)\s*|\s*(?:[A-Za-z]{3}|[$€£¥₹]|Fr\.?|kr\.?|\.[-–—])$")
_BLANKS = re.compile("[\\s\u00a0\u202f'’]")
_SCIENTIFIC = re.compile(r"-?\d(?:[.,]\d+)?[eE][+-]?\d+").fullmatch


@lru_cache(maxsize=16384)
def read_decimal(text: str, ways: Ways) -> Decimal:
    """`12.50`, `1'234.50`, `CHF 12.50`, `-3`; with a comma as the decimal sign `1.234,50`. Raises Bad."""
    if ways.decimal == "." and _PLAIN(text):
        return Decimal(text)
    bare = _BLANKS.sub("", _MONEY.sub("", text.strip()))
    if ways.decimal == ".":
        if _PLAIN(bare):
            return Decimal(bare)
        if _GROUPED_POINT(bare):
            return Decimal(bare.replace(",", ""))
    else:
        if _PLAIN_COMMA(bare):
            return Decimal(bare.replace(",", "."))
        if _GROUPED_COMMA(bare):
            return Decimal(bare.replace(".", "").replace(",", "."))
    if _SCIENTIFIC(bare):
        raise Bad("not_a_number", "a number in scientific notation", "format the column as a number without exponent")
    other = "," if ways.decimal == "." else "."
    hint = "write a plain number, e.g. 12.50"
    if other in bare and _BLANKS.sub("", bare).replace(other, "").replace("-", "").isdecimal():
        hint = f"if {other} is this file's decimal sign, say --decimal {other}"
    raise Bad("not_a_number", "not a number", hint)


def guess_decimal(texts: list[str]) -> tuple[DecimalSign, bool]:
    """(the decimal sign of these cells, whether they prove it)."""
    points = commas = 0
    for text in texts:
        bare = _BLANKS.sub("", _MONEY.sub("", text.strip()))
        last_comma, last_point = bare.rfind(","), bare.rfind(".")
        if last_comma > last_point >= 0 or (last_comma >= 0 and len(bare) - last_comma - 1 != 3 and last_point < 0):
            commas += 1
        elif last_point > last_comma >= 0 or (last_point >= 0 and len(bare) - last_point - 1 != 3 and last_comma < 0):
            points += 1
    if commas > points:
        return ",", points == 0
    return ".", commas == 0


# -- instants ---------------------------------------------------------------------------------------------------------

_ISO_BLANK = re.compile(
    r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d:?\d\d|UTC)?$", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(.*)$")
_YEAR_LAST = re.compile(r"^(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)(.*)$")
_CLOCK = re.compile(
    r"^[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([AaPp])?\.?(?:[Mm]\.?)?\s*(Z|[+-]\d\d:?\d\d|UTC)?$"
)
_NAMED = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d. %B %Y")
_CLOCKS = (" %H:%M", " %H:%M:%S", ", %H:%M", " %I:%M %p", ", %I:%M %p", " %I:%M:%S %p", ", %I:%M:%S %p")
_NAMED_CLOCK = tuple(f"{day}{clock}" for day in _NAMED for clock in _CLOCKS)
_TOKENS = (
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("SS", "%S"),
    ("ss", "%S"),
)


def date_format(said: str) -> str:
    """`DD.MM.YYYY HH:mm` -> strptime's form; a form with % stays. `unix` and `unixms` are seconds and milliseconds."""
    if "%" in said or said in ("unix", "unixms"):
        return said
    for token, code in _TOKENS:
        said = said.replace(token, code)
    if "%" not in said:
        raise Bad("bad_format", f"{said!r} is no date format", "e.g. DD.MM.YYYY, YYYY-MM-DD HH:mm, unix")
    return said


@lru_cache(maxsize=16384)
def read_moment(text: str, ways: Ways) -> int:
    """µs since 1970 UTC; a time without a zone is in the file's zone, a date begins at midnight there. Raises Bad."""
    try:
        found = _read_by_format(text, ways.date_format) if ways.date_format else _read_by_look(text.strip(), ways)
        if found.tzinfo is None:
            found = found.replace(tzinfo=_zone(ways.zone))
        return instant(found.astimezone(UTC))
    except Bad:
        raise
    except (ValueError, OverflowError):
        hint = (
            f"this file's dates are said to be {ways.date_format}"
            if ways.date_format
            else ("write YYYY-MM-DD, or say --date-format, e.g. DD.MM.YYYY")
        )
        raise Bad("not_a_date", "not a date", hint) from None


@lru_cache(maxsize=64)
def _zone(name: str) -> Any:
    return UTC if name == "UTC" else ZoneInfo(name)


def _read_by_format(text: str, form: str) -> datetime:
    text = text.strip()
    if form in ("unix", "unixms"):
        return datetime.fromtimestamp(int(text) / (1000 if form == "unixms" else 1), UTC)
    return datetime.strptime(text, form)


def _read_by_look(text: str, ways: Ways) -> datetime:
    if found := _ISO_BLANK.match(text):
        day, clock, zone = found.groups()
        zone = "+00:00" if zone and zone.upper() in ("Z", "UTC") else zone or ""
        return datetime.fromisoformat(f"{day}T{clock}{zone}")
    if found := _YEAR_FIRST.match(text):
        return _with_clock(int(found[1]), int(found[3]), int(found[4]), found[5])
    if found := _YEAR_LAST.match(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        year += 2000 if year < 100 else 0
        day, month = (first, second) if ways.date_order == "DMY" else (second, first)
        if month > 12 and found[2] != "/":
            day, month = month, day
        if month > 12:
            raise Bad(
                "not_a_date",
                f"there is no month {month} (read as {'day/month' if ways.date_order == 'DMY' else 'month/day'}/year)",
                "say --date-format DD/MM/YYYY or MM/DD/YYYY",
            )
        return _with_clock(year, month, day, found[5])
    for form in (*_NAMED, *_NAMED_CLOCK):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return datetime.fromisoformat(text)


def _with_clock(year: int, month: int, day: int, rest: str) -> datetime:
    if not rest.strip():
        return datetime(year, month, day)
    found = _CLOCK.match(rest)
    if found is None:
        raise ValueError(rest)
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    made = datetime(year, month, day, hour, minute, second)
    zone = found[5]
    if zone:
        spelled = "+0000" if zone.upper() in ("Z", "UTC") else zone.replace(":", "")
        made = made.replace(tzinfo=datetime.strptime(spelled, "%z").tzinfo)
    return made


def guess_date_order(texts: list[str]) -> tuple[DateOrder, bool]:
    """(whether the day or the month stands first in these cells, whether they prove it). Year-first proves nothing."""
    days_first = months_first = asked = 0
    for text in texts:
        found = _YEAR_LAST.match(text.strip())
        if found is None:
            continue
        asked += 1
        first, second = int(found[1]), int(found[3])
        days_first += first > 12 or (found[2] == "." and second <= 12)
        months_first += second > 12
    if months_first > days_first:
        return "MDY", days_first == 0
    return "DMY", days_first > 0 or asked == 0


# -- the rest ---------------------------------------------------------------------------------------------------------

_YES = frozenset(("true", "t", "yes", "y", "1", "ja", "oui", "si", "sí", "x"))
_NO = frozenset(("false", "f", "no", "n", "0", "nein", "non"))


def read_flag(text: str, ways: Ways) -> bool:
    """Raises Bad."""
    word = text.strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Bad("not_a_flag", "neither yes nor no", "write true or false")


def read_list(text: str, ways: Ways) -> tuple[str, ...]:
    """Several texts in one cell, between commas, semicolons or bars."""
    return tuple(part for part in (piece.strip() for piece in re.split(r"[,;|]", text)) if part)


def read_currency(text: str, ways: Ways) -> str:
    """Upper case where it looks like a code; whether it is one is the contract's business."""
    return text.upper() if len(text) == 3 and text.isalpha() else text


def read_text(text: str, ways: Ways) -> str:
    return un_neutral(text) if text[:1] == "'" else text


READERS: dict[str, Callable[[str, Ways], Any]] = {
    "text": read_text,
    "decimal": read_decimal,
    "moment": read_moment,
    "flag": read_flag,
    "list": read_list,
    "currency": read_currency,
    "country": read_text,
}


def as_text(value: Any) -> str:
    """What a spreadsheet's typed cell says, as a CSV has it. Whole numbers lose the `.0` that was never typed."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return (
            value.isoformat(" ", "seconds")
            if value.time().replace(microsecond=0) != datetime.min.time()
            else value.date().isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def spell_moment(micros: int) -> str:
    """As exports write it; read back by read_moment whatever the file's zone is."""
    return iso(micros)


def looks_damaged(text: str) -> bool:
    """`1.23457E+11`: what a spreadsheet makes of a long number when it saves a CSV."""
    return "E+" in text and _SCIENTIFIC(text) is not None
