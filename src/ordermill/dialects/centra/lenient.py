"""The slow pass: an order that is not plainly clean, read with Centra's lenience, with all its problems if it has any.

Scalars may come as Centra's own examples send them (contract A7), `products` as a list or an object (A2), countries in
any case (A8). What is read is a wire.Order again, so whatever follows knows one form only.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.batch import Problem
from ordermill.dialects.centra import wire
from ordermill.dialects.centra.money import TOTAL_CENTS_MAX
from ordermill.dialects.centra.scalars import (
    EMPTY,
    GENERAL,
    UNPRICED,
    VALUE_SHOWN,
    Finder,
    Read,
    code,
    country,
    date,
    email,
    flag,
    money,
    one_of,
    text,
    whole,
)
from ordermill.dialects.centra.settings import Rules
from ordermill.dialects.reading import Oddity, strict_json

Table = Mapping[str, Read]
NUMBER_MAGNITUDE, NUMBER_DIGITS = 30, 64  # of numbers under free names: as the other contracts have them

# What decides may not be given twice. Of other names the last one counts, known or not.
ONCE = frozenset(
    {"products", "qty", "unitPrice", "orderNumber", "orderDate", "createOnly", "shippingValue", "voucherValue"}
)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A good order, or its problems; `reference` is the number it asked for, as far as it could be read."""

    order: wire.Order | None
    problems: tuple[Problem, ...] = ()
    reference: str = ""


def readable(data: bytes) -> str:
    """A refused document as text that can be kept and shown."""
    return data.decode(errors="replace").replace("\0", "\ufffd")


# -- objects ----------------------------------------------------------------------------------------------------------


def fields(find: Finder, path: str, value: Any, table: Table, required: tuple[str, ...] = ()) -> dict[str, Any] | None:
    """The known members that could be read. null counts as absent, [] as {}: PHP writes an empty object so."""
    if value == []:
        value = {}
    if not isinstance(value, dict):
        find.wrong(path, "must be an object", value)
        return None
    dot = path + "." if path else ""
    found: dict[str, Any] = {}
    for name, read in table.items():
        member = value.get(name)
        if member is not None:
            member = read(find, dot + name, member)
            if member is not None:
                found[name] = member
        elif name in required:
            find.missing(dot + name)
    return found


def nested(table: Table, required: tuple[str, ...] = ()) -> Read:
    """An object with the members of `table`; None when one of `required` is not there."""

    def read(find: Finder, path: str, value: Any) -> dict[str, Any] | None:
        found = fields(find, path, value, table, required)
        return found if found is not None and all(name in found for name in required) else None

    return read


def attributes(find: Finder, path: str, value: Any) -> dict[str, Any] | None:
    """extraAttributes: any values under free names."""
    if value == []:
        return {}
    if not isinstance(value, dict):
        find.wrong(path, "must be an object", value)
    elif len(value) > find.rules.attributes_max:
        find.wrong(path, f"holds more than {find.rules.attributes_max} members", code="too_many")
    else:
        for name, entry in value.items():
            place = f"{path}.{name[:VALUE_SHOWN]}"
            if isinstance(entry, str):
                text(find, place, entry)
            elif not _can_be_shown(entry):
                find.wrong(place, "holds a number out of range")
        return value
    return None


def _can_be_shown(value: Any) -> bool:
    """Whether its numbers can be written out: of 1e999999999 that would be a gigabyte of zeros."""
    left = [value]
    while left:
        entry = left.pop()
        if isinstance(entry, dict):
            left += entry.values()
        elif isinstance(entry, list):
            left += entry
        elif isinstance(entry, Decimal):
            _, digits, _ = entry.as_tuple()
            if abs(entry.adjusted()) > NUMBER_MAGNITUDE or len(digits) > NUMBER_DIGITS:
                return False
    return True


def texts(find: Finder, path: str, value: Any) -> list[str] | None:
    if not isinstance(value, list):
        find.wrong(path, "must be a list of strings", value)
        return None
    if len(value) > find.rules.lines_max:
        find.wrong(path, f"holds more than {find.rules.lines_max} entries", code="too_many")
        return None
    found = [text(find, f"{path}[{number}]", entry) for number, entry in enumerate(value)]
    return [entry for entry in found if entry is not None]


def read_address(find: Finder, path: str, value: Any) -> dict[str, Any] | None:
    found = fields(find, path, value, ADDRESS, required=("country",))
    if found and found.get("country") in find.rules.states and not found.get("state"):
        find.missing(f"{path}.state", f"is required in {found['country']}")
    return found


def read_lines(find: Finder, path: str, value: Any) -> list[dict[str, Any]] | None:
    """The products: a list, or an object whose values are taken in order (A2)."""
    if isinstance(value, dict):
        named = [(f"{path}.{name[:VALUE_SHOWN]}", entry) for name, entry in value.items()]
    elif isinstance(value, list):
        named = [(f"{path}[{number}]", entry) for number, entry in enumerate(value)]
    else:
        find.wrong(path, "must be a list", value)
        return None
    if not named:
        find.wrong(path, "is empty: an order needs at least one", code="empty", no=EMPTY)
    if len(named) > find.rules.lines_max:
        find.wrong(path, f"holds more than {find.rules.lines_max} lines", code="too_many")
        return None
    return [line for line in (read_line(find, place, entry) for place, entry in named) if line is not None]


