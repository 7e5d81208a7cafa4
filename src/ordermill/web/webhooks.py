"""Events out through our own API: endpoints, their secrets and tests, the log of deliveries, sending again."""

from __future__ import annotations

import re
from typing import Protocol

from ordermill.core import ids
from ordermill.core.account import Account
from ordermill.core.batch import Sender
from ordermill.core.delivery import DeliveryState, Endpoint, EndpointState, Format, Ordering
from ordermill.core.delivery_query import DeliveryQuery, EventQuery, NewEndpoint
from ordermill.core.endpoints import Change, Endpoints
from ordermill.core.errors import Conflict, Invalid, NotFound
from ordermill.core.event import EventType, parse_message
from ordermill.web import telling
from ordermill.web import webhook_shapes as shapes
from ordermill.web.bodies import read_body
from ordermill.web.call import Call
from ordermill.web.event_types import catalogue
from ordermill.web.http import Reply, Request, Route
from ordermill.web.parameters import (
    PAGE_DEFAULT,
    PAGING,
    Parameter,
    bounds,
    choice,
    read_moment,
    read_query,
    span,
    text,
)

NO_STORE = (("cache-control", "no-store"),)
TYPES = tuple(type_.value for type_ in EventType)
STATES = tuple(state.word for state in DeliveryState)
_BATCH = re.compile(r"(?:bch_)?([1-9][0-9]{0,15})")

ABOUT: tuple[Parameter, ...] = (
    choice("type", "Only events of this type.", TYPES),
    text("orderId", "Only what is about this order (`ord_…`)."),
    text("batchId", "Only what is about this batch (`bch_12` or `12`)."),
    *span("created", "what was announced"),
)
DELIVERY_FILTERS: tuple[Parameter, ...] = (
    choice("state", "Only deliveries in this state.", STATES),
    text("endpointId", "Only deliveries to this endpoint (`we_…`)."),
    text("eventId", "Only deliveries of this event (`msg_…`)."),
    text("error", "Only those whose last attempt failed this way: timeout, tls, server_error, …"),
    *ABOUT,
    *PAGING,
)


class Accounts(Protocol):
    """Whose secret signs the calls to a batch's notifyUrl. Each raises NotFound."""

    async def find_account(self, account_id: int) -> Account: ...

    async def rotate_notify_secret(self, account_id: int) -> Account: ...


