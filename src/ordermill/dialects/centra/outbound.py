"""Outcomes, orders and refusals -> Centra's JSON. Pure. Holds the ERRORS table."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from ordermill.core import errors
from ordermill.core.batch import Batch, Draft, Item, OutcomeKind, Problem, Settled
from ordermill.core.order import Address, Content, Line, Order
from ordermill.dialects.centra import wire
from ordermill.dialects.centra.content import read_content
from ordermill.dialects.centra.dates import local, read_date
from ordermill.dialects.centra.scalars import GENERAL
from ordermill.dialects.centra.settings import DEFAULT_RULES, Rules
from ordermill.dialects.reading import DECODE_ERRORS
from ordermill.web.http import Reply, Request

# Refusal -> (HTTP status, code or None where the contract's form has none). Business failures are HTTP 200: its clients
# look at `status` in the body only (contract sections 1 and 5).
ERRORS: dict[type[errors.Refusal], tuple[int, int | None]] = {
    errors.Unreadable: (400, -7),
    errors.TooLarge: (413, None),
    errors.TooMany: (413, None),
    errors.Invalid: (200, -7),
    errors.BadHeader: (400, -7),  # the whole request's fault, like an unreadable body: no name of a batch is answered
    errors.Unauthorized: (401, None),
    errors.Forbidden: (403, None),
    errors.NotFound: (404, None),
    errors.MethodNotAllowed: (405, None),
    errors.UnsupportedMedia: (415, -7),
    errors.NotAcceptable: (406, None),
    errors.Conflict: (200, -7),
    errors.Duplicate: (200, -5),
    errors.KeyReused: (422, -7),
    errors.TooOften: (429, None),
    errors.Overloaded: (503, None),
}
DUPLICATE = -5

_encode = wire.ENCODER.encode
_FAILED, _WAITING = OutcomeKind.FAILED, OutcomeKind.WAITING  # found five times faster than members of an enum
_TRUE = (b"true", b"1", b'"1"', b'"true"')


# -- refusals ---------------------------------------------------------------------------------------------------------


def write_refusal(refusal: errors.Refusal, request: Request) -> Reply:
    """Why a whole request is refused, in Centra's form. The HTTP shell adds Allow and Retry-After."""
    if isinstance(refusal, errors.MethodNotAllowed) and request.method == "GET":
        # One order is read with GET orders?order=N; nothing is there to be read at order/N (contract section 4).
        refusal = errors.NotFound(f"there is nothing to read at {request.path[:200]}")
    status, code = next((ERRORS[kind] for kind in type(refusal).__mro__ if kind in ERRORS), (400, -7))
    return Reply(status, _encode(refused(refusal, code)))


def refused(refusal: errors.Refusal, code: int | None = -7) -> dict[str, Any]:
    if refusal.problems:
        return write_problems(refusal.problems)
    word = "Not Allowed" if isinstance(refusal, errors.Forbidden) else "no"
    body: dict[str, Any] = {"status": word, "msg": refusal.message}
    return body if code is None else body | {"code": code}


def write_problems(problems: tuple[Problem, ...]) -> dict[str, Any]:
    """All that is wrong with one order in `msg`; the first thing's code."""
    if not problems:
        return {"status": "no", "msg": "the order was not created", "code": int(GENERAL)}
    return {"status": "no", "msg": "; ".join(map(_message, problems)), "code": _code(problems[0])}


def _code(problem: Problem) -> int:
    if problem.code == "duplicate_reference":
        return DUPLICATE
    return int(problem.contract_code or GENERAL)


def _message(problem: Problem) -> str:
    if problem.code == "duplicate_reference":
        return f"orderNumber {problem.value} already exists"
    return problem.message


# -- what became of a batch -------------------------------------------------------------------------------------------


