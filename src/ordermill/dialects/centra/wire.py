"""Centra's order as its document describes it, field for field; the typed form of the fast pass.

Unknown members are passed over (contract A18): they stay in the document as sent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from ordermill.dialects.centra.countries import CODE_OF
from ordermill.dialects.centra.money import MONEY_MAX

if TYPE_CHECKING:
    Country = str
else:  # in any spelling: the decoder looks it up faster than we could
    Country = Literal[tuple(CODE_OF)]

# Money comes off the wire as the nearest binary number, and is never calculated with: inbound.facts_of() takes the
# exact hundredths from it, or has the digits read again as Decimal (docs/dialects/centra.md, "Money").
Money = Annotated[int, Meta(ge=0, lt=MONEY_MAX)] | Annotated[float, Meta(ge=0, lt=MONEY_MAX)]
Email = Annotated[str, Meta(max_length=320)]
Flag = bool | Annotated[int, Meta(ge=0, le=1)]
Id = Annotated[int, Meta(ge=0, le=2**53)]
Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    country: Country
    email: Email | None = None
    firstName: str | None = None
    lastName: str | None = None
    tele: str | None = None
    cell: str | None = None
    attn: str | None = None
    address: str | None = None
    coaddress: str | None = None
    city: str | None = None
    zipcode: str | None = None
    state: str | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    type: Literal["return", "order", "plugin"]
    id: Id


class LocalSize(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    localizedSize: str | None = None
    localizationDefinitionName: str | None = None


class ItemText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    sku: str | None = None
    brand: str | None = None
    product: str | None = None
    variant: str | None = None
    size: str | None = None
    localizedProdSize: LocalSize | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    qty: Quantity
    id: Id | None = None
    ean: str | None = None
    sku: str | None = None
    item: str | None = None
    upc: str | None = None
    unitPrice: Money | None = None
    originalPrice: Money | None = None
    comment: str | None = None
    itemText: ItemText | None = None
    localizedProdSize: LocalSize | None = None


class Charge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An authorisation or a capture. `status`: 0 pending, 1 success, 2 failed."""

    status: Literal[0, 1, 2]
    amount: Money
    response: str | None = None
    transaction: str | None = None
    method: str | None = None
    external_url: str | None = None


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    id: Id | None = None
    auth: Charge | None = None
    capture: Charge | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The parameters of Create Order (contract section 3), in its order."""

    products: list[Line]
    invoiceAddress: Address | None = None
    deliveryAddress: Address | None = None
    address: Address | None = None
    pricelistId: Id | None = None
    pricelist: str | None = None
    marketId: Id | None = None
    market: str | None = None
    customerRegister: Flag | None = None
    customerId: Id | None = None
    customerSetNewPassword: Flag | None = None
    createdFromOrigin: Origin | None = None
    extraAttributes: dict[str, Any] | None = None
    accountId: Id | None = None
    buyerId: Id | None = None
    buyerName: str | None = None
    deliveryWindow: str | None = None
    shippingList: str | None = None
    shippingValue: Money | None = None
    voucherValue: Money | None = None
    applyVouchers: Flag | None = None
    voucherCodes: list[str] | None = None
    orderNumber: Number | None = None
    sendEmail: Flag | None = None
    adjustStock: Flag | None = None
    forceCreate: Flag | None = None
    comment: str | None = None
    internalComment: str | None = None
    poNumber: str | None = None
    orderDate: str | None = None
    deliveryDate: str | None = None
    cancelDate: str | None = None
    warehouseGroup: str | None = None
    createOnly: Flag | None = None
    internalOrder: Flag | None = None
    payment: Payment | None = None


class Name:
    """One name of a keyed batch, told apart from an equal one: so a dict keeps a name that was sent twice."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _name(kind: Any, text: Any) -> Any:
    return kind(text)


BATCH = msgspec.json.Decoder(dict[Name, Raw], dec_hook=_name)
ORDER = msgspec.json.Decoder(Order, float_hook=Decimal)  # floats of free-form members only: they keep their digits
MEMBERS = msgspec.json.Decoder(dict[str, Raw])
VALUE = msgspec.json.Decoder(Raw)
ENCODER = msgspec.json.Encoder(decimal_format="number")