class Webhooks:
    """The handlers."""

    def __init__(self, endpoints: Endpoints, accounts: Accounts) -> None:
        self.endpoints = endpoints
        self.accounts = accounts

    # endpoints

    async def list_endpoints(self, request: Request) -> Reply:
        """GET /endpoints: all of them, oldest first."""
        read_query(request.query(), ())
        found = await self.endpoints.find_all(request.who)
        return telling.write_page([shapes.endpoint(entry) for entry in found], None)

    async def create_endpoint(self, request: Request) -> Reply:
        """POST /endpoints: 201 with the secret."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.NewEndpoint)
        new = NewEndpoint(
            url=asked.url,
            description=asked.description,
            events=tuple(asked.events),
            format=Format(asked.format),
            ordering=Ordering(asked.ordering),
            state=EndpointState(asked.state),
        )
        made = await self.endpoints.create(request.who, new)
        return telling.write(shapes.made_endpoint(made), 201, NO_STORE)

    async def get_endpoint(self, request: Request) -> Reply:
        """GET /endpoints/{id}: with its figures."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        stats = await self.endpoints.find_stats(request.who, found.id)
        return telling.write(shapes.endpoint_detail(found, stats))

    async def change_endpoint(self, request: Request) -> Reply:
        """PATCH /endpoints/{id}."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        asked = read_body(request, shapes.EndpointChange)
        change = Change(
            url=asked.url,
            description=asked.description,
            events=None if asked.events is None else tuple(asked.events),
            format=None if asked.format is None else Format(asked.format),
            ordering=None if asked.ordering is None else Ordering(asked.ordering),
            state=None if asked.state is None else EndpointState(asked.state),
        )
        return telling.write(shapes.endpoint(await self.endpoints.change(request.who, found.id, change)))

    async def delete_endpoint(self, request: Request) -> Reply:
        """DELETE /endpoints/{id}."""
        read_query(request.query(), ())
        await self.endpoints.delete(request.who, (await self._endpoint(request)).id)
        return Reply(204)

    async def test_endpoint(self, request: Request) -> Reply:
        """POST /endpoints/{id}/test: a ping, now."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        return telling.write(shapes.tested(found, await self.endpoints.test(request.who, found.id)))

    async def show_secret(self, request: Request) -> Reply:
        """GET /endpoints/{id}/secret."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        secret = found.secret or (await self.accounts.find_account(request.who.account_id)).notify_secret
        return telling.write(shapes.Secret(secret=secret), headers=NO_STORE)

    async def show_account_secret(self, request: Request) -> Reply:
        """GET /notify-secret."""
        read_query(request.query(), ())
        account = await self.accounts.find_account(request.who.account_id)
        return telling.write(shapes.notify_secret(account), headers=NO_STORE)

    async def rotate_account_secret(self, request: Request) -> Reply:
        """POST /notify-secret/rotate."""
        read_query(request.query(), ())
        account = await self.accounts.rotate_notify_secret(request.who.account_id)
        return telling.write(shapes.notify_secret(account), headers=NO_STORE)

    async def rotate_secret(self, request: Request) -> Reply:
        """POST /endpoints/{id}/rotate-secret."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        rotated = await self.endpoints.rotate_secret(request.who, found.id)
        return telling.write(shapes.made_endpoint(rotated), headers=NO_STORE)

    async def recover(self, request: Request) -> Reply:
        """POST /endpoints/{id}/recover."""
        read_query(request.query(), ())
        found = await self._endpoint(request)
        if found.state is EndpointState.DISABLED:
            raise Conflict("this endpoint is disabled", hint='enable it first: PATCH {"state":"active"}')
        asked = read_body(request, shapes.Recovery)
        count = await self.endpoints.recover(request.who, found.id, _since(asked.since))
        return telling.write(shapes.Owed(deliveries=count), 202)

    # deliveries

    async def list_deliveries(self, request: Request) -> Reply:
        """GET /deliveries: over all endpoints, newest event first."""
        asked = read_query(request.query(), DELIVERY_FILTERS)
        after, before = bounds(asked, "created")
        who = request.who
        query = DeliveryQuery(
            state=DeliveryState[asked["state"].upper()] if "state" in asked else None,
            endpoint_id=_number("we", asked.get("endpointId"), who, "endpointId"),
            event_id=_event_number(asked.get("eventId"), who),
            type=EventType(asked["type"]) if "type" in asked else None,
            order_id=_number("ord", asked.get("orderId"), who, "orderId"),
            batch_id=_batch_number(asked.get("batchId")),
            error=asked.get("error"),
            created_after=after,
            created_before=before,
            behind=asked.get("cursor"),
            limit=asked.get("limit", PAGE_DEFAULT),
        )
        page = await self.endpoints.find_deliveries(who, query)
        following = page.entries[-1].id if page.more else None
        return telling.write_page([shapes.delivery(entry) for entry in page.entries], following)

    async def get_delivery(self, request: Request) -> Reply:
        """GET /deliveries/{id}: with every attempt."""
        read_query(request.query(), ())
        found = await self.endpoints.get_delivery(request.who, _in_path("dlv", request, "delivery"))
        attempts = await self.endpoints.find_attempts(request.who, found.id)
        return telling.write(shapes.delivery_detail(found, attempts))

    async def resend(self, request: Request) -> Reply:
        """POST /deliveries/{id}/resend: 202."""
        read_query(request.query(), ())
        again = await self.endpoints.resend(request.who, _in_path("dlv", request, "delivery"))
        return telling.write(shapes.delivery(again), 202)

    async def replay(self, request: Request) -> Reply:
        """POST /deliveries/replay: everything that was given up, or some of it. 202."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.ReplayAsked, optional=True)
        if asked.type is not None and asked.type not in TYPES:
            raise Invalid("there is no such event type", field="type", hint="GET /api/v1/event-types lists them")
        query = DeliveryQuery(
            endpoint_id=_number("we", asked.endpoint_id, request.who, "endpointId"),
            type=None if asked.type is None else EventType(asked.type),
            created_after=None if asked.since is None else _since(asked.since) - 1,
        )
        return telling.write(shapes.Owed(deliveries=await self.endpoints.replay(request.who, query)), 202)

    # events

    async def list_events(self, request: Request) -> Reply:
        """GET /events: newest first."""
        asked = read_query(request.query(), (*ABOUT, *PAGING))
        after, before = bounds(asked, "created")
        query = EventQuery(
            type=EventType(asked["type"]) if "type" in asked else None,
            order_id=_number("ord", asked.get("orderId"), request.who, "orderId"),
            batch_id=_batch_number(asked.get("batchId")),
            created_after=after,
            created_before=before,
            behind=asked.get("cursor"),
            limit=asked.get("limit", PAGE_DEFAULT),
        )
        page = await self.endpoints.find_events(request.who, query)
        following = page.entries[-1].id if page.more else None
        return telling.write_page([shapes.event(entry) for entry in page.entries], following)

    async def get_event(self, request: Request) -> Reply:
        """GET /events/{id}."""
        read_query(request.query(), ())
        number = parse_message(request.params["id"], request.who.account_id)
        if number is None:
            raise NotFound("there is no such event", hint="an event's id looks like msg_…")
        return telling.write(shapes.event(await self.endpoints.get_event(request.who, number)))

    async def list_types(self, request: Request) -> Reply:
        """GET /event-types."""
        read_query(request.query(), ())
        return telling.write_page(catalogue(), None)

    async def _endpoint(self, request: Request) -> Endpoint:
        return await self.endpoints.get(request.who, _in_path("we", request, "endpoint"))


def calls(endpoints: Endpoints, accounts: Accounts) -> tuple[Call, ...]:
    """To be added to those of our own API; they describe themselves for its OpenAPI document."""
    from ordermill.web.webhook_calls import declare

    return declare(Webhooks(endpoints, accounts))


def routes(endpoints: Endpoints, accounts: Accounts) -> tuple[Route, ...]:
    """The same without the descriptions."""
    return tuple(call.route() for call in calls(endpoints, accounts))


def _in_path(prefix: str, request: Request, what: str) -> int:
    """The number behind the path's id. Raises NotFound, also for what belongs to another account or mode."""
    who = request.who
    number = ids.parse(prefix, request.params["id"], who.account_id, who.mode)
    if number is None:
        raise NotFound(f"there is no such {what}", hint=f"its id looks like {prefix}_ and 32 characters")
    return number


def _number(prefix: str, said: str | None, who: Sender, field: str) -> int | None:
    """What is not this sender's is a number that nothing has."""
    if said is None:
        return None
    number = ids.parse(prefix, said, who.account_id, who.mode)
    if number is None and not said.startswith(prefix + "_"):
        raise Invalid(f"{field} must look like {prefix}_…", field=field)
    return -1 if number is None else number


def _event_number(said: str | None, who: Sender) -> int | None:
    if said is None:
        return None
    number = parse_message(said, who.account_id)
    return -1 if number is None else number


def _batch_number(said: str | None) -> int | None:
    if said is None:
        return None
    found = _BATCH.fullmatch(said)
    if found is None:
        raise Invalid("batchId must look like bch_12 or 12", field="batchId")
    return int(found[1])


def _since(said: str) -> int:
    try:
        return read_moment(said)
    except ValueError as error:
        raise Invalid(f"since {error}", field="since") from None
