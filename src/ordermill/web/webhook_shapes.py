"""What our own API says of endpoints, events and deliveries: one struct per JSON object, and core values -> them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ordermill.core import ids
from ordermill.core.account import Account
from ordermill.core.delivery import Answer, Attempt, Delivery, DeliveryState, Endpoint, Failure
from ordermill.core.delivery_query import EndpointStats
from ordermill.core.endpoints import Tried
from ordermill.core.event import Event
from ordermill.dialects.reading import iso
from ordermill.web.shapes import BatchId, Instant, ModeWord, OrderId, Shape

EndpointId = Annotated[str, Meta(pattern="^we_[0-9a-f]{32}$")]
DeliveryId = Annotated[str, Meta(pattern="^dlv_[0-9a-f]{32}$")]
MessageId = Annotated[str, Meta(pattern="^msg_[0-9A-HJKMNP-TV-Z]{26}$")]
Url = Annotated[str, Meta(max_length=2_048, examples=["https://erp.example/hooks/orders"])]
Events = Annotated[
    list[Annotated[str, Meta(max_length=100)]],
    Meta(max_length=100, description="Event types, `order.*`, `batch.*` or `*`. Empty: all about orders and batches."),
]
Description = Annotated[str, Meta(max_length=1_000)]
FormatWord = Literal["plain", "cloudevents"]
OrderingWord = Literal["none", "per_order", "strict"]
StateWord = Literal["active", "paused", "disabled"]
DeliveryWord = Literal["pending", "delivered", "exhausted"]


class NewEndpoint(Shape, kw_only=True, forbid_unknown_fields=True):
    """Where to, what, and how. `ordering`: what waits for what: nothing, an order's newer event, or everything."""

    url: Url
    events: Events = msgspec.field(default_factory=list)
    description: Description = ""
    format: FormatWord = "plain"
    ordering: OrderingWord = "per_order"
    state: Literal["active", "paused"] = "active"


