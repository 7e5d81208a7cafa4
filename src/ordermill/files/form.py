"""Our own form of an order as JSON and as rows: lossless from the core's normal form and back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.order import Address, Content, Line, Order
from ordermill.dialects.reading import iso
from ordermill.files import values
from ordermill.files.making import OF_FILE
from ordermill.files.values import Bad, Ways

CAMEL = {
    name: name.split("_")[0] + "".join(part.title() for part in name.split("_")[1:])
    for struct in (Content, Address, Line)
    for name in struct.__struct_fields__
}
_SNAKE = {camel: name for name, camel in CAMEL.items()}
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_WAYS = Ways()
_PLACES = ("ship_to", "bill_to", "ship_from")
_HEAD_DECIMALS = ("amount", "shipping", "discount")
_LINE_DECIMALS = frozenset(("quantity", "unit_price", "list_price", "weight"))
_OBJECTS = ("identifiers", "metadata", "options", "extra")
_TEXTS = ("status", "currency", "payment_method", "store", "comment", "source")

# The columns of a CSV export, in order; those of the order first, those of its lines behind.
HEAD_COLUMNS = (
    "reference", "source", "status", "placed_at", "updated_at", "amount", "currency", "shipping", "discount",
    "identifiers.email", "identifiers.phone", "identifiers.ext", "identifiers.loyalty",
    *(f"{place}.{leaf}" for place in _PLACES for leaf in (
        "name", "company", "line1", "line2", "street_number", "city", "region", "postal_code", "country", "email",
        "phone", "mobile", "residential")),
    "coupons", "payment_method", "store", "comment",
)  # fmt: skip
LINE_COLUMNS = tuple(f"lines.{leaf}" for leaf in Line.__struct_fields__)
COLUMNS = (*HEAD_COLUMNS, *LINE_COLUMNS)


def write_document(content: Content) -> bytes:
    """One order as JSON, everything it says, named as in our API. Money is text, instants are ISO 8601 UTC."""
    said: dict[str, Any] = {
        "reference": content.reference,
        "contract": content.dialect,
        "source": content.source,
        "status": content.status,
        "placedAt": iso(content.placed_at),
        "updatedAt": iso(content.updated_at),
    }
    for name in ("amount", "currency", "shipping", "discount", "identifiers"):
        if (value := getattr(content, name)) not in (None, {}):
            said[name] = _plain(value)
    for place in _PLACES:
        address: Address | None = getattr(content, place)
        if address is not None:
            said[CAMEL[place]] = _said(address)
    said["lines"] = [_said(line) for line in content.lines]
    for name in ("coupons", "payment_method", "store", "comment", "metadata", "options", "extra"):
        if value := getattr(content, name):
            said[CAMEL[name]] = value
    return _encode(said)


def _said(part: Address | Line) -> dict[str, Any]:
    return {CAMEL[name]: _plain(value) for name in part.__struct_fields__ if (value := getattr(part, name)) is not None}


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def read_document(document: bytes, now: int) -> tuple[Content, tuple[Problem, ...]]:
    """The order and everything that cannot be read of it. Unknown members are passed over."""
    try:
        said = _snake(_decode(document))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        empty = Content(dialect=OF_FILE, source="", reference="", status="", placed_at=now, updated_at=now, lines=())
        return empty, (Problem(code="unreadable", message=f"not a JSON object: {error}"),)
    reader = _Reader(said)
    placed_at = reader.moment("placed_at")
    content = Content(
        dialect=str(said.get("contract") or OF_FILE),
        reference=reader.text("reference") or "",
        placed_at=now if placed_at is None else placed_at,
        updated_at=reader.moment("updated_at") or placed_at or now,
        lines=tuple(reader.lines()),
        identifiers={kind: str(value) for kind, value in reader.object("identifiers").items() if value},
        coupons=tuple(map(str, said.get("coupons") or ())),
        metadata=reader.object("metadata"),
        options=reader.object("options"),
        extra=reader.object("extra"),
        **{name: reader.decimal(said, name, name) for name in _HEAD_DECIMALS},  # type: ignore[arg-type]
        **{place: reader.address(place) for place in _PLACES},  # type: ignore[arg-type]
        **{name: reader.text(name) or ("" if name in ("status", "source") else None) for name in _TEXTS},  # type: ignore[arg-type]
    )
    return content, tuple(reader.problems)


def _snake(said: dict[str, Any]) -> dict[str, Any]:
    """The core's own names; both spellings are read."""
    return {_SNAKE.get(name, name): value for name, value in said.items()}


