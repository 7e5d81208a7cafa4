"""Reading JSON that strangers sent: one strict second pass, exact money, exact instants, one content hash.

The fast pass of each dialect is a typed msgspec decoder. What that passes over (text that is not UTF-8 in skipped
fields, NUL, repeated names, nesting) is checked here, once per body and for next to nothing when the body is clean.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from hashlib import blake2b
from struct import Struct
from typing import Any

import msgspec

from ordermill.core.errors import Unreadable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_INSTANT = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
_LAST_INSTANT = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
_INT_MAX = 2**63 - 1
_LOCATED_BYTES = 256 * 1024  # a larger document is not searched for the number that was wrong

# What a typed decoder can raise for bytes from outside: its own errors, text that is not UTF-8, nesting too deep.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_digest = partial(blake2b, digest_size=8)
_signed = Struct(">q").unpack


def check_text(body: bytes) -> None:
    """Raises Unreadable unless the body is UTF-8 text without a byte order mark."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8: byte {error.start} cannot be read", hint="send UTF-8") from error
    if text.startswith("\ufeff"):
        raise Unreadable("the body starts with a byte order mark", hint="send UTF-8 without a byte order mark")


def unreadable(error: Exception) -> Unreadable:
    """What to tell a client about a body that is not the JSON its envelope should be."""
    if isinstance(error, RecursionError):
        return Unreadable("the JSON is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Unreadable("the body is not UTF-8", hint="send UTF-8")
    return Unreadable(f"the body is not valid JSON: {_plain(str(error))}")


def _plain(text: str) -> str:
    return text.removeprefix("JSON is malformed: ")


def looks_odd(raw: bytes, once: Iterable[bytes], expected: int = 1) -> bool:
    """Whether the strict pass should look at `raw`: a NUL escape, or a name of `once` seen more than `expected` times.

    `once` are names as they stand in JSON (`b'"id"'`). A false alarm costs time, never an order.
    """
    if b"\\u0000" in raw:
        return True
    return any(raw.count(name) > expected for name in once)


class Oddity(ValueError):
    """The JSON parses, but no honest reading of it exists. `field` is the name or path concerned, '' for the whole."""

    def __init__(self, message: str, field: str = "") -> None:
        self.field = field
        super().__init__(message)


def _pairs(pairs: list[tuple[str, Any]], once: Collection[str] | None = None) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        for name, times in Counter(name for name, _ in pairs).items():
            if times > 1 and (once is None or name in once):
                raise Oddity(f"the name {name!r} is given more than once", name)
    return seen


class _Numbers:
    """Reads the numbers of one document. One that cannot be kept leaves a mark: where it stands is not known yet.

    Of any size, it is a Decimal where 64 bits do not hold it; who reads the field judges it.
    """

    def __init__(self, *, any_size: bool) -> None:
        self.any_size = any_size
        self.fault = ""  # of the first one that is odd

    def odd(self, fault: str) -> Any:
        self.fault = self.fault or fault
        return _ODD

    def constant(self, text: str) -> Any:
        return self.odd(f"{text} is not a JSON number")

    def integer(self, text: str) -> Any:
        if len(text) <= 20 and -_INT_MAX <= int(text) + 1 <= _INT_MAX + 1:  # 64 bits, a sign included
            return int(text)
        if self.any_size:
            return Decimal(text)
        return self.odd(f"the number {text[:20]}{'…' if len(text) > 20 else ''} is too large")

    def fraction(self, text: str) -> Any:
        try:
            number = Decimal(text)
        except InvalidOperation:  # an exponent that no Decimal can hold
            return self.odd(f"the number {text[:20]} is out of range")
        if self.any_size:
            return number
        # The exponent of a zero counts as well: 0e-999999999 written out would fill the memory.
        if len(text) > 64 or not -30 <= number.adjusted() <= 30 or not number.is_finite():
            return self.odd(f"the number {text[:20]} is out of range")
        return number


_ODD = object()


def _path_to_odd(value: Any, nesting_left: int) -> str | None:
    """Where the first number stands that left a mark, `.products[0].price`; None: not in here."""
    if value is _ODD:
        return ""
    if nesting_left < 0:
        raise Oddity("the JSON is nested too deeply")
    if isinstance(value, dict):
        for name, entry in value.items():
            if (rest := _path_to_odd(entry, nesting_left - 1)) is not None:
                return f".{name}{rest}"
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            if (rest := _path_to_odd(entry, nesting_left - 1)) is not None:
                return f"[{place}]{rest}"
    return None


def strict_json(document: bytes, nesting_max: int = 64, *, once: Collection[str] | None = None) -> Any:
    """The value, numbers with a point as Decimal. Raises Oddity for anything two readers could read differently.

    With `once` only these names may not be given twice, of others the last one counts, and numbers may have any size:
    for contracts that pass over members they do not know, and readers that judge each field they do know.
    """
    numbers = _Numbers(any_size=once is not None)
    try:
        value = json.loads(
            document.decode(),
            object_pairs_hook=partial(_pairs, once=once),
            parse_constant=numbers.constant,
            parse_int=numbers.integer,
            parse_float=numbers.fraction,
        )
    except Oddity:
        raise
    except UnicodeDecodeError as error:
        raise Oddity("the text is not UTF-8") from error
    except RecursionError as error:
        raise Oddity("the JSON is nested too deeply") from error
    except ValueError as error:
        raise Oddity(f"not valid JSON: {error}") from error
    # Only an escape brings in what a text must not hold, and what has few brackets is not deep: mostly there is no more
    # to see.
    if b"\\u" in document or document.count(b"[") + document.count(b"{") > nesting_max:
        _check_strings(value, nesting_max)
    if numbers.fault:
        path = _path_to_odd(value, nesting_max) if len(document) <= _LOCATED_BYTES else None
        raise Oddity(numbers.fault, (path or "").removeprefix("."))
    return value


def _check_strings(value: Any, nesting_left: int, field: str = "") -> None:
    if nesting_left < 0:
        raise Oddity("the JSON is nested too deeply", field)
    if isinstance(value, str):
        _check_string(value, field)
    elif isinstance(value, list):
        for entry in value:
            _check_strings(entry, nesting_left - 1, field)
    elif isinstance(value, dict):
        for name, entry in value.items():
            _check_string(name, field)
            _check_strings(entry, nesting_left - 1, field or name)


def _check_string(text: str, field: str) -> None:
    if "\0" in text:
        raise Oddity("a text holds the character U+0000", field)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Oddity("a text holds half of a surrogate pair", field) from error


def instant(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970 UTC. Raises ValueError outside of the years 1 to 9999 UTC."""
    passed = moment - EPOCH
    micros = (passed.days * 86400 + passed.seconds) * 1_000_000 + passed.microseconds
    if not _FIRST_INSTANT <= micros <= _LAST_INSTANT:
        raise ValueError("the date is outside of the years 1 to 9999")
    return micros


def moment(micros: int) -> datetime:
    """The aware UTC datetime of an instant."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def iso(micros: int) -> str:
    """`2026-11-20T09:30:00.000Z`; with microseconds when there are any below the millisecond."""
    text = moment(micros).isoformat(timespec="microseconds").removesuffix("+00:00")
    return (text[:-3] if text.endswith("000") else text) + "Z"


def plain_decimal(text: str, digits_max: int = 15) -> str | None:
    """Decimal text without an exponent, as exact as it was sent; None when it is no finite number of that size."""
    if len(text) > 64:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or (number and number.adjusted() >= digits_max):
        return None
    if number.adjusted() < -digits_max:
        return None  # of a zero, too: 0e-999999999 written out would fill the memory
    return format(number, "f")


def hash_of(said: bytes) -> int:
    """A signed 64-bit number over what a merchant said, spelled in one way however it was sent.

    A collision would need a 2^32 birthday on ONE order key.
    """
    number: int = _signed(_digest(said).digest())[0]
    return number