def read_line(find: Finder, path: str, value: Any) -> dict[str, Any] | None:
    before = len(find.problems)
    value = {} if value == [] else value
    found = fields(find, path, value, LINE, required=("qty",))
    if found is None:
        return None
    if len(find.problems) == before and not (
        "id" in found or any(found.get(name) for name in ("ean", "sku", "item", "upc"))
    ):
        find.missing(path, "needs one of id, ean, sku")
    if find.rules.price_required and value.get("unitPrice") is None and value.get("originalPrice") is None:
        find.wrong(f"{path}.unitPrice", "is required: there is no price list", code="unpriced", no=UNPRICED)
    return found


_ID = whole(0, 2**53)

ADDRESS: Table = {
    "email": email,
    "firstName": text,
    "lastName": text,
    "tele": code,
    "cell": code,
    "attn": text,
    "address": text,
    "coaddress": text,
    "city": text,
    "zipcode": code,
    "state": text,
    "country": country,
}
LOCAL_SIZE: Table = {"localizedSize": code, "localizationDefinitionName": text}
ITEM_TEXT: Table = {
    "sku": code,
    "brand": text,
    "product": text,
    "variant": text,
    "size": code,
    "localizedProdSize": nested(LOCAL_SIZE),
}
LINE: Table = {
    "qty": whole(1, 1_000_000),
    "id": _ID,
    "ean": code,
    "sku": code,
    "item": code,
    "upc": code,
    "unitPrice": money,
    "originalPrice": money,
    "comment": text,
    "itemText": nested(ITEM_TEXT),
    "localizedProdSize": nested(LOCAL_SIZE),
}
CHARGE: Table = {
    "status": one_of(0, 1, 2),
    "amount": money,
    "response": text,
    "transaction": code,
    "method": text,
    "external_url": text,
}
_CHARGE = nested(CHARGE, required=("status", "amount"))
PAYMENT: Table = {"id": _ID, "auth": _CHARGE, "capture": _CHARGE}
ORIGIN: Table = {"type": one_of("return", "order", "plugin"), "id": _ID}
ORDER: Table = {
    "invoiceAddress": read_address,
    "deliveryAddress": read_address,
    "address": read_address,
    "products": read_lines,
    "pricelistId": _ID,
    "pricelist": text,
    "marketId": _ID,
    "market": text,
    "customerRegister": flag,
    "customerId": _ID,
    "customerSetNewPassword": flag,
    "createdFromOrigin": nested(ORIGIN, required=("type", "id")),
    "extraAttributes": attributes,
    "accountId": _ID,
    "buyerId": _ID,
    "buyerName": text,
    "deliveryWindow": text,
    "shippingList": text,
    "shippingValue": money,
    "voucherValue": money,
    "applyVouchers": flag,
    "voucherCodes": texts,
    "orderNumber": whole(1, 2**31 - 1),
    "sendEmail": flag,
    "adjustStock": flag,
    "forceCreate": flag,
    "comment": text,
    "internalComment": text,
    "poNumber": code,
    "orderDate": date,
    "deliveryDate": date,
    "cancelDate": date,
    "warehouseGroup": text,
    "createOnly": flag,
    "internalOrder": flag,
    "payment": nested(PAYMENT),
}


# -- the order --------------------------------------------------------------------------------------------------------


def read_order(data: bytes, rules: Rules) -> Reading:
    """The order, or every problem of it. Never raises."""
    try:
        value = strict_json(data, rules.nesting_max, once=ONCE)
    except Oddity as oddity:
        problem = Problem(code="unreadable", message=str(oddity), field=oddity.field, contract_code=GENERAL)
        return Reading(order=None, problems=(problem,))
    find = Finder(rules)
    if not isinstance(value, dict):
        find.wrong("", "the order must be a JSON object", value)
        return Reading(order=None, problems=tuple(find.problems))
    found = fields(find, "", value, ORDER, required=("products",)) or {}
    _check_email(find, value, found)
    reference = str(found.get("orderNumber", ""))
    if not find.problems:
        order = msgspec.convert(found, wire.Order)
        if abs(_total(order)) < TOTAL_CENTS_MAX:
            return Reading(order=order, reference=reference)
        find.wrong("", "the grand total is too large", code="out_of_range")
    return Reading(order=None, problems=tuple(find.problems), reference=reference)


def _check_email(find: Finder, value: dict[str, Any], found: dict[str, Any]) -> None:
    """One e-mail address per order (A1), unless it belongs to an account."""
    names = [name for name in ("invoiceAddress", "address", "deliveryAddress") if value.get(name) is not None]
    refused = {problem.field for problem in find.problems}
    if any(f"{name}.email" in refused or name in refused for name in names) or "accountId" in found:
        return
    if not any(found.get(name, {}).get("email") for name in names):
        find.missing(f"{names[0] if names else 'invoiceAddress'}.email")


def _total(order: wire.Order) -> int:
    cents = sum(round((line.unitPrice or 0) * 100) * line.qty for line in order.products)
    return cents + round((order.shippingValue or 0) * 100) - round((order.voucherValue or 0) * 100)