class _Reader:
    """One document; collects what is wrong with it."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.problems: list[Problem] = []

    def wrong(self, code: str, message: str, field: str, value: Any) -> None:
        self.problems.append(Problem(code=code, message=message, field=field, value=str(value)[:100]))

    def text(self, name: str) -> str | None:
        value = self.said.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return str(value)
        self.wrong("wrong_type", "expected a text", name, value)
        return None

    def moment(self, name: str) -> int | None:
        value = self.text(name)
        if not value:
            return None
        try:
            return values.read_moment(value, _WAYS)
        except Bad as bad:
            self.wrong(bad.code, bad.message, name, value)
            return None

    def decimal(self, of: dict[str, Any], name: str, field: str) -> Decimal | None:
        value = of.get(name)
        if value is None or value == "":
            return None
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            self.wrong("not_a_number", "not a number", field, value)
            return None
        return number

    def object(self, name: str) -> dict[str, Any]:
        value = self.said.get(name)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.wrong("wrong_type", "expected an object", name, value)
        return {}

    def address(self, place: str) -> Address | None:
        said = _snake(self.object(place))
        if not said:
            return None
        return Address(**{name: said[name] for name in Address.__struct_fields__ if said.get(name) is not None})

    def lines(self) -> Iterator[Line]:
        found = self.said.get("lines")
        found = [] if found is None else found
        if not isinstance(found, list):
            self.wrong("wrong_type", "expected a list", "lines", found)
            return
        for position, said in enumerate(found):
            if not isinstance(said, dict):
                self.wrong("wrong_type", "expected an object", f"lines[{position}]", said)
                continue
            said = _snake(said)
            made: dict[str, Any] = {}
            for name in Line.__struct_fields__:
                if said.get(name) is None:
                    continue
                value = said[name]
                if name in _LINE_DECIMALS:
                    value = self.decimal(said, name, f"lines[{position}].{name}")
                if value is not None:
                    made[name] = value
            made.setdefault("quantity", Decimal(1))
            yield Line(**made)


def write_rows(content: Content) -> list[list[str]]:
    """The rows of a CSV: one per line, the order's own columns repeated, so that sorting or cutting loses nothing."""
    head = [_cell(_look_up(content, path)) for path in HEAD_COLUMNS]
    if not content.lines:
        return [[*head, *[""] * len(LINE_COLUMNS)]]
    return [[*head, *(_cell(getattr(line, name)) for name in Line.__struct_fields__)] for line in content.lines]


def _look_up(content: Content, path: str) -> Any:
    place, dot, leaf = path.partition(".")
    if not dot:
        value = getattr(content, path)
        return iso(value) if path in ("placed_at", "updated_at") else value
    if place == "identifiers":
        return content.identifiers.get(leaf)
    address: Address | None = getattr(content, place)
    if address is None:
        return None
    if leaf == "country":
        return address.country_code or address.country
    return getattr(address, leaf)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)


def bare(order: Order) -> Content:
    """What is known of an order whose document is past the retention time."""
    return Content(
        dialect=order.dialect,
        source=order.source,
        reference=order.reference,
        status=order.status,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        lines=(),
        amount=None if order.amount is None else Decimal(order.amount),
        currency=order.currency,
    )
