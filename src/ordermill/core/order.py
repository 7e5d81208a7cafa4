"""An order: what we are given (NewOrder), its newest state (Order), and its content in normal form (Content)."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any

import msgspec


class Mode(enum.IntEnum):
    """Live and test data never meet; the key decides which of the two a request speaks of."""

    LIVE = 0
    TEST = 1


class OnExisting(enum.Enum):
    """What a NewOrder wants done when its key is taken."""

    UPDATE = "update"  # the newest instant wins (Brevo)
    KEEP = "keep"  # the order that is there is the answer (Karrio batch)
    REFUSE = "refuse"  # a Problem (Karrio single, Centra)


class OrderKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """What makes an order one and the same, within an account and a mode.

    `dialect`: the contract it came in through. `source`: the contract's own name space ('' where it has none).
    `reference`: the merchant's id of the order.
    """

    dialect: str
    source: str
    reference: str


class NewOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One valid order as a dialect read it: the facts that decide and are listed, and the bytes as sent.

    Instants are microseconds since 1970 UTC. `updated_at` None: the contract has no version instant, the time of
    receipt stands in. `reference` None: the ledger allots the next free number of the source.
    `amount` is plain decimal text (no exponent) or None. `content_hash` is a signed 64-bit number over everything the
    merchant said (not over how the JSON was laid out): equal hash, equal content.
    `identifiers` are (kind, value) pairs, strongest first, already in their canonical spelling.
    `document` is the order's JSON as sent, valid UTF-8.
    """

    dialect: str
    source: str
    reference: str | None
    status: str
    placed_at: int
    updated_at: int | None
    amount: str | None
    currency: str | None
    identifiers: tuple[tuple[str, str], ...]
    content_hash: int
    document: str
    on_existing: OnExisting
    request_id: str | None = None
    numbered: bool = False  # the references of this source are numbers, and lists are sorted by them
    released: bool = False  # True frees the key: the next order under it is a new one (karrio: cancelled, delivered)
    warnings: tuple[str, ...] = ()


class Order(msgspec.Struct, frozen=True, gc=False):
    """The newest state of an order in the ledger; the content stands in its newest document.

    `id` is ours, unique over all accounts. `revision` counts the recorded versions that were current, from 1.
    `document` may be None where only the head was asked for.
    """

    id: int
    account_id: int
    mode: Mode
    dialect: str
    source: str
    reference: str
    revision: int
    status: str
    placed_at: int
    updated_at: int
    received_at: int
    changed_at: int
    amount: str | None
    currency: str | None
    contact_id: int | None
    content_hash: int
    request_id: str | None
    released: bool
    number: int | None = None
    document: str | None = None

    @property
    def key(self) -> OrderKey:
        return OrderKey(self.dialect, self.source, self.reference)


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded version of an order, in the order of arrival. A stale one was kept, but never became current.

    `batch_id` is None for what came in by itself.
    """

    item_id: int
    order_id: int
    revision: int
    stale: bool
    updated_at: int
    received_at: int
    document: str | None
    historical: bool = False
    batch_id: int | None = None


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where something goes or who pays. Every field as sent; None where nothing was said."""

    name: str | None = None
    company: str | None = None
    line1: str | None = None
    line2: str | None = None
    street_number: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    residential: bool | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order. Quantities and money are exact decimals."""

    quantity: Decimal
    unit_price: Decimal | None = None
    list_price: Decimal | None = None
    product_id: str | None = None
    variant_id: str | None = None
    sku: str | None = None
    ean: str | None = None
    title: str | None = None
    description: str | None = None
    currency: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    origin_country: str | None = None
    hs_code: str | None = None
    comment: str | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order says, in the normal form every dialect can read and write.

    `placed_at`/`updated_at`: microseconds since 1970 UTC. `extra`: what only the dialect of origin has a word for.
    """

    dialect: str
    source: str
    reference: str
    status: str
    placed_at: int
    updated_at: int
    lines: tuple[Line, ...]
    amount: Decimal | None = None
    currency: str | None = None
    shipping: Decimal | None = None
    discount: Decimal | None = None
    identifiers: dict[str, str] = {}
    ship_to: Address | None = None
    ship_from: Address | None = None
    bill_to: Address | None = None
    coupons: tuple[str, ...] = ()
    payment_method: str | None = None
    store: str | None = None
    comment: str | None = None
    metadata: dict[str, Any] = {}
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