class EndpointChange(Shape, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. `state` active enables an endpoint that was paused or disabled."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    format: FormatWord | None = None
    ordering: OrderingWord | None = None
    state: Literal["active", "paused"] | None = None


class Recovery(Shape, kw_only=True, forbid_unknown_fields=True):
    """From when on to send again what was not delivered."""

    since: Instant


class ReplayAsked(Shape, kw_only=True, forbid_unknown_fields=True):
    """Which of the deliveries that were given up to send once more; all of them where nothing is named."""

    endpoint_id: EndpointId | None = None
    type: str | None = None
    since: Instant | None = None


class EndpointShape(Shape, kw_only=True):
    """An address that wants events. `kind`: ours, a Karrio webhook, or a host that batches name in `notifyUrl`."""

    id: EndpointId
    kind: Literal["ordermill", "karrio", "notify"]
    url: str
    mode: ModeWord
    description: str
    events: list[str]
    format: FormatWord
    ordering: OrderingWord
    state: StateWord
    reason: Annotated[str, Meta(description="Why it is disabled.")]
    created_at: Instant
    changed_at: Instant
    last_success_at: Instant | None
    last_failure_at: Instant | None
    failing_since: Instant | None
    last_error: str
    old_secret_until: Annotated[Instant | None, Meta(description="Until when the secret before this one signs too.")]


class MadeEndpoint(EndpointShape, kw_only=True):
    """With its secret: `GET /endpoints/{id}/secret` shows it again."""

    secret: str


class Stats(Shape, kw_only=True):
    """The last 24 hours, and what waits. `p95Ms`: the bound (50, 250, 1000, 5000) that 95 of 100 stayed below."""

    delivered: int
    failed: int
    average_ms: int | None
    p95_ms: int | None
    pending: int
    next_due_at: Instant | None
    exhausted: int
    missed: Annotated[int, Meta(description="Events since it was disabled: `POST …/recover` sends them.")]


class EndpointDetail(EndpointShape, kw_only=True):
    stats: Stats


class Secret(Shape, kw_only=True):
    secret: str


class NotifySecret(Secret, kw_only=True):
    old_secret_until: Annotated[Instant | None, Meta(description="Until when the secret before this one signs too.")]


class DeliveryShape(Shape, kw_only=True):
    """One event owed to one endpoint. `messageId` is the `webhook-id` header, the same on every attempt."""

    id: DeliveryId
    message_id: MessageId
    type: str
    endpoint_id: EndpointId
    url: Annotated[str | None, Meta(description="The notifyUrl of the batch, where it is one.")]
    state: DeliveryWord
    attempts: Annotated[int, Meta(description="Attempts since it was owed, or owed once more.")]
    last_status: int | None
    last_error: str
    next_attempt_at: Instant | None
    created_at: Instant
    finished_at: Instant | None


class AttemptShape(Shape, kw_only=True):
    """One try. `error` is empty when nothing was wrong; `answer` is the beginning of what the receiver said."""

    number: int
    at: Instant
    took_ms: int
    status: int | None
    error: str
    answer: str


class DeliveryDetail(DeliveryShape, kw_only=True):
    log: list[AttemptShape]


class EventShape(Shape, kw_only=True):
    """A fact as it was announced; `body` is what is sent, byte for byte where the format is plain."""

    id: MessageId
    type: str
    mode: ModeWord
    order_id: OrderId | None
    batch_id: BatchId | None
    created_at: Instant
    body: msgspec.Raw


class Tested(Shape, kw_only=True):
    """What came of a test. `error` is empty when it arrived."""

    delivery_id: DeliveryId
    delivered: bool
    status: int | None
    error: str
    took_ms: int | None
    answer: str


class Owed(Shape, kw_only=True):
    """How many deliveries are owed once more."""

    deliveries: int


class EventTypeShape(Shape, kw_only=True):
    """A type, its JSON Schema and an example. `operational` ones are sent only to endpoints that name them."""

    type: str
    description: str
    operational: bool
    json_schema: Annotated[dict[str, Any], Meta(description="Of the whole body.")] = msgspec.field(name="schema")
    example: msgspec.Raw


# core -> shapes


def _at(micros: int | None) -> str | None:
    return None if micros is None else iso(micros)


def _members(found: Endpoint) -> dict[str, Any]:
    return {
        "id": ids.spell("we", found.account_id, found.mode, found.id),
        "kind": found.kind.value,
        "url": found.url,
        "mode": found.mode.name.lower(),
        "description": found.description,
        "events": list(found.events),
        "format": found.format.value,
        "ordering": found.ordering.value,
        "state": found.state.value,
        "reason": found.reason,
        "created_at": iso(found.created_at),
        "changed_at": iso(found.changed_at),
        "last_success_at": _at(found.last_success_at),
        "last_failure_at": _at(found.last_failure_at),
        "failing_since": _at(found.failing_since),
        "last_error": found.last_error,
        "old_secret_until": _at(found.old_secret_until),
    }


def notify_secret(found: Account) -> NotifySecret:
    return NotifySecret(secret=found.notify_secret, old_secret_until=_at(found.old_notify_secret_until))


def endpoint(found: Endpoint) -> EndpointShape:
    return EndpointShape(**_members(found))


def made_endpoint(made: Endpoint) -> MadeEndpoint:
    return MadeEndpoint(**_members(made), secret=made.secret)


def endpoint_detail(found: Endpoint, stats: EndpointStats) -> EndpointDetail:
    members = msgspec.structs.asdict(stats) | {"next_due_at": _at(stats.next_due_at)}
    return EndpointDetail(**_members(found), stats=Stats(**members))


def _delivery_members(found: Delivery, message_id: str) -> dict[str, Any]:
    pending = found.state is DeliveryState.PENDING
    return {
        "id": ids.spell("dlv", found.account_id, found.mode, found.id),
        "message_id": message_id,
        "type": found.event_type.value,
        "endpoint_id": ids.spell("we", found.account_id, found.mode, found.endpoint_id),
        "url": found.url,
        "state": found.state.word,
        "attempts": found.tries,
        "last_status": found.last_status,
        "last_error": found.last_error,
        "next_attempt_at": iso(found.due_at) if pending else None,
        "created_at": iso(found.created_at),
        "finished_at": _at(found.finished_at),
    }


def delivery(found: Delivery) -> DeliveryShape:
    return DeliveryShape(**_delivery_members(found, found.message_id))


def delivery_detail(found: Delivery, attempts: tuple[Attempt, ...]) -> DeliveryDetail:
    return DeliveryDetail(**_delivery_members(found, found.message_id), log=[_attempt(entry) for entry in attempts])


def _attempt(entry: Attempt) -> AttemptShape:
    return AttemptShape(
        number=entry.number,
        at=iso(entry.at),
        took_ms=entry.took_ms,
        status=entry.status,
        error=entry.error,
        answer=entry.snippet,
    )


def event(found: Event) -> EventShape:
    order_id = None if found.order_id is None else ids.spell("ord", found.account_id, found.mode, found.order_id)
    return EventShape(
        id=found.message_id,
        type=found.type.value,
        mode="test" if found.mode else "live",
        order_id=order_id,
        batch_id=None if found.batch_id is None else f"bch_{found.batch_id}",
        created_at=iso(found.created_at),
        body=msgspec.Raw(found.body),
    )


def tested(known: Endpoint, tried: Tried) -> Tested:
    answer = tried.answer or Answer(status=None, failure=Failure.INTERNAL, took_ms=0, snippet="somebody else sends it")
    return Tested(
        delivery_id=ids.spell("dlv", known.account_id, known.mode, tried.delivery_id),
        delivered=answer.delivered,
        status=answer.status,
        error="" if answer.failure is None else answer.failure.value,
        took_ms=None if tried.answer is None else answer.took_ms,
        answer=answer.snippet,
    )