def write_item(item: Item, prepared: bool) -> dict[str, Any]:
    """One element's reply (contract section 2). `prepared`: it was sent with createOnly."""
    if item.outcome is _FAILED:
        return write_problems(item.problems)
    if item.outcome is _WAITING:
        return {"status": "no", "msg": "this order is not processed yet", "code": int(GENERAL)}
    number = int(item.reference)
    return {"status": "ok", "order": number} if prepared else {"status": "ok", "orders": [number]}


def write_settled(settled: Settled, drafts: tuple[Draft, ...]) -> Reply:
    """The answer to POST orders: every name with its own fate, HTTP 200 whatever they are."""
    return write_fates(settled, map(fate, zip(settled.items, drafts, strict=True)))


def fate(entry: tuple[Item, Draft]) -> tuple[str, dict[str, Any]]:
    """One name, and what became of its order."""
    item, draft = entry
    return item.key, write_item(item, _is_prepared(draft))


def write_fates(settled: Settled, fates: Iterable[tuple[str, dict[str, Any]]]) -> Reply:
    """The answer around fates that are written already."""
    rejected = settled.counts.failed
    return Reply(
        200,
        _encode(dict(fates)),
        headers=(
            ("ordermill-batch-id", str(settled.batch_id)),
            ("ordermill-accepted", str(len(settled.items) - rejected)),
            ("ordermill-rejected", str(rejected)),
        ),
    )


def _is_prepared(draft: Draft) -> bool:
    return draft.order is not None and draft.order.status == "incomplete"


def write_single(item: Item, draft: Draft) -> Reply:
    """The answer to POST order."""
    return Reply(200, _encode(write_item(item, _is_prepared(draft))))


def write_batch(batch: Batch, items: tuple[Item, ...]) -> bytes:
    """The answer once more, from the ledger: `items` with their documents, in request order."""
    return _encode({item.key: write_item(item, was_prepared(item.document or "")) for item in items})


def was_prepared(document: str) -> bool:
    """Whether an order's document asks for createOnly (contract A7: in any of its spellings)."""
    if "createOnly" not in document and "\\u00" not in document:
        return False
    try:
        return bytes(wire.MEMBERS.decode(document).get("createOnly", b"")) in _TRUE
    except DECODE_ERRORS:
        return False


# -- orders -----------------------------------------------------------------------------------------------------------


def write_orders(rows: Iterable[dict[str, Any]]) -> bytes:
    return _encode({"status": "ok", "orders": list(rows)})


def write_content(content: Content, order: Order, rules: Rules = DEFAULT_RULES) -> bytes:
    """Any order, whichever contract it came in through, as GET orders shows one."""
    return _encode(order_row(content, order, rules.zone))


def write_order_row(order: Order, rules: Rules = DEFAULT_RULES) -> dict[str, Any]:
    """One of Centra's own orders for GET orders. `order` with its document."""
    return order_row(read_content(order, rules), order, rules.zone)


def order_row(content: Content, order: Order, zone: ZoneInfo) -> dict[str, Any]:
    """Every field of contract section 4; neutral values where nothing is known."""
    extra = content.extra if content.dialect == "centra" else {}
    email = content.identifiers.get("email")
    delivery = _flat("delivery", content.ship_to or content.bill_to, email)
    billing = _flat("billing", content.bill_to or content.ship_to, email)
    return {
        "orderId": content.reference,
        "orderStatus": content.status,
        "selectionId": blake2b(f"centra selection {order.id}".encode(), digest_size=16).hexdigest(),
        "orderDate": local(content.placed_at, zone),
        "cancelDate": _date(extra.get("cancelDate"), zone),
        "preferredDeliveryDate": _date(extra.get("deliveryDate"), zone),
        "estimatedDeliveryDate": _date(extra.get("deliveryDate"), zone),
        "orderStore": content.store or content.source,
        "orderCurrency": content.currency or "",
        "customerId": "" if order.contact_id is None else str(order.contact_id),
        "accountId": str(extra.get("accountId", "")),
        **delivery,
        **billing,
        "billingVAT": "",
        "poNumber": extra.get("poNumber", ""),
        "shippingList": extra.get("shippingList", ""),
        "suspect": 0,
        "internalOrder": int(bool(content.options.get("internalOrder"))) if extra or content.dialect == "centra" else 0,
        "hold": 0,
        "waitingForPayment": 0,
        **_values(content),
        "internalComment": extra.get("internalComment", ""),
        "otherComment": content.comment or "",
        "marketId": extra.get("marketId", 0),
        "pricelistId": extra.get("pricelistId", 0),
        **_payment(content, extra),
        "ipAddress": "",
        "defaultCarrier": "",
        "shipments": [],
        "taxBreakdown": [],
        "discounts": {},
        "products": [_product(order.id, number, line, extra) for number, line in enumerate(content.lines)],
    }


