"""Changes to an order that is there: merge of options and metadata, cancellation. Pure; the store calls them inside."""

from __future__ import annotations

import msgspec

from ordermill.core.errors import Conflict, Invalid
from ordermill.core.order import NewOrder, OnExisting, Order
from ordermill.dialects.karrio.inbound import STORED, check_json, invalid, new_order
from ordermill.dialects.karrio.mending import type_name
from ordermill.dialects.reading import Oddity, strict_json

CANCELLED = "cancelled"
FULFILLED = ("fulfilled", "delivered")

Raws = dict[str, msgspec.Raw]
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Update(msgspec.Struct, frozen=True):
    """What a PUT asks for (contract, section 5). None: not touched. A value of `null` removes its name."""

    options: Raws | None = None
    metadata: Raws | None = None
    only_metadata: bool = False


def read_update(body: bytes, *, keys_max: int, nesting: int) -> Update:
    """The body of a PUT; other names are ignored. Raises Unreadable, Invalid."""
    body = body or b"{}"
    check_json(body)
    try:
        given = strict_json(body, nesting)
    except Oddity as oddity:
        raise invalid(oddity.field or "non_field_errors", "unreadable", str(oddity)) from oddity
    if not isinstance(given, dict):
        text = f"Invalid data. Expected a dictionary, but got {type_name(given)}."
        raise invalid("non_field_errors", "not_an_object", text)
    for name in ("options", "metadata"):
        _check_free(name, given, keys_max)
    # The values travel as sent, so that not a digit of a number is lost.
    sent = _object.decode(body)
    return Update(
        options=_raws(sent.get("options")),
        metadata=_raws(sent.get("metadata")),
        only_metadata=set(given) == {"metadata"},
    )


def _check_free(name: str, given: dict[str, object], keys_max: int) -> None:
    value = given.get(name)
    if value is None:
        if name == "metadata" and name in given:
            raise invalid(name, "null", "This field may not be null.")
        return
    if not isinstance(value, dict):
        kind = type_name(value)
        raise invalid(name, "not_an_object", f'Expected a dictionary of items but got type "{kind}".')
    if len(value) > keys_max:
        raise _too_many(name, keys_max)


def merge(order: Order, update: Update, keys_max: int) -> NewOrder:
    """The order with options and metadata merged in (shallow). Its status stays, also that of a cancelled order.

    Raises Conflict for an order that is fulfilled or delivered, unless nothing but metadata is sent; Invalid when more
    than `keys_max` names would stand in one of them.
    """
    if order.status in FULFILLED and not update.only_metadata:
        raise Conflict(f"The order is {order.status} and cannot be updated")
    parts = _object.decode((order.document or "{}").encode())
    for name, changes in (("options", update.options), ("metadata", update.metadata)):
        if changes is None:
            continue
        merged = {**(_raws(parts.get(name)) or {}), **changes}
        merged = {key: value for key, value in merged.items() if not _is_null(value)}
        if len(merged) > keys_max:
            raise _too_many(name, keys_max)
        parts[name] = msgspec.Raw(_encode(merged))
    return _next_version(order, _encode(parts).decode(), order.status)


def cancel(order: Order) -> NewOrder:
    """The order, cancelled; its key is free for a new one. Raises Conflict unless it is unfulfilled (section 5)."""
    if order.status != "unfulfilled":
        raise Conflict(f"The order is {order.status} and cannot be cancelled")
    return msgspec.structs.replace(_next_version(order, order.document or "{}", CANCELLED), released=True)


def amended(order: Order, version: NewOrder) -> Order:
    """The order as it stands once `version` is recorded, as far as an answer shows it."""
    return msgspec.structs.replace(order, status=version.status, document=version.document, released=version.released)


def _next_version(order: Order, document: str, status: str) -> NewOrder:
    try:
        said = STORED.read_order(document.encode())
    except ValueError as error:  # merged, it needs the closer look, which finds a number that the quick one let pass
        raise invalid("non_field_errors", "out_of_range", str(error)) from error
    return msgspec.structs.replace(
        new_order(said, document, now=order.placed_at, status=status),
        source=order.source,
        reference=order.reference,
        placed_at=order.placed_at,
        on_existing=OnExisting.UPDATE,
        request_id=order.request_id,
        released=order.released,
    )


def _raws(value: msgspec.Raw | None) -> Raws | None:
    return None if value is None or _is_null(value) else _object.decode(value)


def _is_null(value: msgspec.Raw) -> bool:
    return bytes(value).strip() == b"null"


def _too_many(name: str, keys_max: int) -> Invalid:
    return invalid(name, "too_many", f"Ensure this field has no more than {keys_max} elements.")
