"""Endpoints: everything that a dialect, the API, the console or the command line may ask about who is told of what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from ordermill.core.batch import Problem, Sender
from ordermill.core.delivery import (
    FILTERS_MAX,
    OWN_FILTERS,
    Answer,
    Attempt,
    Delivery,
    Endpoint,
    EndpointState,
    Format,
    Kind,
    Ordering,
)
from ordermill.core.delivery_query import DeliveryQuery, EndpointStats, EventQuery, NewEndpoint
from ordermill.core.errors import Conflict, Invalid, NotFound
from ordermill.core.event import Event
from ordermill.core.query import Page
from ordermill.core.store import DeliveryStore

DESCRIPTION_CHARS_MAX = 1_000
BROKER_PREFIX = "nats:"
_SUBJECT_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")

TryNow = Callable[[int, int], Awaitable[Answer | None]]


class CheckUrl(Protocol):
    """Whether events may go to a URL. Raises Invalid, saying what to change."""

    def __call__(self, text: str, *, field: str = "url") -> Awaitable[object]: ...


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be changed about an endpoint; None leaves a thing as it is."""

    url: str | None = None
    description: str | None = None
    events: tuple[str, ...] | None = None
    format: Format | None = None
    ordering: Ordering | None = None
    state: EndpointState | None = None


class Tried(msgspec.Struct, frozen=True):
    """A test: its delivery, and what came of the attempt; None when somebody else is making it."""

    delivery_id: int
    answer: Answer | None


