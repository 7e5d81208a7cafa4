"""Karrio's orders <-> the normal form: what an order of this dialect says, and any order as this contract shows it.

Both ways are pure. What the core has no word for (tax numbers, a line's parent) travels in Content.extra.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from ordermill.core import ids
from ordermill.core.order import Address, Content, Line, Mode, Order
from ordermill.dialects.karrio import wire
from ordermill.dialects.karrio.inbound import NAME, STORED
from ordermill.dialects.reading import moment

_encode = msgspec.json.Encoder(decimal_format="number").encode

# The contract's name -> the core's.
ADDRESS = {
    "postal_code": "postal_code", "city": "city", "person_name": "name", "company_name": "company",
    "country_code": "country_code", "email": "email", "phone_number": "phone", "state_code": "region",
    "residential": "residential", "street_number": "street_number", "address_line1": "line1", "address_line2": "line2",
}  # fmt: skip
LINE = {
    "weight": "weight", "weight_unit": "weight_unit", "title": "title", "description": "description", "sku": "sku",
    "hs_code": "hs_code", "value_amount": "unit_price", "value_currency": "currency",
    "origin_country": "origin_country",
}  # fmt: skip
PLACES = {"shipping_to": "ship_to", "shipping_from": "ship_from", "billing_address": "bill_to"}
# With what they are when they were not sent: that alone need not travel (a blank text and `{}` were sent).
EXTRA_ADDRESS: dict[str, Any] = {"federal_tax_id": None, "state_tax_id": None, "validate_location": False}
FLAGS = ("residential", "validate_location")
EXTRA_LINE: dict[str, Any] = {"parent_id": None, "metadata": None}
# What other contracts' lines name their goods by goes into the line's metadata.
LINE_NAMES = ("product_id", "variant_id", "ean")
# The statuses of other contracts, as far as this one has a word for them.
STATUSES = {
    "unfulfilled": "unfulfilled", "cancelled": "cancelled", "canceled": "cancelled", "fulfilled": "fulfilled",
    "shipped": "fulfilled", "completed": "fulfilled", "delivered": "delivered", "partial": "partial",
}  # fmt: skip


def read_content(order: Order) -> Content:
    """What an order of this dialect says. Raises ValueError without its document."""
    said = STORED.read_order((order.document or "").encode())
    extra: dict[str, Any] = {}
    addresses: dict[str, Address] = {}
    for place, name in PLACES.items():
        address: wire.Address | None = getattr(said, place)
        if address is not None:
            addresses[name] = Address(**{ours: getattr(address, theirs) for theirs, ours in ADDRESS.items()})
            if more := _beyond(address, EXTRA_ADDRESS):
                extra[place] = more
    lines_extra = [_beyond(line, EXTRA_LINE) for line in said.line_items]
    if any(lines_extra):
        extra["line_items"] = lines_extra
    return Content(
        dialect=NAME,
        source=order.source,
        reference=order.reference,
        status=order.status,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        lines=tuple(map(_read_line, said.line_items)),
        amount=None if order.amount is None else Decimal(order.amount),
        currency=order.currency,
        identifiers=_identifiers(said.shipping_to),
        **addresses,  # type: ignore[arg-type]
        metadata=said.metadata,
        options=said.options or {},
        extra=extra,
    )


def _read_line(line: wire.Commodity) -> Line:
    fields = {ours: getattr(line, theirs) for theirs, ours in LINE.items()}
    return Line(**fields | {"quantity": Decimal(line.quantity), "weight": Decimal(str(line.weight))})


def _beyond(part: wire.Address | wire.Commodity, unsent: dict[str, Any]) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in unsent}
    return {name: value for name, value in values.items() if value != unsent[name]}


def _identifiers(address: wire.Address) -> dict[str, str]:
    found = {"email": address.email, "phone": address.phone_number}
    return {kind: value for kind, value in found.items() if value}


def write_order(order: Order) -> bytes:
    """An order of this dialect as the contract shows it (contract, section 5)."""
    return write_content(read_content(order), order)


def write_content(content: Content, order: Order) -> bytes:
    """Any order as this contract shows it: every field is there, null where nothing is known (contract, section 5)."""
    order_id = ids.spell("ord", order.account_id, order.mode, order.id)
    lines = _lines(content)
    shown = {
        "id": order_id,
        "object_type": "order",
        "order_id": content.reference,
        "order_date": moment(content.placed_at).date().isoformat(),
        "source": content.source or content.dialect,
        "status": STATUSES.get(content.status, "unfulfilled"),
        **{place: _shown_address(content, order_id, place) for place in PLACES},
        "line_items": [
            {
                "id": _part_id("oli", order_id, str(position)),
                "object_type": "commodity",
                **line,
                "unfulfilled_quantity": line["quantity"],
            }
            for position, line in enumerate(lines)
        ],
        "options": content.options,
        "meta": {"request_id": order.request_id} if order.request_id else {},
        "metadata": content.metadata,
        "shipments": [],
        "test_mode": order.mode is Mode.TEST,
        "created_at": moment(order.received_at).isoformat(" ", "microseconds"),
    }
    return _encode(shown)


def write_order_request(content: Content) -> tuple[bytes, tuple[str, ...]]:
    """(any order as this contract would be sent it, the names of what it cannot carry).

    The contract wants a weight for every line: where none is known it is 0 KG, and `lines.weight` is among the names.
    """
    lines = _lines(content)
    lost = [
        name
        for name in ("shipping", "discount", "coupons", "payment_method", "store", "comment")
        if getattr(content, name)
    ]
    lost += _line_losses(content)
    lost += _address_losses(content)
    for line in lines:
        if line["weight"] is None or line["weight_unit"] is None:
            line["weight"], line["weight_unit"] = 0, "KG"
    sent: dict[str, Any] = {
        "order_id": content.reference,
        "order_date": moment(content.placed_at).date().isoformat(),
        "source": content.source or content.dialect,
        "line_items": [_said(line) for line in lines],
        "options": content.options or ({"currency": content.currency} if content.currency else {}),
        "metadata": content.metadata,
    }
    for place in PLACES:
        address = _address(content, place)
        if address is not None:
            sent[place] = _said(address)
    return _encode(sent), tuple(lost)


def _line_losses(content: Content) -> list[str]:
    lines = content.lines
    lost = [] if lines else ["lines"]
    if any(not _whole(line.quantity) for line in lines):
        lost.append("lines.quantity")
    if any(line.weight is None or line.weight_unit is None for line in lines):
        lost.append("lines.weight")
    if any(line.list_price is not None for line in lines):
        lost.append("lines.list_price")
    if any(line.comment for line in lines):
        lost.append("lines.comment")
    return lost


def _whole(quantity: Decimal) -> bool:
    return quantity == int(quantity)


def _address_losses(content: Content) -> list[str]:
    lost = [] if content.ship_to is not None else ["ship_to"]
    for name in PLACES.values():
        address: Address | None = getattr(content, name)
        if address is not None:
            lost += [f"{name}.mobile"] if address.mobile else []
            lost += [] if address.country_code else [f"{name}.country_code"]
    return lost


def _lines(content: Content) -> list[dict[str, Any]]:
    """The lines in the contract's fields, all of them, in its order. Spelled out: files are written by the million."""
    extra: list[dict[str, Any]] = content.extra.get("line_items") or [] if content.dialect == NAME else []
    lines = []
    for position, line in enumerate(content.lines):
        more = extra[position] if position < len(extra) else {}
        names = {name: value for name in LINE_NAMES if (value := getattr(line, name)) is not None}
        lines.append(
            {
                "weight": line.weight,
                "weight_unit": line.weight_unit,
                "title": line.title,
                "description": line.description,
                "quantity": int(line.quantity) if _whole(line.quantity) else line.quantity,
                "sku": line.sku,
                "hs_code": line.hs_code,
                "value_amount": line.unit_price,
                "value_currency": line.currency,
                "origin_country": line.origin_country,
                "parent_id": more.get("parent_id"),
                "metadata": more.get("metadata", names or None),
            }
        )
    return lines


