"""Orders, batches and Refusals -> Brevo's JSON; and an order's document -> Content. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.batch import Batch, Item
from ordermill.core.errors import (
    Conflict,
    Duplicate,
    Forbidden,
    Invalid,
    KeyReused,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Overloaded,
    Refusal,
    TooLarge,
    TooMany,
    TooOften,
    Unauthorized,
    Unreadable,
    UnsupportedMedia,
)
from ordermill.core.order import Address, Content, Line, Order
from ordermill.core.query import Page
from ordermill.dialects.brevo import wire
from ordermill.dialects.brevo.lenient import read_exactly
from ordermill.dialects.brevo.problems import PROBLEMS_MAX, describe
from ordermill.dialects.reading import DECODE_ERRORS, instant, iso
from ordermill.web.http import Reply, Request

# Contract section 2. The contract's list of codes is closed (one SDK line raises on any other) and has none for
# "come back later": clients look at the status there. 409 is never sent, SDKs would repeat the call.
ERRORS: dict[type[Refusal], tuple[int, str]] = {
    Unreadable: (400, "invalid_parameter"),
    TooLarge: (413, "invalid_parameter"),
    TooMany: (400, "out_of_range"),
    Invalid: (400, "invalid_parameter"),
    Unauthorized: (401, "unauthorized"),
    Forbidden: (403, "permission_denied"),
    NotFound: (404, "document_not_found"),
    MethodNotAllowed: (405, "method_not_allowed"),
    UnsupportedMedia: (415, "invalid_parameter"),
    NotAcceptable: (406, "not_acceptable"),
    Conflict: (400, "invalid_parameter"),
    Duplicate: (400, "duplicate_parameter"),
    KeyReused: (400, "duplicate_request"),
    TooOften: (429, "too_many_requests"),
    Overloaded: (503, "unprocessable_entity"),
}
RETRY_AFTER_S = 1  # where the refusal does not say

_encode = msgspec.json.Encoder(decimal_format="number").encode
_exact_decoder: msgspec.json.Decoder[wire.Order[Decimal]] = msgspec.json.Decoder(wire.ExactOrder)
_ZERO = Decimal(0)


# ----------------------------------------------------------------------------------------------------------- refusals


def write_refusal(refusal: Refusal, request: Request) -> Reply:
    """`{"code", "message"}`, never empty; all problems in the additive `errors`, where an order has some."""
    status, code = next((ERRORS[kind] for kind in type(refusal).__mro__ if kind in ERRORS), (400, "invalid_parameter"))
    problems = refusal.problems
    if problems and problems[0].contract_code and status == 400:
        code = problems[0].contract_code
    body = wire.Error(
        code=code,
        message=_message(refusal, request),
        errors=[
            wire.Failure(field=problem.field, code=problem.code, message=describe(problem))
            for problem in problems[:PROBLEMS_MAX]
        ],
    )
    return Reply(status, _encode(body), headers=tuple(_refusal_headers(refusal)))


def _message(refusal: Refusal, request: Request) -> str:
    if isinstance(refusal, Unauthorized):
        # The wording of the real service for a call without a key, which clients look for (contract section 1).
        return "Key not found" if _sent_key(request) else "authentication not found in headers"
    message = refusal.message
    if refusal.field and not message.startswith(refusal.field):
        message = f"{refusal.field}: {message}"
    return message if refusal.hint in message else f"{message}; {refusal.hint}"


def _sent_key(request: Request) -> bool:
    return "api-key" in request.headers or "authorization" in request.headers


def _refusal_headers(refusal: Refusal) -> Iterable[tuple[str, str]]:
    """SDKs heed Retry-After and not the contract's own headers (section 3), which the shell adds to every answer."""
    if isinstance(refusal, TooOften | Overloaded):
        yield "retry-after", str(refusal.retry_after_s or RETRY_AFTER_S)


def throttle_headers(limit: int, remaining: int, reset_s: int) -> tuple[tuple[str, str], ...]:
    """On every answer of a rate-limited call (contract section 3)."""
    return (
        ("x-sib-ratelimit-limit", str(limit)),
        ("x-sib-ratelimit-remaining", str(remaining)),
        ("x-sib-ratelimit-reset", str(reset_s)),
    )


# ------------------------------------------------------------------------------------------------------------ batches


def write_accepted(batch_id: int, count: int) -> bytes:
    """The 202 of a batch (contract section 6). `count`: the orders submitted, however often an id occurs."""
    return _encode(wire.Accepted(batchId=batch_id, batch_id=batch_id, count=count))


def write_batch(batch: Batch, items: tuple[Item, ...]) -> bytes:
    """The answer once more, from the ledger. It has no room for items."""
    return write_accepted(batch.id, batch.counts.received)


# ------------------------------------------------------------------------------------------- document -> normal form


