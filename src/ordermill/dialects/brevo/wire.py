"""Brevo's JSON, field for field as the contract spells it, no behaviour.

Names stand as on the wire (`createdAt`, but `email_id`), so that nothing has to be renamed in the hot path.
Limits on lengths are part of the types: the decoder checks them for next to nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from ordermill.core.limits import Limits

NAME = "brevo"
REFERENCE_CHARS = Limits().reference_chars
TEXT_CHARS = Limits().text_chars
COUPONS_MAX = 100
NUMBER_LIMIT = 1e15  # amounts, prices and quantities lie between minus this and this

Id = Annotated[str, Meta(max_length=REFERENCE_CHARS)]
RequiredId = Annotated[str, Meta(min_length=1, max_length=REFERENCE_CHARS)]
Text = Annotated[str, Meta(max_length=TEXT_CHARS)]
Moment = Annotated[datetime, Meta(tz=True)]
Whole = Annotated[int, Meta(gt=-(10**15), lt=10**15)]
AnyInt = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Coupons = Annotated[list[Id], Meta(max_length=COUPONS_MAX)]
Rough = Annotated[float, Meta(gt=-NUMBER_LIMIT, lt=NUMBER_LIMIT)]  # enough to check a number, not to keep it

Number = TypeVar("Number", float, Decimal)


class Envelope(msgspec.Struct, frozen=True):
    """The body of POST /orders/status/batch; the orders stay undecoded."""

    orders: list[msgspec.Raw]
    historical: bool | None = None
    notifyUrl: str | None = None


class Identifiers(msgspec.Struct, omit_defaults=True, gc=False):
    email_id: Id | None = None
    phone_id: Id | None = None
    ext_id: Id | None = None
    loyalty_subscription_id: Id | None = None


class Product(msgspec.Struct, Generic[Number], omit_defaults=True, gc=False, kw_only=True):
    productId: RequiredId
    price: Number
    quantity: Whole | None = None
    quantityFloat: Number | None = None
    variantId: Id | None = None


class Billing(msgspec.Struct, omit_defaults=True, gc=False):
    address: Text | None = None
    city: Text | None = None
    country: Text | None = None
    countryCode: Text | None = None
    phone: Id | None = None
    postCode: Text | None = None
    paymentMethod: Text | None = None
    region: Text | None = None


class Order(msgspec.Struct, Generic[Number], omit_defaults=True, gc=False, kw_only=True):
    """One order as sent. `amount` stays the bytes it was sent in; `email` is the older line's only identifier."""

    id: RequiredId
    createdAt: Moment
    updatedAt: Moment
    status: RequiredId
    amount: msgspec.Raw
    products: list[Product[Number]]
    storeId: Id | None = None
    identifiers: Identifiers | None = None
    email: Id | None = None
    billing: Billing | None = None
    coupons: Coupons | None = None
    metaInfo: dict[Id, Text | AnyInt | bool] | None = None


RoughOrder = Order[Rough]  # the fast pass: prices are checked as doubles, the document keeps their digits
ExactOrder = Order[Decimal]  # what was accepted, read back to the last digit


class Failure(msgspec.Struct, omit_defaults=True):
    """One entry of the additive `errors` list."""

    field: str
    code: str
    message: str


class Error(msgspec.Struct, omit_defaults=True):
    """Every error body. `errors` is ours: all problems, where there are several."""

    code: str
    message: str
    errors: list[Failure] = []


class Accepted(msgspec.Struct):
    """The answer to a batch. Documents and older SDKs read `batchId`, the newest ones `batch_id`."""

    batchId: int
    batch_id: int
    count: int


class ListedProduct(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Both quantities are always there, 0 for the unused one, as in the published example."""

    productId: str
    price: Decimal | None = None
    quantity: int
    quantityFloat: Decimal | int
    variantId: str | None = None


class ListedOrder(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One entry of GET /orders: the request's fields, `email` on top, and the contact's number."""

    id: str
    createdAt: str
    updatedAt: str
    status: str
    amount: Decimal | None = None
    products: list[ListedProduct]
    storeId: str | None = None
    identifiers: Identifiers | None = None
    email: str | None = None
    contact_id: int | None = None
    billing: Billing | None = None
    coupons: list[str] | None = None
    metaInfo: dict[str, Any] | None = None


class Listing(msgspec.Struct):
    """The body of GET /orders. `count`: all matches, not only this page's."""

    count: int
    orders: list[ListedOrder]


class SentProduct(msgspec.Struct, omit_defaults=True, kw_only=True):
    productId: str
    price: Decimal
    quantity: int | None = None
    quantityFloat: Decimal | None = None
    variantId: str | None = None


class SentOrder(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An order as a client of this contract would send it to POST /orders/status."""

    id: str
    createdAt: str
    updatedAt: str
    status: str
    amount: Decimal
    products: list[SentProduct]
    storeId: str | None = None
    identifiers: Identifiers | None = None
    billing: Billing | None = None
    coupons: list[str] | None = None
    metaInfo: dict[str, Any] | None = None