def _address(content: Content, place: str) -> dict[str, Any] | None:
    """One address in the contract's fields, all of them and in its order; None when there is none."""
    address: Address | None = getattr(content, PLACES[place])
    if address is None:
        return None
    more = content.extra.get(place) or {} if content.dialect == NAME else {}
    return {
        "postal_code": address.postal_code,
        "city": address.city,
        "federal_tax_id": more.get("federal_tax_id"),
        "state_tax_id": more.get("state_tax_id"),
        "person_name": address.name,
        "company_name": address.company,
        "country_code": address.country_code,
        "email": address.email,
        "phone_number": address.phone,
        "state_code": address.region,
        "residential": address.residential,
        "street_number": address.street_number,
        "address_line1": address.line1,
        "address_line2": address.line2,
        "validate_location": more.get("validate_location", False),
    }


def _shown_address(content: Content, order_id: str, place: str) -> dict[str, Any] | None:
    address = _address(content, place)
    if address is None:
        return None
    part_id = _part_id("adr", order_id, place)
    return {"id": part_id, "object_type": "address", **address, "validation": None}


def _part_id(prefix: str, order_id: str, place: str) -> str:
    """The same for the same order and place, so that it need not be stored."""
    return f"{prefix}_{blake2b(f'{order_id}/{place}'.encode(), digest_size=6).hexdigest()}"


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known. The two flags stay: left out they would mean no, not unknown."""
    return {name: value for name, value in fields.items() if value is not None or name in FLAGS}