def _values(content: Content) -> dict[str, Any]:
    shipping = _money(content.shipping)
    discount = _money(content.discount)
    items = sum((line.quantity * _money(line.unit_price) for line in content.lines), Decimal(0))
    return {
        "shippingValue": shipping,
        "voucherValue": discount,
        "grandTotalValue": items + shipping - discount if content.amount is None else content.amount,
        "grandTotalTaxValue": 0,
        "taxAdded": 0,
        "taxDeducted": 0,
    }


def _money(value: Decimal | None) -> Decimal:
    return Decimal(0) if value is None else value


def _date(text: str | None, zone: ZoneInfo) -> str:
    micros = None if text is None else read_date(text, zone)
    return "" if micros is None else local(micros, zone)


def _flat(prefix: str, address: Address | None, email: str | None) -> dict[str, str]:
    """An address as Centra flattens it. The order's e-mail address stands in for one's own (A1)."""
    address = address or Address()
    values = {
        "Name": address.name,
        "Company": address.company,
        "Email": address.email or email,
        "Cell": address.mobile,
        "Tele": address.phone,
        "Address": " ".join(part for part in (address.line1, address.street_number) if part),
        "Coaddress": address.line2,
        "Zipcode": address.postal_code,
        "City": address.city,
        "State": address.region,
        "Country": address.country_code or address.country,
    }
    return {prefix + name: value or "" for name, value in values.items()}


def _payment(content: Content, extra: dict[str, Any]) -> dict[str, Any]:
    payment = extra.get("payment", {})
    charge = payment.get("auth") or payment.get("capture") or {}
    return {
        "paymentPlugin": str(payment.get("id", "")),
        "paymentType": "",
        "paymentDescription": charge.get("response", ""),
        "paymentReference": charge.get("transaction", ""),
        "paymentMethod": content.payment_method or "",
    }


def _product(order_id: int, number: int, line: Line, extra: dict[str, Any]) -> dict[str, Any]:
    rest = (extra.get("products") or {number: {}})[number]
    shown = rest.get("itemText", {})
    price = _money(line.unit_price)
    listed = price if line.list_price is None else line.list_price
    total = price * line.quantity
    whole = line.quantity == line.quantity.to_integral_value()
    return {
        "lineId": str(order_id * 10_000 + number),
        "sku": shown.get("sku") or line.sku or line.product_id or "",
        "variantSku": line.variant_id or "",
        "sizeSku": "",
        "ean": line.ean or "",
        "upc": rest.get("upc", ""),
        "name": line.title or "",
        "variant": shown.get("variant", ""),
        "brand": shown.get("brand", ""),
        "size": shown.get("size", ""),
        "qty": int(line.quantity) if whole else line.quantity,
        "originalPrice": listed,
        "price": price,
        "weight": line.weight or 0,
        "weightUnit": line.weight_unit or "",
        "countryOfOrigin": line.origin_country or "",
        "harmCode": line.hs_code or "",
        "comment": line.comment or "",
        "taxPercent": 0,
        "priceDiscount": listed - price,
        "taxValue": 0,
        "totalTaxValue": 0,
        "totalPrice": total,
        "totalPriceWithoutTax": total,
        "totalPriceWithTax": total,
        "anyDiscount": listed > price,
        "isBundle": False,
        "warehouses": [],
    }
