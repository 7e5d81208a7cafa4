"""Centra's order <-> the normal form every dialect can read (core.order.Content). Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.order import Address, Content, Line, Order
from ordermill.dialects.centra import lenient, wire
from ordermill.dialects.centra.countries import CODE_OF
from ordermill.dialects.centra.inbound import DIALECT, facts_of, read_clean
from ordermill.dialects.centra.money import MONEY_MAX, amount, rounded
from ordermill.dialects.centra.settings import DEFAULT_RULES, Rules
from ordermill.dialects.reading import iso

OPTIONS = (
    "createOnly", "sendEmail", "adjustStock", "forceCreate", "applyVouchers", "customerRegister",
    "customerSetNewPassword", "internalOrder",
)  # fmt: skip
EXTRA = (
    "pricelistId", "pricelist", "marketId", "market", "customerId", "createdFromOrigin", "accountId", "buyerId",
    "buyerName", "deliveryWindow", "shippingList", "internalComment", "poNumber", "deliveryDate", "cancelDate",
    "warehouseGroup", "payment",
)  # fmt: skip
LINE_EXTRA = ("item", "upc", "itemText", "localizedProdSize")

_NUMBER = re.compile("[1-9][0-9]{0,9}")
_QUANTITY_MAX = 1_000_000


def read_content(order: Order, rules: Rules = DEFAULT_RULES) -> Content:
    """A Centra order, document included, in normal form. Never fails for an order that was accepted once."""
    said = read_said(order.document or "", rules)
    if said is None:  # no document any more (retention): what the head knows
        return _bare(order)
    facts = facts_of(said)
    identifiers = {"email": facts.email, "phone": facts.phone} if facts else {}
    payment = said.payment
    charge = (payment.auth or payment.capture) if payment else None
    return Content(
        dialect=DIALECT,
        source=order.source,
        reference=order.reference,
        status=order.status,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        lines=tuple(_line(line) for line in said.products),
        amount=None if order.amount is None else Decimal(order.amount),
        currency=order.currency,
        shipping=_cents(said.shippingValue),
        discount=_cents(said.voucherValue),
        identifiers={kind: value for kind, value in identifiers.items() if value},
        ship_to=_address(said.deliveryAddress or said.address),
        bill_to=_address(said.invoiceAddress or said.address),
        coupons=tuple(said.voucherCodes or ()),
        payment_method=charge.method if charge else None,
        store=order.source,
        comment=said.comment,
        metadata=said.extraAttributes or {},
        options={name: bool(value) for name in OPTIONS if (value := getattr(said, name)) is not None},
        extra=_extra(said),
    )


def read_said(document: str, rules: Rules) -> wire.Order | None:
    """What a document that was accepted once says, whatever today's settings are. None for anything else."""
    data = document.encode()
    facts = read_clean(data, rules.relaxed())
    if facts is not None and _listed_exactly(facts.order):
        return facts.order
    return lenient.read_order(data, rules.relaxed()).order or (facts.order if facts else None)


def _listed_exactly(order: wire.Order) -> bool:
    """Whether what the fast pass does not add up is exact hundredths too."""
    charges = (order.payment.auth, order.payment.capture) if order.payment else ()
    amounts = [charge.amount for charge in charges if charge is not None]
    amounts += [line.originalPrice for line in order.products if line.originalPrice is not None]
    return all(round(value * 100) / 100 == value for value in amounts)


def _bare(order: Order) -> Content:
    return Content(
        dialect=DIALECT,
        source=order.source,
        reference=order.reference,
        status=order.status,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        lines=(),
        amount=None if order.amount is None else Decimal(order.amount),
        currency=order.currency,
        store=order.source,
    )


def _cents(value: float | None) -> Decimal | None:
    return None if value is None else amount(round(value * 100))


def _line(line: wire.Line) -> Line:
    price = line.originalPrice if line.unitPrice is None else line.unitPrice
    return Line(
        quantity=Decimal(line.qty),
        unit_price=_cents(price or 0),
        list_price=_cents(line.originalPrice),
        product_id=None if line.id is None else str(line.id),
        sku=line.sku or (line.itemText.sku if line.itemText else None),
        ean=line.ean,
        title=line.itemText.product if line.itemText else None,
        comment=line.comment,
    )


def _address(address: wire.Address | None) -> Address | None:
    if address is None:
        return None
    name = " ".join(part for part in (address.firstName, address.lastName) if part)
    return Address(
        name=name or address.attn,
        line1=address.address,
        line2=address.coaddress,
        city=address.city,
        region=address.state,
        postal_code=address.zipcode,
        country_code=CODE_OF.get(address.country),
        email=address.email,
        phone=address.tele,
        mobile=address.cell,
    )


