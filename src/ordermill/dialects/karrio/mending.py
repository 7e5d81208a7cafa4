"""The second pass over one order: forgives what the real server forgives, and finds every problem of the rest.

The texts are Django REST framework's, which Karrio is built on (contract, sections 2 and 3). Paths are relative to the
order: `line_items[0].weight_unit`. A text that is no text at all (half a surrogate pair, NUL), a name given twice and
the like end the reading at once, because nothing after them can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from ordermill.core.batch import Problem
from ordermill.dialects.karrio import codes, wire
from ordermill.dialects.reading import Oddity, plain_decimal, strict_json

VALUE_CHARS = 100  # how much of a refused value is repeated
DESCRIPTION_CHARS = 200  # of a webhook

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_WEIGHT_MAX = 10**15
_FAR = 9_999
_TRUE = frozenset(("t", "y", "yes", "true", "on", "1"))
_FALSE = frozenset(("f", "n", "no", "false", "off", "0"))
_NULL = frozenset(("null", ""))


def mend(document: bytes, rules: wire.Rules) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """(the order with its values in their right types, every problem). The order is good when there is no problem."""
    try:
        value = strict_json(document, rules.nesting)
    except Oddity as oddity:
        field = oddity.field if oddity.field in wire.Order.__struct_fields__ else "non_field_errors"
        return {}, (Problem(code="unreadable", field=field, message=_sentence(oddity), contract_code="validation"),)
    mender = _Mender(rules)
    order = mender.order(value)
    return order, tuple(mender.problems)


def mend_webhook(body: bytes, events: tuple[str, ...], *, whole: bool) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """(the fields that a webhook's body names, every problem), by the same leave and in the same words as an order.

    `whole`: what a webhook cannot be without must be there (contract, section 7); else only what is given counts.
    """
    mender = _Mender(wire.NO_RULES)
    try:
        value = strict_json(body)
    except Oddity as oddity:
        mender.found(oddity.field or "non_field_errors", _Bad("unreadable", _sentence(oddity)), None)
        return {}, tuple(mender.problems)
    if not isinstance(value, dict):
        mender.found("non_field_errors", _not_an_object(value), value)
        return {}, tuple(mender.problems)
    given = _Given(mender, "", value)
    given.take("url", _url, required=whole)
    given.take("enabled_events", _each(events), required=whole)
    given.take("description", _text(DESCRIPTION_CHARS), null=True)
    given.take("disabled", _boolean, null=True)
    named = ("url", "enabled_events", "description", "disabled")
    return {name: given.taken.get(name) for name in named if name in value}, tuple(mender.problems)


class _Bad(Exception):
    """A value that cannot be taken: code, text and hint of the problem."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(message)


REQUIRED = _Bad("required", "This field is required.")
NULL = _Bad("null", "This field may not be null.")
BLANK = _Bad("blank", "This field may not be blank.")

Reading = Callable[[Any], Any]


class _Mender:
    """One order's second pass: goes through it once and collects problems."""

    def __init__(self, rules: wire.Rules) -> None:
        self.rules = rules
        self.problems: list[Problem] = []

    def order(self, value: Any) -> dict[str, Any]:
        """The order; its parts that cannot be taken are left out."""
        if not isinstance(value, dict):
            self.found("non_field_errors", _not_an_object(value), value)
            return {}
        given = _Given(self, "", value)
        reference = _text(self.rules.reference_chars, blank=False)
        given.take("order_id", reference, required=True)
        given.take("order_date", _day, null=True)
        given.take("source", reference)
        given.address("shipping_to", required=True)
        given.address("shipping_from", null=True)
        given.address("billing_address", null=True)
        self._lines(given)
        given.take("options", _free(self.rules.keys), null=True)
        given.take("metadata", _free(self.rules.keys))
        return given.taken

    def _lines(self, given: _Given) -> None:
        lines = given.take("line_items", lambda value: value, required=True)
        if lines is None:
            return
        if not isinstance(lines, list):
            self.found("line_items.non_field_errors", _not_a_list(lines), lines)
        elif not lines:
            self.found("line_items.non_field_errors", _Bad("empty", "This list may not be empty."), lines)
        elif len(lines) > self.rules.lines:
            text = f"Ensure this field has no more than {self.rules.lines} elements."
            self.found("line_items.non_field_errors", _Bad("too_many", text), len(lines))
        else:
            given.taken["line_items"] = [self._line(f"line_items[{place}].", line) for place, line in enumerate(lines)]

    def _line(self, path: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.found(f"{path}non_field_errors", _not_an_object(value), value)
            return {}
        rules = self.rules
        given = _Given(self, path, value)
        given.take("weight", _weight, required=True)
        given.take("weight_unit", _choice(codes.WEIGHT_UNITS, codes.UNIT_SLIPS), required=True)
        given.take("quantity", _quantity)
        given.take("value_amount", _money, null=True)
        given.take("value_currency", _choice(rules.currencies, codes.CURRENCY_SLIPS, codes.ISO_CURRENCIES), null=True)
        given.take("origin_country", _choice(rules.countries, codes.COUNTRY_SLIPS, codes.ISO_COUNTRIES), null=True)
        for name in ("title", "description", "sku", "hs_code"):
            given.take(name, _text(rules.line_chars.get(name, rules.text_chars)), null=True)
        given.take("parent_id", _text(rules.text_chars, blank=False), null=True)
        given.take("metadata", _free(rules.keys), null=True)
        return given.taken

    def address(self, path: str, value: Any) -> dict[str, Any]:
        """AddressData, its problems below `path`."""
        if not isinstance(value, dict):
            self.found(f"{path}.non_field_errors", _not_an_object(value), value)
            return {}
        rules = self.rules
        given = _Given(self, f"{path}.", value)
        for name in wire.Address.__struct_fields__:
            if name == "country_code":
                country = _choice(rules.countries, codes.COUNTRY_SLIPS, codes.ISO_COUNTRIES)
                given.take(name, country, required=True)
            elif name in ("residential", "validate_location"):
                given.take(name, _boolean, null=True)
            else:
                given.take(name, _text(rules.address_chars.get(name, rules.text_chars)), null=True)
        return given.taken

    def found(self, field: str, bad: _Bad, value: Any) -> None:
        self.problems.append(
            Problem(
                code=bad.code,
                message=bad.message,
                field=field,
                value=None if bad is REQUIRED else _shown(value),
                hint=bad.hint,
                contract_code="validation",
            )
        )


class _Given:
    """The fields of one object as sent, and what was taken of them."""

    def __init__(self, mender: _Mender, path: str, value: dict[str, Any]) -> None:
        self.mender = mender
        self.path = path
        self.value = value
        self.taken: dict[str, Any] = {}

    def take(self, name: str, read: Reading, *, required: bool = False, null: bool = False) -> Any:
        """Reads one field; its problem, if any, goes to the mender. None when there is nothing to take."""
        if name not in self.value:
            if required:
                self.mender.found(self.path + name, REQUIRED, None)
            return None
        value = self.value[name]
        if value is None:
            if not null:
                self.mender.found(self.path + name, NULL, None)
            return None
        try:
            self.taken[name] = read(value)
        except _Bad as bad:
            self.mender.found(self.path + name, bad, value)
            return None
        return self.taken[name]

    def address(self, name: str, *, required: bool = False, null: bool = False) -> None:
        self.take(name, lambda value: self.mender.address(self.path + name, value), required=required, null=null)


def _text(chars: int, *, blank: bool = True) -> Reading:
    """Strings, trimmed; numbers are taken as their digits. `chars` counts characters."""

    def read(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise _Bad("not_a_string", "Not a valid string.")
        text = str(value).strip()
        if not text and not blank:
            raise BLANK
        if len(text) > chars:
            raise _Bad("too_long", f"Ensure this field has no more than {chars} characters.")
        return text

    return read


def _choice(of: tuple[str, ...] | None, slips: dict[str, str], iso: tuple[str, ...] = ()) -> Reading:
    """One of a list of codes, spelled exactly so."""

    def read(value: Any) -> str:
        if isinstance(value, str) and (of is None or value in of):
            return value
        shown = value if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else _shown(value)
        hint = codes.near_miss(value, of or (), slips, iso) if isinstance(value, str) else ""
        raise _Bad("invalid_choice", f'"{str(shown)[:VALUE_CHARS]}" is not a valid choice.', hint)

    return read


def _url(value: Any) -> str:
    """A text; whether it is an address that may be called is for others to say."""
    if not isinstance(value, str):
        raise _Bad("invalid_url", "Enter a valid URL.")
    if not value.strip():
        raise BLANK
    return value.strip()


def _each(of: tuple[str, ...]) -> Reading:
    """A list of words that are all on another one; every word that is not is named."""

    def read(value: Any) -> list[str]:
        if not isinstance(value, list):
            raise _not_a_list(value)
        if not value:
            raise _Bad("empty", "This list may not be empty.")
        strange = [f'"{_shown(entry)}" is not a valid choice.' for entry in value if entry not in of]
        if strange:
            raise _Bad("invalid_choice", " ".join(strange))
        return value

    return read


def _day(value: Any) -> str | None:
    """`2024-1-2` -> `2024-01-02`; blank is no date at all (today)."""
    if isinstance(value, str) and not value.strip():
        return None
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is not None:
            return date(*map(int, match.groups())).isoformat()
    except ValueError:
        pass  # 2024-02-30
    hint = (
        "leave the time of day out" if isinstance(value, str) and _DATE.match(value.strip()) and match is None else ""
    )
    raise _Bad("invalid_date", "The date format must match YYYY-MM-DD", hint)


def _number(text: str) -> Decimal:
    """What the text says. Beyond 10^9999 it is a number of that size: no Decimal holds every exponent, and with those
    that it holds it does not reckon."""
    digits, _, power = text.lower().partition("e")
    exponent = int(power or 0)
    if abs(exponent) <= _FAR:
        return Decimal(text)
    return Decimal(digits).scaleb(_FAR if exponent > 0 else -_FAR)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= 64 and _NUMBER.fullmatch(text):
            return _number(text)
        swapped = text.replace(",", ".")
        hint = "Write a point before the decimals." if text.count(",") == 1 and _NUMBER.fullmatch(swapped) else ""
        raise _Bad("not_a_number", "A valid number is required.", hint)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise _Bad("not_a_number", "A valid number is required.")


def _weight(value: Any) -> Decimal:
    number = _decimal(value)
    if abs(number) > _WEIGHT_MAX:
        above = number > 0
        word, limit = ("less", _WEIGHT_MAX) if above else ("greater", -_WEIGHT_MAX)
        raise _Bad("out_of_range", f"Ensure this value is {word} than or equal to {limit}.")
    return number if number else Decimal(0)


def _money(value: Any) -> Decimal:
    number = _decimal(value)
    if not number:
        return Decimal(0)
    plain = plain_decimal(str(number))
    if plain is None or number.adjusted() > 14:
        where = "digits before the decimal point" if number.adjusted() > 14 else "decimal places"
        raise _Bad("out_of_range", f"Ensure that there are no more than 15 {where}.")
    return Decimal(plain)


def _quantity(value: Any) -> int:
    """`3`, `"3"` and `2.0` are whole; `1.5` is not."""
    match = None
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        match = _INTEGER.fullmatch(str(value).strip()[:64])
    if match is None:
        raise _Bad("not_an_integer", "A valid integer is required.")
    number = int(match[1])
    if not -wire.QUANTITY_MAX - 1 <= number <= wire.QUANTITY_MAX:
        word, limit = ("less", wire.QUANTITY_MAX) if number > 0 else ("greater", -wire.QUANTITY_MAX - 1)
        raise _Bad("out_of_range", f"Ensure this value is {word} than or equal to {limit}.")
    return number


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else "?"
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if word in _NULL:
        return None
    raise _Bad("not_a_boolean", "Must be a valid boolean.")


def _free(keys: int) -> Reading:
    """An object whose content is the merchant's own."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Bad("not_an_object", f'Expected a dictionary of items but got type "{type_name(value)}".')
        if len(value) > keys:
            raise _Bad("too_many", f"Ensure this field has no more than {keys} elements.")
        return value

    return read


def _not_an_object(value: Any) -> _Bad:
    if value is None:
        return NULL
    return _Bad("not_an_object", f"Invalid data. Expected a dictionary, but got {type_name(value)}.")


def _not_a_list(value: Any) -> _Bad:
    return _Bad("not_a_list", f'Expected a list of items but got type "{type_name(value)}".')


def type_name(value: object) -> str:
    """What the contract's texts call a JSON value's type (they are Python's own words)."""
    return "float" if isinstance(value, Decimal) else type(value).__name__


def _sentence(oddity: Oddity) -> str:
    return f"{str(oddity)[:1].upper()}{str(oddity)[1:]}."


def _shown(value: Any) -> str | None:
    """What was sent, short enough to be repeated."""
    if value is None:
        return None
    text = (
        value
        if isinstance(value, str)
        else {True: "true", False: "false"}.get(value)
        if isinstance(value, bool)
        else str(value)
    )
    return str(text)[:VALUE_CHARS]
