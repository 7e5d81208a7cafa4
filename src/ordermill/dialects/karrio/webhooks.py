"""Karrio's webhooks (contract, section 7): their calls, and how events are told in this contract's words."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ordermill.core import ids
from ordermill.core.delivery import Endpoint, EndpointState, Failure, Kind, Ordering
from ordermill.core.delivery_query import NewEndpoint
from ordermill.core.endpoints import Change, Endpoints
from ordermill.core.errors import Invalid, NotFound
from ordermill.core.event import Draught, Event, EventType, Subject, Voice, facts_of
from ordermill.core.order import Mode
from ordermill.dialects.karrio import outbound
from ordermill.dialects.karrio.inbound import NAME, check_json
from ordermill.dialects.karrio.mending import mend_webhook
from ordermill.dialects.karrio.normal import write_order
from ordermill.dialects.karrio.queries import read_paging
from ordermill.dialects.reading import moment
from ordermill.web.http import Reply, Request, Route

EVERYTHING = "all"
# The order events and batch events of the contract. Those of shipments, trackers and pickups are taken and never sent.
SENT = (
    "order_created",
    "order_updated",
    "order_fulfilled",
    "order_cancelled",
    "order_delivered",
    "batch_queued",
    "batch_running",
    "batch_completed",
    "batch_failed",
)
OTHERS = (
    "shipment_purchased",
    "shipment_cancelled",
    "shipment_fulfilled",
    "shipment_out_for_delivery",
    "shipment_needs_attention",
    "shipment_delivery_failed",
    "tracker_created",
    "tracker_updated",
    "pickup_scheduled",
    "pickup_cancelled",
    "pickup_closed",
)
EVENTS = (EVERYTHING, *SENT, *OTHERS)
_OF_STATUS = {
    "fulfilled": "order_fulfilled",
    "cancelled": "order_cancelled",
    "delivered": "order_delivered",
}
_encode = msgspec.json.Encoder().encode


class Webhook(msgspec.Struct, kw_only=True):
    """A webhook as the contract shows it. `secret` signs (webhook-signature), and is `X-Event-Id` where that is on."""

    id: str | None
    object_type: Literal["webhook"] = "webhook"
    url: str
    enabled_events: list[str]
    description: str | None
    disabled: bool
    last_event_at: Any
    secret: str
    test_mode: bool


class Webhooks:
    """The handlers."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    async def create(self, request: Request) -> Reply:
        """POST /webhooks: 201."""
        asked = _read(request.body, whole=True)
        new = NewEndpoint(
            url=asked["url"],
            kind=Kind.KARRIO,
            description=asked.get("description") or "",
            events=tuple(asked["enabled_events"]),
            ordering=Ordering.PER_ORDER,
            state=EndpointState.DISABLED if asked.get("disabled") else EndpointState.ACTIVE,
            secret=make_secret(),
        )
        return _reply(request, await self.endpoints.create(request.who, new), 201)

    async def list_all(self, request: Request) -> Reply:
        """GET /webhooks: newest first."""
        paging = read_paging(request.query(), 1_000)
        found = [entry for entry in await self.endpoints.find_all(request.who) if entry.kind is Kind.KARRIO]
        found.sort(key=lambda entry: entry.id, reverse=True)
        shown = [_encode(show(entry)) for entry in found[paging.offset : paging.offset + paging.limit]]
        url = f"{request.base_url.rstrip('/')}{request.path}"
        body = outbound.write_page(shown, len(found), paging, url)
        return Reply(200, body, headers=outbound.test_mode(request.who.mode))

    async def get(self, request: Request) -> Reply:
        """GET /webhooks/{id}."""
        return _reply(request, await self._find(request))

    async def update(self, request: Request) -> Reply:
        """PATCH /webhooks/{id}: what is given is changed."""
        known = await self._find(request)
        asked = _read(request.body)
        state = None
        if "disabled" in asked:
            state = EndpointState.DISABLED if asked["disabled"] else EndpointState.ACTIVE
        events = asked.get("enabled_events")
        change = Change(
            url=asked.get("url"),
            description=(asked["description"] or "") if "description" in asked else None,
            events=None if events is None else tuple(events),
            state=state,
        )
        return _reply(request, await self.endpoints.change(request.who, known.id, change))

    async def delete(self, request: Request) -> Reply:
        """DELETE /webhooks/{id}: the documented answer and the one that is really sent, in one."""
        known = await self._find(request)
        await self.endpoints.delete(request.who, known.id)
        gone = msgspec.to_builtins(show(known)) | {"id": None, "operation": "Remove webhook", "success": True}
        return Reply(200, _encode(gone), headers=outbound.test_mode(request.who.mode))

    async def test(self, request: Request) -> Reply:
        """POST /webhooks/{id}/test: a ping, under the rules of every delivery. The contract's `payload` is not sent on:
        what we sign is ours."""
        known = await self._find(request)
        if request.body:
            check_json(request.body)
        tried = await self.endpoints.test(request.who, known.id)
        answer = tried.answer
        told: dict[str, Any] = {"operation": "Test Webhook", "success": answer is not None and answer.delivered}
        if answer is not None and answer.failure is not None and answer.failure is not Failure.CUT:
            told["reason"] = answer.failure.value
        return Reply(200, _encode(told), headers=outbound.test_mode(request.who.mode))

    async def _find(self, request: Request) -> Endpoint:
        who = request.who
        number = ids.parse("weh", request.params["id"], who.account_id, who.mode)
        found = None
        if number is not None:
            found = next((entry for entry in await self.endpoints.find_all(who) if entry.id == number), None)
        if found is None or found.kind is not Kind.KARRIO:
            raise NotFound("Webhook not found")
        return found