def _extra(said: wire.Order) -> dict[str, Any]:
    """What only Centra has a word for; `products` runs along the lines, `unpriced` names those without a price (A5)."""
    extra = {name: msgspec.to_builtins(value) for name in EXTRA if (value := getattr(said, name)) is not None}
    for part in ("auth", "capture"):
        if charge := extra.get("payment", {}).get(part):
            charge["amount"] = str(_cents(charge["amount"]))
    rest = [
        {name: msgspec.to_builtins(value) for name in LINE_EXTRA if (value := getattr(line, name)) is not None}
        for line in said.products
    ]
    unpriced = [
        number for number, line in enumerate(said.products) if line.unitPrice is None and line.originalPrice is None
    ]
    attn = {
        name: address.attn
        for name in ("invoiceAddress", "deliveryAddress", "address")
        if (address := getattr(said, name)) is not None and address.attn
    }
    more = {"products": rest if any(rest) else None, "unpriced": unpriced, "attn": attn}
    return extra | {name: value for name, value in more.items() if value}


# -- as Centra would be sent it ---------------------------------------------------------------------------------------


def write_order_request(content: Content) -> tuple[bytes, tuple[str, ...]]:
    """Any order as the body of `POST order`, and the names of the Content fields that it cannot carry.

    Where the order says less than Centra requires (a country, an e-mail address), the body says less too.
    """
    lost: list[str] = []
    own = content.dialect == DIALECT
    body: dict[str, Any] = {}
    for name, address, email in (
        ("invoiceAddress", content.bill_to or content.ship_to, content.identifiers.get("email")),
        ("deliveryAddress", content.ship_to, None),
    ):
        if address is not None or email:
            body[name] = _sent_address(address or Address(), email, "bill_to" if email else "ship_to", lost)
    body["products"] = [_sent_line(line, lost) for line in content.lines]
    if own:
        for sent, rest in zip(body["products"], content.extra.get("products", ()), strict=False):
            sent.update(rest)
        body.update((name, content.options[name]) for name in OPTIONS if name in content.options)
        body.update((name, content.extra[name]) for name in EXTRA if name in content.extra)
    body.update(_sent_rest(content, lost))
    for name in ("updated_at", "currency", "ship_from", "status"):
        if getattr(content, name) is not None and not (own and name != "currency"):
            lost.append(name)
    if not own:
        lost += [name for name in ("options", "extra") if getattr(content, name)]
    return wire.ENCODER.encode(body), tuple(dict.fromkeys(lost))


def _sent_rest(content: Content, lost: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {"orderDate": iso(content.placed_at)}
    if _NUMBER.fullmatch(content.reference) and int(content.reference) < 2**31:
        body["orderNumber"] = int(content.reference)
    else:
        lost.append("reference")
    for name, field in (("shippingValue", "shipping"), ("voucherValue", "discount")):
        value = _sent_money(getattr(content, field), field, lost)
        if value is not None:
            body[name] = value
    if content.coupons:
        body["voucherCodes"] = content.coupons
    if content.comment:
        body["comment"] = content.comment
    if content.metadata:
        body["extraAttributes"] = content.metadata
    if content.payment_method and content.dialect != DIALECT:
        lost.append("payment_method")
    return body


def _sent_money(value: Decimal | None, field: str, lost: list[str]) -> Decimal | None:
    if value is None:
        return None
    if not 0 <= value < MONEY_MAX:
        lost.append(field)
        return None
    cents = amount(rounded(value))
    if cents != value:
        lost.append(field)
    return cents


def _sent_line(line: Line, lost: list[str]) -> dict[str, Any]:
    quantity = min(max(int(line.quantity), 1), _QUANTITY_MAX)
    if quantity != line.quantity:
        lost.append("lines.quantity")
    by_id = bool(line.product_id and _NUMBER.fullmatch(line.product_id) and not line.sku)
    sent: dict[str, Any] = {
        "qty": quantity,
        "id": int(line.product_id or 0) if by_id else None,
        "sku": None if by_id else line.sku or line.variant_id or line.product_id,
        "ean": line.ean,
        "unitPrice": _sent_money(line.unit_price, "lines.unit_price", lost),
        "originalPrice": _sent_money(line.list_price, "lines.list_price", lost),
        "comment": line.comment,
        "itemText": {"product": line.title} if line.title else None,
    }
    unsaid = ("description", "currency", "weight", "weight_unit", "origin_country", "hs_code")
    lost += [f"lines.{field}" for field in unsaid if getattr(line, field) is not None]
    return {name: value for name, value in sent.items() if value is not None}


def _sent_address(address: Address, email: str | None, field: str, lost: list[str]) -> dict[str, Any]:
    first, _, last = (address.name or "").partition(" ")
    country = CODE_OF.get(address.country_code or address.country or "")
    sent = {
        "email": address.email or email,
        "firstName": first,
        "lastName": last,
        "address": " ".join(part for part in (address.line1, address.street_number) if part),
        "coaddress": address.line2,
        "zipcode": address.postal_code,
        "city": address.city,
        "state": address.region,
        "country": country,
        "tele": address.phone,
        "cell": address.mobile,
    }
    if address.country and not country:
        lost.append(f"{field}.country")
    lost += [f"{field}.{name}" for name in ("company", "residential") if getattr(address, name) is not None]
    return {name: value for name, value in sent.items() if value}
