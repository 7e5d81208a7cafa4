"""The event types as /api/v1/event-types tells them: JSON Schema from the very structs that are sent, an example."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Batch, BatchStatus, Counts, Item, OutcomeKind, Problem
from ordermill.core.event import CATALOGUE, OPERATIONAL, EventType, Scribe, spell_message
from ordermill.core.facts import EndpointFacts, ExhaustionFacts, PingFacts
from ordermill.core.order import Mode, NewOrder, OnExisting, Order
from ordermill.core.outcome import Created, Updated
from ordermill.core.processing import Place, after
from ordermill.web.webhook_shapes import EventTypeShape

_NOW = 1_795_167_000_000_000  # 2026-11-20T09:30:00Z
_PLACED = 1_795_163_400_000_000
_ORDER_ID = 12 << 24


@cache
def catalogue() -> tuple[EventTypeShape, ...]:
    """Every type there is, in the order of the documentation."""
    return tuple(
        EventTypeShape(
            type=type_.value,
            description=sentence,
            operational=type_ in OPERATIONAL,
            json_schema=schema_of(type_),
            example=msgspec.Raw(example_of(type_)),
        )
        for type_, (sentence, _) in CATALOGUE.items()
    )


def schema_of(type_: EventType) -> dict[str, Any]:
    """JSON Schema (2020-12) of a whole body. It says what is there; members may be added."""
    sentence, facts = CATALOGUE[type_]
    (data,), definitions = msgspec.json.schema_components((facts,), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": type_.value,
        "description": sentence,
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": type_.value},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
        "$defs": definitions,
    }


def example_of(type_: EventType) -> bytes:
    """A body as it is sent."""
    scribe = Scribe(1, Mode.LIVE, _NOW)
    if type_ in (EventType.ORDER_CREATED, EventType.ORDER_UPDATED, EventType.ORDER_STATUS_CHANGED):
        created = Created(_order("pending", "308.42", 1), "14", _ORDER_ID)
        if type_ is EventType.ORDER_CREATED:
            return scribe.of_outcome(created, _ORDER_ID, 12)[0].body
        known: Order = after(Place(_ORDER_ID, 1, Mode.LIVE, _NOW - 86_400_000_000), created)
        updated = Updated(_order("completed", "298.42", 2), known, 2)
        told = scribe.of_outcome(updated, 13 << 24, 13)
        return told[0 if type_ is EventType.ORDER_UPDATED else 1].body
    if type_ in OPERATIONAL:
        return scribe.compose(type_, _operational(type_))
    draught = scribe.of_batch(*_batch(type_))
    assert draught is not None
    return draught.body


def _order(status: str, amount: str, content: int) -> NewOrder:
    return NewOrder(
        dialect="brevo",
        source="",
        reference="14",
        status=status,
        placed_at=_PLACED,
        updated_at=_PLACED + content * 60_000_000,
        amount=amount,
        currency=None,
        identifiers=(),
        content_hash=content,
        document="",
        on_existing=OnExisting.UPDATE,
    )


def _batch(type_: EventType) -> tuple[Batch, tuple[Item, ...]]:
    status = BatchStatus(type_.value.removeprefix("batch."))
    failed = {BatchStatus.COMPLETED: 0, BatchStatus.COMPLETED_WITH_ERRORS: 1, BatchStatus.FAILED: 2}[status]
    batch = Batch(
        id=12,
        account_id=1,
        mode=Mode.LIVE,
        dialect="karrio",
        source="",
        key_id="k3y0id00",
        request_id="req_1",
        status=status,
        historical=False,
        notify_url=None,
        origin="",
        parent_batch_id=None,
        counts=Counts(received=2, created=2 - failed, failed=failed),
        created_at=_NOW,
        updated_at=_NOW,
        finished_at=_NOW,
    )
    problem = Problem(code="invalid_choice", field="shipping_to.country_code", message='"UK" is not a valid choice.')
    items = tuple(
        Item(
            id=(12 << 24) + 2 - failed + place,
            account_id=1,
            key=str(place),
            outcome=OutcomeKind.FAILED,
            reference=str(15 + place),
            problems=(problem,),
        )
        for place in range(failed)
    )
    return batch, items


def _operational(type_: EventType) -> msgspec.Struct:
    endpoint_id = ids.spell("we", 1, Mode.LIVE, 3)
    url = "https://erp.example/hooks/orders"
    if type_ is EventType.PING:
        return PingFacts(account_id=1, test_mode=False, endpoint_id=endpoint_id)
    if type_ is EventType.ENDPOINT_DISABLED:
        return EndpointFacts(
            account_id=1,
            test_mode=False,
            endpoint_id=endpoint_id,
            url=url,
            reason="5 days of nothing but failures (last: server_error 503)",
            failing_since=datetime(2026, 11, 15, 9, 30, tzinfo=UTC),
        )
    return ExhaustionFacts(
        account_id=1,
        test_mode=False,
        message_id=spell_message(77, 1, _NOW),
        message_type=EventType.ORDER_CREATED.value,
        endpoint_id=endpoint_id,
        url=url,
        attempts=10,
        last_error="timeout",
    )