def read_content(order: Order) -> Content:
    """An order of this contract, its newest document included -> normal form, every number exact.

    Without a document (it is not kept for ever) the facts of the head remain.
    """
    sent = _read_document(order.document)
    if sent is None:
        return _read_head(order)
    who = _identifiers_said(sent)
    whole_floats = [place for place, product in enumerate(sent.products) if _is_whole_float(product)]
    return Content(
        dialect=wire.NAME,
        source=order.source,
        reference=order.reference,
        status=sent.status,
        placed_at=instant(sent.createdAt),
        updated_at=instant(sent.updatedAt),
        lines=tuple(map(_read_line, sent.products)),
        amount=_decimal(bytes(sent.amount).decode()),
        identifiers=who,
        bill_to=None if sent.billing is None else _read_billing(sent.billing),
        coupons=_first_spellings(sent.coupons or ()),
        payment_method=None if sent.billing is None else sent.billing.paymentMethod,
        store=sent.storeId,
        metadata=dict(sent.metaInfo or {}),
        extra={"whole_floats": whole_floats} if whole_floats else {},
    )


def _read_document(document: str | None) -> wire.Order[Decimal] | None:
    if document is None:
        return None
    raw = document.encode()
    try:
        return _exact_decoder.decode(raw)
    except DECODE_ERRORS:
        return read_exactly(raw).order


def _read_head(order: Order) -> Content:
    return Content(
        dialect=wire.NAME,
        source=order.source,
        reference=order.reference,
        status=order.status,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        lines=(),
        amount=None if order.amount is None else Decimal(order.amount),
        currency=order.currency,
    )


def _identifiers_said(sent: wire.Order[Decimal]) -> dict[str, str]:
    who = sent.identifiers or wire.Identifiers()
    said = {
        "email": who.email_id or sent.email,
        "ext": who.ext_id,
        "phone": who.phone_id,
        "loyalty": who.loyalty_subscription_id,
    }
    return {kind: value for kind, value in said.items() if value}


def _is_whole_float(product: wire.Product[Decimal]) -> bool:
    """Said as quantityFloat although quantity would have done: only this contract has two words for it."""
    exact = product.quantityFloat
    return exact is not None and exact != 0 and exact == exact.to_integral_value()


def _read_line(product: wire.Product[Decimal]) -> Line:
    quantity = product.quantityFloat or Decimal(product.quantity or 0)
    return Line(
        product_id=product.productId,
        variant_id=product.variantId,
        quantity=quantity or _ZERO,
        unit_price=product.price or _ZERO,
    )


def _read_billing(billing: wire.Billing) -> Address:
    return Address(
        line1=billing.address,
        city=billing.city,
        region=billing.region,
        postal_code=billing.postCode,
        country=billing.country,
        country_code=billing.countryCode,
        phone=billing.phone,
    )


def _decimal(text: str) -> Decimal:
    """Zero has many spellings, some of them with exponents that nobody wants to see written out."""
    return Decimal(text) or _ZERO


def _first_spellings(coupons: Iterable[str]) -> tuple[str, ...]:
    """Coupons are case-insensitive (contract section 4): one of each, as it was spelled first."""
    first: dict[str, str] = {}
    for coupon in coupons:
        first.setdefault(coupon.casefold(), coupon)
    return tuple(first.values())


# ------------------------------------------------------------------------------------------- normal form -> their JSON


def write_orders(page: Page[Order]) -> bytes:
    """The body of GET /orders (contract section 8), from orders of this contract with their documents."""
    orders = [write_order(read_content(order), order) for order in page.entries]
    return _encode(wire.Listing(count=len(orders) if page.count is None else page.count, orders=orders))


def write_content(content: Content, order: Order) -> bytes:
    """Any order, whichever contract it came in through, as GET /orders would list it."""
    return _encode(write_order(content, order))


def write_order(content: Content, order: Order) -> wire.ListedOrder:
    """One entry of GET /orders. Instants are UTC; what nobody said is left out."""
    whole_floats = frozenset(content.extra.get("whole_floats", ()))
    coupons = list(content.coupons)
    metadata, _ = _write_meta(content.metadata)
    return wire.ListedOrder(
        id=content.reference,
        createdAt=iso(content.placed_at),
        updatedAt=iso(content.updated_at),
        status=content.status,
        amount=content.amount,
        products=[_write_line(line, place in whole_floats) for place, line in enumerate(content.lines)],
        storeId=content.store,
        identifiers=_write_identifiers(content),
        email=content.identifiers.get("email"),
        contact_id=order.contact_id if _names_somebody(content) else None,
        billing=_write_billing(content),
        coupons=coupons or None,
        metaInfo=metadata or None,
    )


def _write_line(line: Line, as_float: bool) -> wire.ListedProduct:
    whole = not as_float and line.quantity == line.quantity.to_integral_value()
    return wire.ListedProduct(
        productId=_product_id(line),
        price=line.unit_price,
        quantity=int(line.quantity) if whole else 0,
        quantityFloat=0 if whole else line.quantity,
        variantId=line.variant_id,
    )


def _product_id(line: Line) -> str:
    """The contract cannot do without one: the next best name of the thing stands in."""
    return line.product_id or line.sku or line.variant_id or line.ean or line.title or "unknown"


def _write_identifiers(content: Content) -> wire.Identifiers | None:
    said = content.identifiers
    who = wire.Identifiers(
        email_id=said.get("email"),
        phone_id=said.get("phone"),
        ext_id=said.get("ext"),
        loyalty_subscription_id=said.get("loyalty"),
    )
    return who if who != wire.Identifiers() else None


