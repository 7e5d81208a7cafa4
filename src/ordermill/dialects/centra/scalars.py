"""One value of an order, read with Centra's lenience (contract A6-A8, A17), or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ordermill.core.batch import Problem
from ordermill.dialects.centra import wire
from ordermill.dialects.centra.countries import CODE_OF
from ordermill.dialects.centra.dates import read_date
from ordermill.dialects.centra.money import MONEY_MAX, rounded
from ordermill.dialects.centra.settings import Rules

PROBLEMS_MAX = 100  # of one order: nobody reads more, and a hostile order must not make a large answer
VALUE_SHOWN = 100  # characters of a refused value
EMAIL_MAX = 320

MISSING, GENERAL, EMPTY, UNPRICED = "-4", "-7", "-3", "-1"  # contract section 5

_DIGITS_MAX = 18
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?")
_FLAGS = {"0": False, "1": True, "true": True, "false": False}


class Finder:
    """Gathers the problems of one order while its fields are read."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.problems: list[Problem] = []

    def wrong(
        self, path: str, saying: str, value: Any = None, *, code: str = "invalid_value", no: str = GENERAL
    ) -> None:
        """`saying` follows the path in the message: `products[1].qty` `is required`."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(
                Problem(
                    code=code,
                    message=f"{path} {saying}" if path else saying,
                    field=path,
                    value=None if value is None else shown(value),
                    contract_code=no,
                )
            )

    def missing(self, path: str, saying: str = "is required") -> None:
        self.wrong(path, saying, code="required", no=MISSING)


Read = Callable[[Finder, str, Any], Any]


def shown(value: Any) -> str:
    """A refused value as JSON, shortened."""
    text = value if isinstance(value, str) else wire.ENCODER.encode(value).decode()
    return text if len(text) <= VALUE_SHOWN else text[:VALUE_SHOWN] + "…"


def text(find: Finder, path: str, value: Any) -> str | None:
    if not isinstance(value, str):
        find.wrong(path, "must be a string", value)
        return None
    if len(value) > find.rules.text_max:
        find.wrong(path, f"is longer than {find.rules.text_max} characters", value, code="too_long")
        return None
    return value


def code(find: Finder, path: str, value: Any) -> str | None:
    """A text of digits more often than not (SKU, postcode, telephone): a whole number is taken for its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(find, path, value)


def date(find: Finder, path: str, value: Any) -> str | None:
    if isinstance(value, str) and read_date(value, find.rules.zone) is not None:
        return value
    find.wrong(path, "must be a date (YYYY-mm-dd, YYYY-mm-dd HH:MM:SS or ISO 8601)", value)
    return None


def flag(find: Finder, path: str, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    known = _FLAGS.get(str(value)) if isinstance(value, int | str) else None
    if known is None:
        find.wrong(path, "must be true or false", value)
    return known


def whole(least: int, most: int) -> Read:
    """An integer from `least` to `most`, also as a string of digits."""

    def read(find: Finder, path: str, value: Any) -> int | None:
        number: int | None = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and _INTEGER.fullmatch(value):
            number = int(value)
        elif isinstance(value, Decimal) and value.adjusted() >= _DIGITS_MAX:  # beyond any integer that is meant
            number = most + 1
        if number is None:
            find.wrong(path, "must be an integer", value)
        elif not least <= number <= most:
            find.wrong(path, f"must be from {least} to {most}", value, code="out_of_range")
            number = None
        return number

    return read


def money(find: Finder, path: str, value: Any) -> float | None:
    """An amount, rounded half up to cents (A6), as the wire form carries it."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        find.wrong(path, "must be a decimal number", value)
    elif value < 0:
        find.wrong(path, "must not be negative", value, code="out_of_range")
    elif value >= MONEY_MAX:
        find.wrong(path, "is too large", value, code="out_of_range")
    else:
        return min(rounded(Decimal(value)), MONEY_MAX * 100 - 1) / 100
    return None


def one_of(*words: str | int) -> Read:
    """One of a few words or numbers, the numbers also as strings."""

    def read(find: Finder, path: str, value: Any) -> str | int | None:
        for word in words:
            if not isinstance(value, bool) and isinstance(value, str | int) and str(value) == str(word):
                return word
        find.wrong(path, f"must be one of {', '.join(map(str, words))}", value)
        return None

    return read


def email(find: Finder, path: str, value: Any) -> str | None:
    """No syntax but the `@` (A1). An empty one counts as none."""
    if isinstance(value, str) and (not value or ("@" in value and len(value) <= EMAIL_MAX)):
        return value
    find.wrong(path, f"must be an e-mail address of at most {EMAIL_MAX} characters", value)
    return None


def country(find: Finder, path: str, value: Any) -> str | None:
    known = CODE_OF.get(value) if isinstance(value, str) else None
    if known is None:
        find.wrong(path, "must be an ISO 3166-1 alpha-2 country code", value)
    return known
