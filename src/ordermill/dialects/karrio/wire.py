"""Karrio's JSON, field for field, and the two tables of limits that decide how long its texts may be.

The structs are the contract's shapes without limits: what is stored is read back through them. `strict_decoder` makes
from them, once at start, the decoder of the fast pass, with the limits and codes that were chosen.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from ordermill.dialects.karrio import codes


class Address(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """AddressData (contract, section 3)."""

    postal_code: str | None = None
    city: str | None = None
    federal_tax_id: str | None = None
    state_tax_id: str | None = None
    person_name: str | None = None
    company_name: str | None = None
    country_code: str
    email: str | None = None
    phone_number: str | None = None
    state_code: str | None = None
    residential: bool | None = False
    street_number: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    validate_location: bool | None = False


class Commodity(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """CommodityData (contract, section 3): one line."""

    # A double by contract, and nothing is reckoned with it: twice as fast as a Decimal, and never NaN.
    weight: int | float
    weight_unit: str
    title: str | None = None
    description: str | None = None
    quantity: int = 1
    sku: str | None = None
    hs_code: str | None = None
    value_amount: Decimal | None = None
    value_currency: str | None = None
    origin_country: str | None = None
    parent_id: str | None = None
    metadata: dict[str, Any] | None = None


class Order(msgspec.Struct, gc=False, kw_only=True, omit_defaults=True):
    """OrderData (contract, section 3). `source` '' means: not sent."""

    order_id: str
    shipping_to: Address
    line_items: list[Commodity]
    order_date: date | None = None
    source: str = ""
    shipping_from: Address | None = None
    billing_address: Address | None = None
    options: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}


class Envelope(msgspec.Struct, gc=False):
    """The body of a batch. The orders stay as sent: each is read by itself."""

    orders: list[msgspec.Raw]


# Longest texts in characters (contract, section 9, row 6): the published page, and the server since August 2025.
Characters = dict[str, int]
LIMITS: dict[str, tuple[Characters, Characters]] = {
    "source": (
        {
            "postal_code": 10, "city": 30, "federal_tax_id": 20, "state_tax_id": 20, "person_name": 50,
            "company_name": 50, "phone_number": 20, "state_code": 20, "street_number": 20, "address_line1": 50,
            "address_line2": 50,
        },
        {"title": 35, "description": 100, "sku": 35, "hs_code": 35},
    ),
    "2025": (
        {
            "postal_code": 20, "city": 50, "federal_tax_id": 50, "state_tax_id": 50, "person_name": 100,
            "company_name": 100, "phone_number": 50, "state_code": 50, "street_number": 100, "address_line1": 100,
            "address_line2": 100,
        },
        {"title": 200, "description": 200, "sku": 100, "hs_code": 100},
    ),
}  # fmt: skip
REFERENCE_CHARS = 50  # order_id and source: undocumented, a longer one breaks the real server (section 3)
QUANTITY_MAX = 2**31 - 1  # the real server keeps quantities in 32 bits
WEIGHT_MAX = 10**15


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is held against. `*_chars` are characters by field name; codes None: any text is taken."""

    address_chars: Characters
    line_chars: Characters
    countries: tuple[str, ...] | None
    currencies: tuple[str, ...] | None
    reference_chars: int = REFERENCE_CHARS
    text_chars: int = 10_000
    lines: int = 1_000
    keys: int = 100
    nesting: int = 64


def rules(
    limits: Literal["source", "2025"],
    accepted: Literal["contract", "extended"],
    *,
    text_chars: int,
    lines: int,
    keys: int,
    nesting: int,
) -> Rules:
    """The rules of a setting: which table of limits, which codes, and the house's own bounds."""
    address_chars, line_chars = LIMITS[limits]
    extended = accepted == "extended"
    return Rules(
        address_chars=address_chars,
        line_chars=line_chars,
        countries=codes.COUNTRIES + (codes.ISO_COUNTRIES if extended else ()),
        currencies=codes.CURRENCIES + (codes.ISO_CURRENCIES if extended else ()),
        text_chars=text_chars,
        lines=lines,
        keys=keys,
        nesting=nesting,
    )


