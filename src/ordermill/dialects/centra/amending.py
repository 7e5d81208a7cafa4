"""Completing and updating an order: what the body asks for, merged into the order's own document. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ordermill.core.errors import Conflict, Invalid
from ordermill.core.order import NewOrder, OnExisting, Order
from ordermill.dialects.centra import lenient, scalars, wire
from ordermill.dialects.centra.inbound import read_draft, read_object
from ordermill.dialects.centra.settings import DEFAULT_RULES, Rules
from ordermill.dialects.reading import Oddity, strict_json

CLOSED = frozenset({"cancelled", "archived"})
COMPLETING = (
    "payment", "comment", "buyerName", "internalComment", "poNumber", "orderDate", "deliveryDate", "cancelDate",
    "warehouseGroup",
)  # fmt: skip
_ONCE = lenient.ONCE | {"order"}
_COMPLETION = {name: lenient.ORDER[name] for name in COMPLETING}
_UPDATE: lenient.Table = {
    "order": lenient.ORDER["orderNumber"],
    "comment": scalars.text,
    "internalComment": scalars.text,
    "replaceComment": scalars.flag,
    "replaceInternalComment": scalars.flag,
    "extraAttributes": lenient.attributes,
}


def read_completion(body: bytes, rules: Rules = DEFAULT_RULES) -> dict[str, Any]:
    """The body of Complete Order; an empty one asks for nothing more. Raises Unreadable or Invalid."""
    return _read(body if body.strip() else b"{}", _COMPLETION, rules)


def read_update(body: bytes, rules: Rules = DEFAULT_RULES) -> dict[str, Any]:
    """The body of PUT orders; `order` is there. Raises Unreadable or Invalid."""
    return _read(body, _UPDATE, rules, required=("order",))


def _read(body: bytes, table: lenient.Table, rules: Rules, required: tuple[str, ...] = ()) -> dict[str, Any]:
    body = read_object(body)
    find = scalars.Finder(rules)
    try:
        found = lenient.fields(find, "", strict_json(body, rules.nesting_max, once=_ONCE), table, required) or {}
    except Oddity as oddity:
        raise Invalid(str(oddity), field=oddity.field) from oddity
    if find.problems:
        problem = find.problems[0]
        raise Invalid(problem.message, field=problem.field, problems=tuple(find.problems))
    return found


def complete(current: Order, changes: dict[str, Any], rules: Rules = DEFAULT_RULES) -> NewOrder:
    """Complete Order (contract section 4): incomplete becomes pending; may be repeated. Raises Conflict or Invalid."""
    if current.status in CLOSED:
        raise Conflict(f"order {current.reference} is {current.status}")
    members = _members(current)
    for name, value in changes.items():
        if name == "payment":
            value = _object(members.get(name)) | value
        members[name] = _raw(value)
    if current.status == "incomplete":
        members["createOnly"] = _raw(False)
    return _amended(current, members, "pending" if current.status == "incomplete" else current.status, rules)


def update(current: Order, changes: dict[str, Any], rules: Rules = DEFAULT_RULES) -> NewOrder:
    """PUT orders: comments appended or replaced, attributes merged, an empty one cleared. Raises Invalid."""
    members = _members(current)
    for name, replace in (("comment", "replaceComment"), ("internalComment", "replaceInternalComment")):
        if name in changes:
            before = "" if changes.get(replace) else _text(members.get(name))
            members[name] = _raw(f"{before}\n{changes[name]}" if before else changes[name])
    if "extraAttributes" in changes:
        merged = _object(members.get("extraAttributes")) | changes["extraAttributes"]
        members["extraAttributes"] = _raw({name: value for name, value in merged.items() if value != ""})
    return _amended(current, members, current.status, rules)


def _members(current: Order) -> dict[str, Raw]:
    """The document's members, each byte for byte: what nobody asked to change stays as it was sent."""
    if current.document is None:
        raise Conflict(f"order {current.reference} can no longer be changed: its content is past the retention time")
    return wire.MEMBERS.decode(current.document)


def _raw(value: Any) -> Raw:
    return Raw(wire.ENCODER.encode(value))


def _object(member: Raw | None) -> dict[str, Any]:
    """The members of an object; nothing for null, and for [] as PHP writes an empty object."""
    if member is None or not bytes(member).startswith(b"{"):
        return {}
    return dict(wire.MEMBERS.decode(member))


def _text(member: Raw | None) -> str:
    value = None if member is None else msgspec.json.decode(member)
    return value if isinstance(value, str) else ""


def _amended(current: Order, members: dict[str, Raw], status: str, rules: Rules) -> NewOrder:
    document = wire.ENCODER.encode(members)
    draft = read_draft("", document, now=current.placed_at, source=current.source, rules=rules.relaxed())
    if draft.order is None:
        raise Invalid(draft.problems[0].message, field=draft.problems[0].field, problems=draft.problems)
    return msgspec.structs.replace(
        draft.order, reference=current.reference, status=status, on_existing=OnExisting.UPDATE
    )