def routes(endpoints: Endpoints) -> tuple[Route, ...]:
    """To be added to those of the dialect."""
    calls = Webhooks(endpoints)
    scope = "webhooks"
    return (
        Route("POST", "/webhooks", calls.create, scope),
        Route("GET", "/webhooks", calls.list_all, scope, write=False),
        Route("GET", "/webhooks/{id}", calls.get, scope, write=False),
        Route("PATCH", "/webhooks/{id}", calls.update, scope),
        Route("DELETE", "/webhooks/{id}", calls.delete, scope),
        Route("POST", "/webhooks/{id}/test", calls.test, scope),
    )


def make_secret() -> str:
    """`whsec_<32 hex>`, the contract's form. It is base64 as well: 24 bytes, as Standard Webhooks wants them."""
    import secrets

    return f"whsec_{secrets.token_hex(16)}"


def show(endpoint: Endpoint) -> Webhook:
    last = max((at for at in (endpoint.last_success_at, endpoint.last_failure_at) if at is not None), default=None)
    return Webhook(
        id=ids.spell("weh", endpoint.account_id, endpoint.mode, endpoint.id),
        url=endpoint.url,
        enabled_events=list(endpoint.events) or [EVERYTHING],
        description=endpoint.description or None,
        disabled=endpoint.state is not EndpointState.ACTIVE,
        last_event_at=None if last is None else moment(last),
        secret=endpoint.secret,
        test_mode=endpoint.mode is Mode.TEST,
    )


def _reply(request: Request, endpoint: Endpoint, status: int = 200) -> Reply:
    return Reply(status, _encode(show(endpoint)), headers=outbound.test_mode(request.who.mode))


# reading


def _read(body: bytes, *, whole: bool = False) -> dict[str, Any]:
    """The known fields of a webhook's body. Raises Unreadable, and Invalid with every problem of it."""
    body = body or b"{}"
    check_json(body)
    given, problems = mend_webhook(body, EVENTS, whole=whole)
    if problems:
        raise Invalid(problems[0].message, field=problems[0].field, problems=problems)
    return given


# telling


def voice() -> Voice:
    """How Karrio endpoints are spoken to: `{"event", "data"}` with the thing as this contract's API shows it."""
    return Voice(Kind.KARRIO.value, EVERYTHING, word, write, asks_subject=True)


def word(draught: Draught) -> str | None:
    """What the contract calls an event; it has no word for what came in through other contracts.

    A change of status is one event there: the status's own where it has one, else order_updated.
    """
    match draught.type:
        case EventType.PING:
            return EVERYTHING
        case _ if draught.dialect != NAME:
            return None
        case EventType.ORDER_CREATED:
            return "order_created"
        case EventType.ORDER_UPDATED:
            told_by_status = "status" in draught.changes and draught.status in _OF_STATUS
            return None if told_by_status else "order_updated"
        case EventType.ORDER_STATUS_CHANGED:
            return _OF_STATUS.get(draught.status)
        case EventType.BATCH_COMPLETED | EventType.BATCH_COMPLETED_WITH_ERRORS:
            return "batch_completed"
        case EventType.BATCH_FAILED:
            return "batch_failed"
    return None


def write(event: Event, subject: Subject | None) -> bytes:
    """The body. Without its subject (the retention took it) the facts that were announced stand in."""
    data: Any = facts_of(event)
    if subject is not None and subject.order is not None and subject.order.document is not None:
        data = msgspec.Raw(write_order(subject.order))
    elif subject is not None and subject.batch is not None:
        data = msgspec.Raw(outbound.write_batch(subject.batch, subject.items))
    facts = facts_of(event)
    status, changes = facts.get("status", ""), tuple(facts.get("changes", ()))
    said = word(Draught(event.type, b"", event.dialect, status, changes))
    name = "ping" if event.type is EventType.PING else said or event.type.value.replace(".", "_")
    return _encode({"event": name, "data": data})