# What was once accepted is read back without limits: a setting may have been narrowed since.
_ANY = 2**31 - 1
NO_RULES = Rules(
    address_chars={}, line_chars={}, countries=None, currencies=None,
    reference_chars=_ANY, text_chars=_ANY, lines=_ANY, keys=_ANY, nesting=900,
)  # fmt: skip

T = TypeVar("T", bound=msgspec.Struct)


def lenient_decoder() -> msgspec.json.Decoder[Order]:
    """Reads back what was accepted; numbers in free objects stay exact."""
    return msgspec.json.Decoder(Order, float_hook=_exact)


def _exact(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that no Decimal can hold; as a double it was taken, so it is 0
        return float(text)


def strict_decoder(rules: Rules) -> msgspec.json.Decoder[Order]:
    """The decoder of the fast pass. What it passes is good but for what inbound looks at; what it does not may be."""
    free = Annotated[dict[str, Any], Meta(max_length=rules.keys)]
    country = _choice(rules.countries)
    address = _narrowed(
        Address, {"country_code": country, "email": _text(rules.text_chars) | None} | _texts(rules.address_chars)
    )
    line = _narrowed(
        Commodity,
        {
            "weight": Annotated[int, Meta(ge=-WEIGHT_MAX, le=WEIGHT_MAX)]
            | Annotated[float, Meta(ge=-WEIGHT_MAX, le=WEIGHT_MAX)],
            "weight_unit": Literal[codes.WEIGHT_UNITS],
            "quantity": Annotated[int, Meta(ge=-QUANTITY_MAX - 1, le=QUANTITY_MAX)],
            "value_currency": _choice(rules.currencies) | None,
            "origin_country": country | None,
            "parent_id": Annotated[str, Meta(min_length=1, max_length=rules.text_chars)] | None,
            "metadata": free | None,
        }
        | _texts(rules.line_chars),
    )
    reference = Annotated[str, Meta(min_length=1, max_length=rules.reference_chars)]
    order = _narrowed(
        Order,
        {
            "order_id": reference,
            "source": reference,
            "shipping_to": address,
            "shipping_from": address | None,
            "billing_address": address | None,
            "line_items": Annotated[list[line], Meta(min_length=1, max_length=rules.lines)],  # type: ignore[valid-type]
            "options": free | None,
            "metadata": free,
        },
    )
    return msgspec.json.Decoder(order)


def _text(chars: int) -> Any:
    return Annotated[str, Meta(max_length=chars)]


def _texts(chars: Characters) -> dict[str, Any]:
    return {name: _text(limit) | None for name, limit in chars.items()}


def _choice(of: tuple[str, ...] | None) -> Any:
    return str if of is None else Literal[of]


def _narrowed(shape: type[T], types: dict[str, Any]) -> type[T]:
    """The same struct with narrower types for some of its fields. The order of the fields stays (the hash needs it)."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(shape):
        if field.name in types:
            fields.append((field.name, types[field.name]) if field.required else _defaulted(field, types[field.name]))
    made: Any = msgspec.defstruct(
        shape.__name__, fields, bases=(shape,), kw_only=True, gc=False, omit_defaults=True, module=__name__
    )
    return made  # type: ignore[no-any-return]


def _defaulted(field: msgspec.structs.FieldInfo, narrower: Any) -> tuple[str, Any, Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, narrower, msgspec.field(default_factory=field.default_factory)
    return field.name, narrower, field.default


class Resource(msgspec.Struct, frozen=True, gc=False):
    """One order's place in an operation (contract, section 3)."""

    id: str
    status: str
    errors: dict[str, list[str]] | None = None


class Operation(msgspec.Struct, frozen=True):
    """BatchOperation (contract, section 3): all seven fields, always."""

    id: str
    status: str
    resource_type: str
    resources: list[Resource]
    created_at: str
    updated_at: str
    test_mode: bool


class Listed(msgspec.Struct, frozen=True):
    """A page of anything (contract, section 4)."""

    count: int
    next: str | None
    previous: str | None
    results: list[msgspec.Raw]


class Error(msgspec.Struct, frozen=True):
    """One error (contract, section 2)."""

    message: str
    code: str
    details: dict[str, list[str]]


class Errors(msgspec.Struct, frozen=True):
    """The body of every answer that is none (contract, section 2)."""

    errors: list[Error]