def _names_somebody(content: Content) -> bool:
    """There is no contact_id where there is no identifier (contract section 8): the order's newest version decides."""
    return bool(content.identifiers or (content.bill_to is not None and content.bill_to.phone))


def _write_billing(content: Content) -> wire.Billing | None:
    """The contract knows one address, for billing and delivery alike."""
    place = content.bill_to or content.ship_to or Address()
    street = " ".join(part for part in (place.line1, place.street_number) if part)
    billing = wire.Billing(
        address=", ".join(part for part in (street, place.line2) if part) or None,
        city=place.city,
        country=place.country,
        countryCode=place.country_code,
        phone=place.phone or place.mobile,
        postCode=place.postal_code,
        paymentMethod=content.payment_method,
        region=place.region,
    )
    return billing if billing != wire.Billing() else None


def _write_meta(metadata: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Texts, whole numbers and booleans; other numbers by their digits. Also the names that cannot be carried."""
    carried: dict[str, Any] = {}
    lost = []
    for name, value in metadata.items():
        if isinstance(value, str | int):
            carried[name] = value
        elif isinstance(value, Decimal | float):
            carried[name] = str(value)
        elif value is not None:
            lost.append(f"metadata.{name}")
    return carried, lost


# ------------------------------------------------------------------------------------------------ as it would be sent

# What the contract has a word for; everything else that an order says is named as lost.
_CARRIED = frozenset(
    {
        *("dialect", "source", "reference", "status", "placed_at", "updated_at", "lines", "amount", "identifiers"),
        *("coupons", "payment_method", "store", "metadata", "bill_to", "extra"),
    }
)
_CARRIED_OF_LINE = frozenset({"quantity", "unit_price", "product_id", "variant_id"})
_CARRIED_OF_ADDRESS = frozenset(
    {"line1", "line2", "street_number", "city", "region", "postal_code", "country", "country_code", "phone"}
)


def write_order_request(content: Content) -> tuple[bytes, tuple[str, ...]]:
    """Any order as it would be sent to POST /orders/status, and the core fields that cannot be carried along."""
    metadata, lost = _write_meta(content.metadata)
    amount = content.amount if content.amount is not None else _sum_up(content)
    if amount is None:
        lost.append("amount")
    sent = wire.SentOrder(
        id=content.reference,
        createdAt=iso(content.placed_at),
        updatedAt=iso(content.updated_at),
        status=content.status,
        amount=_ZERO if amount is None else amount,
        products=[_send_line(line) for line in content.lines],
        storeId=content.store,
        identifiers=_write_identifiers(content),
        billing=_write_billing(content),
        coupons=list(content.coupons) or None,
        metaInfo=metadata or None,
    )
    return _encode(sent), tuple(sorted({*lost, *_lost_fields(content)}))


def _sum_up(content: Content) -> Decimal | None:
    """The total including shipping, where every line has a price."""
    if not content.lines or any(line.unit_price is None for line in content.lines):
        return None
    total = sum((line.quantity * (line.unit_price or _ZERO) for line in content.lines), _ZERO)
    return total + (content.shipping or _ZERO) - (content.discount or _ZERO)


def _send_line(line: Line) -> wire.SentProduct:
    whole = line.quantity == line.quantity.to_integral_value()
    return wire.SentProduct(
        productId=_product_id(line),
        price=_ZERO if line.unit_price is None else line.unit_price,
        quantity=int(line.quantity) if whole else None,
        quantityFloat=None if whole else line.quantity,
        variantId=line.variant_id,
    )


def _lost_fields(content: Content) -> Iterable[str]:
    for name in _LOST_OF_ORDER:
        if getattr(content, name) not in _NOTHING and (name != "ship_to" or content.bill_to is not None):
            yield name
    for kind in content.identifiers.keys() - {"email", "phone", "ext", "loyalty"}:
        yield f"identifiers.{kind}"
    which, place = ("bill_to", content.bill_to) if content.bill_to is not None else ("ship_to", content.ship_to)
    if place is not None:
        yield from (f"{which}.{name}" for name in _lost_of_address(place))
    for line in content.lines:
        if line.unit_price is None:
            yield "lines.unit_price"
        for name in _LOST_OF_LINE:
            if getattr(line, name) is not None:
                yield f"lines.{name}"


def _lost_of_address(place: Address) -> Iterable[str]:
    for name in _LOST_OF_ADDRESS:
        # A mobile phone stands in for a missing phone.
        if getattr(place, name) is not None and (name != "mobile" or place.phone is not None):
            yield name


_NOTHING: tuple[Any, ...] = (None, (), {})
_LOST_OF_ORDER = tuple(name for name in Content.__struct_fields__ if name not in _CARRIED)
_LOST_OF_ADDRESS = tuple(name for name in Address.__struct_fields__ if name not in _CARRIED_OF_ADDRESS)
_LOST_OF_LINE = tuple(name for name in Line.__struct_fields__ if name not in _CARRIED_OF_LINE)