class Endpoints:
    """The rules above the store. `check_url` guards saving as it guards sending; `try_now` makes an attempt at once."""

    def __init__(self, store: DeliveryStore, check_url: CheckUrl, try_now: TryNow, *, broker: bool = False) -> None:
        self.store = store
        self.check_url = check_url
        self.try_now = try_now
        self.broker = broker

    async def create(self, sender: Sender, new: NewEndpoint) -> Endpoint:
        """Raises Invalid with all problems; Conflict when there are too many."""
        await self._check_url(new.url, new.kind)
        _check_words(new.kind, new.description, new.events)
        return await self.store.create_endpoint(sender, new)

    async def change(self, sender: Sender, endpoint_id: int, change: Change) -> Endpoint:
        """Raises NotFound, Invalid; Conflict for what cannot be changed."""
        known = await self.get(sender, endpoint_id)
        if known.kind is Kind.NOTIFY and change.state is None:
            raise Conflict("this endpoint stands for the notifyUrl of batches: it can be paused, not changed")
        if change.url is not None:
            await self._check_url(change.url, known.kind)
        _check_words(known.kind, change.description, change.events)
        changes = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        return await self.store.change_endpoint(
            sender, endpoint_id, lambda current: msgspec.structs.replace(current, **changes)
        )

    async def delete(self, sender: Sender, endpoint_id: int) -> Endpoint:
        """Nothing more is sent; its log stays for its time. Raises NotFound."""
        return await self.store.change_endpoint(
            sender, endpoint_id, lambda known: msgspec.structs.replace(known, state=EndpointState.DELETED)
        )

    async def rotate_secret(self, sender: Sender, endpoint_id: int) -> Endpoint:
        """A new secret; the old one signs beside it for a day. Raises NotFound, Conflict."""
        known = await self.get(sender, endpoint_id)
        if known.kind is Kind.NOTIFY:
            raise Conflict("notifyUrl addresses are signed with the account's secret")
        return await self.store.rotate_secret(sender, endpoint_id)

    async def test(self, sender: Sender, endpoint_id: int) -> Tried:
        """Sends a ping now, under the very rules of every delivery. Raises NotFound, Conflict, Invalid."""
        known = await self.get(sender, endpoint_id)
        if known.kind is Kind.NOTIFY:
            raise Conflict("this endpoint stands for the notifyUrl of batches: there is no one address to test")
        await self._check_url(known.url, known.kind)
        delivery_id = await self.store.ping(sender, endpoint_id)
        return Tried(delivery_id, await self.try_now(sender.account_id, delivery_id))

    async def get(self, sender: Sender, endpoint_id: int) -> Endpoint:
        """Raises NotFound."""
        found = await self.store.find_endpoint(sender, endpoint_id)
        if found is None:
            raise NotFound("there is no such endpoint")
        return found

    async def find_all(self, sender: Sender) -> tuple[Endpoint, ...]:
        return await self.store.find_endpoints(sender)

    async def find_stats(self, sender: Sender, endpoint_id: int) -> EndpointStats:
        return await self.store.find_stats(sender, endpoint_id)

    async def get_delivery(self, sender: Sender, delivery_id: int) -> Delivery:
        """Raises NotFound."""
        found = await self.store.find_delivery(sender, delivery_id)
        if found is None:
            raise NotFound("there is no such delivery")
        return found

    async def find_deliveries(self, sender: Sender, query: DeliveryQuery) -> Page[Delivery]:
        return await self.store.find_deliveries(sender, query)

    async def find_attempts(self, sender: Sender, delivery_id: int) -> tuple[Attempt, ...]:
        return await self.store.find_attempts(sender, delivery_id)

    async def get_event(self, sender: Sender, event_id: int) -> Event:
        """Raises NotFound."""
        found = await self.store.find_event(sender, event_id)
        if found is None:
            raise NotFound("there is no such event")
        return found

    async def find_events(self, sender: Sender, query: EventQuery) -> Page[Event]:
        return await self.store.find_events(sender, query)

    async def resend(self, sender: Sender, delivery_id: int) -> Delivery:
        """Raises NotFound, Conflict."""
        return await self.store.resend(sender, delivery_id)

    async def replay(self, sender: Sender, query: DeliveryQuery) -> int:
        """Every delivery that was given up and that the query finds, once more. How many."""
        return await self.store.replay(sender, query)

    async def recover(self, sender: Sender, endpoint_id: int, since: int) -> int:
        """What an endpoint missed since that instant (µs). How many. Raises NotFound, Conflict."""
        await self.get(sender, endpoint_id)
        return await self.store.recover(sender, endpoint_id, since)

    async def _check_url(self, url: str, kind: Kind) -> None:
        if not url.startswith(BROKER_PREFIX):
            await self.check_url(url)
            return
        subject = url.removeprefix(BROKER_PREFIX)
        if not self.broker or kind is not Kind.OWN:
            hint = "the operator sets one up with ORDERMILL_NATS_URL"
            raise Invalid("there is no broker to publish to", field="url", hint=hint)
        if not subject or len(subject) > 200 or not set(subject) <= _SUBJECT_CHARS or not all(subject.split(".")):
            raise Invalid("the subject after nats: must be words of letters, digits, - and _ with dots", field="url")


def _check_words(kind: Kind, description: str | None, events: tuple[str, ...] | None) -> None:
    problems = []
    if description is not None and (len(description) > DESCRIPTION_CHARS_MAX or "\0" in description):
        problems.append(
            Problem(
                code="too_long",
                field="description",
                message=f"the description may have {DESCRIPTION_CHARS_MAX} characters",
            )
        )
    if events is not None and len(events) > FILTERS_MAX:
        problems.append(
            Problem(code="too_many", field="events", message=f"an endpoint may name {FILTERS_MAX} event types")
        )
    for place, word in enumerate((events or ())[:FILTERS_MAX] if kind is Kind.OWN else ()):
        if word not in OWN_FILTERS:
            problems.append(
                Problem(
                    code="unknown_event",
                    field=f"events[{place}]",
                    message="there is no such event type",
                    value=word[:100],
                    hint="GET /api/v1/event-types lists them; order.*, batch.* and * stand for several",
                )
            )
    if problems:
        first = problems[0]
        raise Invalid(first.message, field=first.field, hint=first.hint, problems=tuple(problems))
