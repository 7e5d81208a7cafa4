"""What a document says at a glance, whichever contract it was written for: where it goes, how much. Never raises."""

from __future__ import annotations

from typing import Any

import msgspec

PLACES = (
    "shipping_to",
    "shippingAddress",
    "shipping_address",
    "ship_to",
    "shipTo",
    "billing",
    "invoiceAddress",
    "billTo",
)
COUNTRIES = ("country_code", "countryCode", "country")
AMOUNTS = ("amount", "total", "grandTotal", "total_amount")
REFERENCES = ("id", "order_id", "orderId", "order", "orderNumber", "reference", "number")


class Glance(msgspec.Struct, frozen=True):
    """Empty where nothing was found."""

    reference: str = ""
    place: str = ""
    amount: str = ""


def glance(document: str | None) -> Glance:
    if not document:
        return Glance()
    try:
        said = msgspec.json.decode(document)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Glance()
    if not isinstance(said, dict):
        return Glance()
    return Glance(_first(said, REFERENCES), _place(said), _first(said, AMOUNTS))


def _place(said: dict[str, Any]) -> str:
    for name in PLACES:
        address = said.get(name)
        if isinstance(address, dict):
            parts = (_first(address, ("city",)), _first(address, COUNTRIES))
            if any(parts):
                return ", ".join(part for part in parts if part)
    return ""


def _first(said: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = said.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)[:80]
    return ""
