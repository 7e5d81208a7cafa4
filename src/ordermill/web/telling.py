"""Core values -> the shapes of our own API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from ordermill.core import ids
from ordermill.core.account import Account, ApiKey
from ordermill.core.batch import Batch, Counts, Item, Problem
from ordermill.core.delivery import DeliveryState
from ordermill.core.order import Address, Content, Line, Mode, Order
from ordermill.core.query import Cause
from ordermill.dialects.reading import iso
from ordermill.web import key_shapes, shapes
from ordermill.web.http import Reply

PREFIX = "/api/v1"
S = TypeVar("S", bound=shapes.Shape)

encode = msgspec.json.Encoder(decimal_format="number").encode


def write(shape: msgspec.Struct, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, encode(shape), headers=headers)


def write_page(entries: Sequence[S], following: int | None) -> Reply:
    """A page. `following`: the cursor of the next one, None on the last."""
    text = None if following is None else str(following)
    return write(shapes.Listing(data=list(entries), next=text, has_more=text is not None))


def _at(micros: int | None) -> str | None:
    return None if micros is None else iso(micros)


def mode_word(mode: Mode) -> shapes.ModeWord:
    return "test" if mode is Mode.TEST else "live"


def spell_batch(number: int) -> str:
    return f"bch_{number}"


def spell_order(order: Order) -> str:
    return ids.spell("ord", order.account_id, order.mode, order.id)


# batches


def counts(said: Counts) -> shapes.Counts:
    return shapes.Counts(
        received=said.received,
        created=said.created,
        updated=said.updated,
        unchanged=said.unchanged,
        failed=said.failed,
        waiting=said.waiting,
    )


def batch(found: Batch) -> shapes.Batch:
    return shapes.Batch(**_batch_members(found))


def batch_detail(found: Batch, children: Iterable[int], told: DeliveryState | None) -> shapes.BatchDetail:
    """`told`: what became of the call to its notifyUrl; None when there is none yet."""
    word = "not_sent" if told is None else told.name.lower()
    return shapes.BatchDetail(
        **_batch_members(found),
        notification=None if found.notify_url is None else shapes.Notification(state=word),  # type: ignore[arg-type]
        child_batch_ids=[spell_batch(number) for number in children],
    )


def _batch_members(found: Batch) -> dict[str, Any]:
    path = f"{PREFIX}/batches/{spell_batch(found.id)}"
    return {
        "id": spell_batch(found.id),
        "contract": found.dialect,
        "source": found.source,
        "mode": mode_word(found.mode),
        "status": found.status.value,
        "historical": found.historical,
        "origin": found.origin,
        "key_id": found.key_id,
        "request_id": found.request_id,
        "counts": counts(found.counts),
        "parent_batch_id": None if found.parent_batch_id is None else spell_batch(found.parent_batch_id),
        "notify_url": found.notify_url,
        "size_bytes": found.size_bytes,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "finished_at": _at(found.finished_at),
        "links": shapes.BatchLinks(
            items=f"{path}/items",
            causes=f"{path}/causes",
            failed_csv=f"{path}/failed.csv",
            failed_ndjson=f"{path}/failed.ndjson",
        ),
    }


def problem(said: Problem) -> shapes.Problem:
    return shapes.Problem(code=said.code, field=said.field, message=said.message, value=said.value, hint=said.hint)


def item(found: Item, mode: Mode) -> shapes.Item:
    order_id = None if found.order_id is None else ids.spell("ord", found.account_id, mode, found.order_id)
    return shapes.Item(
        position=found.position,
        key=found.key,
        outcome=found.outcome.word,  # type: ignore[arg-type]
        reference=found.reference,
        order_id=order_id,
        revision=found.revision,
        problems=[problem(said) for said in found.problems],
    )


def cause(found: Cause) -> shapes.Cause:
    return shapes.Cause(
        code=found.code,
        field=found.field,
        count=found.count,
        message=found.message,
        hint=found.hint,
        example=shapes.CauseExample(position=found.example_position, key=found.example_key, value=found.example_value),
    )


# orders


def order(found: Order) -> shapes.Order:
    return shapes.Order(**_order_members(found))


def order_detail(found: Order, content: Content | None, warnings: list[shapes.Warning]) -> shapes.OrderDetail:
    said = None if content is None else order_content(content)
    return shapes.OrderDetail(**_order_members(found), content=said, warnings=warnings)


def _order_members(found: Order) -> dict[str, Any]:
    return {
        "id": spell_order(found),
        "contract": found.dialect,
        "source": found.source,
        "reference": found.reference,
        "mode": mode_word(found.mode),
        "status": found.status,
        "revision": found.revision,
        "amount": found.amount,
        "currency": found.currency,
        "contact_id": None if found.contact_id is None else str(found.contact_id),
        "placed_at": iso(found.placed_at),
        "updated_at": iso(found.updated_at),
        "received_at": iso(found.received_at),
        "changed_at": iso(found.changed_at),
        "released": found.released,
    }


def order_content(said: Content) -> shapes.Content:
    return shapes.Content(
        lines=[_line(line) for line in said.lines],
        shipping=decimal(said.shipping),
        discount=decimal(said.discount),
        identifiers=said.identifiers,
        ship_to=_address(said.ship_to),
        ship_from=_address(said.ship_from),
        bill_to=_address(said.bill_to),
        coupons=list(said.coupons),
        payment_method=said.payment_method,
        store=said.store,
        comment=said.comment,
        metadata=said.metadata,
        options=said.options,
        extra=said.extra,
    )


def _line(line: Line) -> shapes.Line:
    values = {name: _plain(getattr(line, name)) for name in Line.__struct_fields__}
    return shapes.Line(**values)


def _address(address: Address | None) -> shapes.Address | None:
    if address is None:
        return None
    return shapes.Address(**{name: getattr(address, name) for name in Address.__struct_fields__})


def _plain(value: Any) -> Any:
    return decimal(value) if isinstance(value, Decimal) else value


def decimal(number: Decimal | None) -> str | None:
    """Plain digits, without an exponent."""
    return None if number is None else format(number, "f")


# keys and accounts


def key(found: ApiKey) -> key_shapes.Key:
    return key_shapes.Key(**_key_members(found))


def made_key(found: ApiKey, secret: str) -> key_shapes.MadeKey:
    return key_shapes.MadeKey(**_key_members(found), key=secret)


def _key_members(found: ApiKey) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "mode": mode_word(found.mode),
        "scopes": [scope.value for scope in found.scopes],
        "hint": found.hint,
        "rate_limit": found.rate_limit,
        "created_at": iso(found.created_at),
        "expires_at": _at(found.expires_at),
        "revoked_at": _at(found.revoked_at),
        "last_used_at": _at(found.last_used_at),
    }


def account(found: Account) -> key_shapes.Account:
    return key_shapes.Account(id=str(found.id), name=found.name, created_at=iso(found.created_at))
