"""Webhooks: who is told of what, every delivery over all endpoints, and what to do about those that failed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from starlette.responses import Response

from ordermill.console import formats, listing
from ordermill.console.listing import PAGE, Column
from ordermill.console.masking import mask, pretty
from ordermill.console.visit import Page, Visit, iso
from ordermill.core import ids
from ordermill.core.account import Scope
from ordermill.core.delivery import Answer, Delivery, DeliveryState, Endpoint, EndpointState, Format, Kind, Ordering
from ordermill.core.delivery_query import DeliveryQuery, EndpointStats, EventQuery, NewEndpoint
from ordermill.core.endpoints import Change, Endpoints
from ordermill.core.errors import Conflict, Invalid, NotFound
from ordermill.core.event import Event, EventType

WEBHOOKS = Scope.WEBHOOKS.value
STATES = tuple(state.word for state in DeliveryState)
CHOICES = tuple(kind.value for kind in EventType if kind is not EventType.PING)
SINCE_HOURS = ((1, "the last hour"), (6, "the last 6 hours"), (24, "the last day"), (168, "the last 7 days"))
# Failures in words: a Failure's value -> what happened, what to look at.
REASONS = {
    "refused": "Events may not go to this address: it is private. ORDERMILL_WEBHOOK_ALLOW names exceptions.",
    "name_not_found": "The host name cannot be resolved (DNS).",
    "unreachable": "Nothing answers at that address and port.",
    "tls": "The TLS handshake failed: look at the certificate.",
    "timeout": "No answer in time.",
    "disconnected": "The connection was closed before the answer was whole.",
    "broken_http": "The answer is not HTTP.",
    "redirected": "It answered with a redirect, and those are not followed: use the final address.",
    "throttled": "It asked for fewer requests (429).",
    "gone": "It answered 410 Gone.",
    "client_error": "The receiver refused the message (4xx): look at its log.",
    "server_error": "The receiver failed (5xx): look at its log.",
    "answer_cut": "Delivered; its answer was longer than is read.",
    "broker": "The broker did not take it.",
    "internal": "Something failed on our side.",
}
COLUMNS = (
    Column("id", lambda entry: entry.id),
    Column("event", lambda entry: entry.event_type.value),
    Column("endpoint_id", lambda entry: entry.endpoint_id),
    Column("url", lambda entry: entry.url or ""),
    Column("state", lambda entry: entry.state.word),
    Column("attempts", lambda entry: entry.tries),
    Column("last_status", lambda entry: entry.last_status),
    Column("last_error", lambda entry: entry.last_error),
    Column("event_at", lambda entry: iso(entry.event_at)),
    Column("due_at", lambda entry: iso(entry.due_at) if entry.state is DeliveryState.PENDING else None),
    Column("finished_at", lambda entry: iso(entry.finished_at)),
)


class Shown(msgspec.Struct, frozen=True):
    """An endpoint with how it fares."""

    endpoint: Endpoint
    stats: EndpointStats

    @property
    def share(self) -> str:
        return formats.share(self.stats.delivered, self.stats.delivered + self.stats.failed)


class Overall(msgspec.Struct, frozen=True):
    """For the overview: the share that arrived, and what to say below it."""

    share: str
    told: str


def service(visit: Visit) -> Endpoints:
    return visit.console.parts.endpoints


async def webhooks(visit: Visit) -> Response:
    """GET /webhooks: endpoints, and the deliveries of all of them."""
    query = _query(visit)

    async def fetch(after: int | None, limit: int) -> tuple[Sequence[Delivery], int | None]:
        asked = msgspec.structs.replace(query, behind=after, limit=limit)
        page = await service(visit).find_deliveries(visit.sender, asked)
        return page.entries, page.entries[-1].id if page.more else None

    if visit.twin:
        return await listing.twin(visit, "ordermill-deliveries", COLUMNS, fetch)
    entries, following = await fetch(visit.number("after"), PAGE)
    shown = await find_shown(visit)
    return await visit.page(
        "webhooks.html",
        title="Webhooks",
        nav="webhooks",
        endpoints=shown,
        names=names(shown),
        deliveries=entries,
        paging=await listing.paging(visit, [], following),
        types=CHOICES,
        event_pairs=[(name, name) for name in (*CHOICES, EventType.PING.value)],
        error_pairs=[(name, name.replace("_", " ")) for name in REASONS],
        reasons=REASONS,
        filtered=any(visit.query.get(name) for name in ("state", "endpoint", "type", "error", "since", "before")),
        exhausted=sum(entry.stats.exhausted for entry in shown),
        running=any(delivery.state is DeliveryState.PENDING for delivery in entries),
        formats=[member.value for member in Format],
        orderings=[member.value for member in Ordering],
    )


def _query(visit: Visit) -> DeliveryQuery:
    state = listing.word(visit, "state", STATES)
    type_ = listing.word(visit, "type", (*CHOICES, EventType.PING.value))
    return DeliveryQuery(
        state=DeliveryState[state.upper()] if state else None,
        endpoint_id=visit.number("endpoint"),
        type=EventType(type_) if type_ else None,
        error=visit.query.get("error"),
        created_after=listing.day(visit, "since"),
        created_before=listing.day(visit, "before", end=True),
    )


async def find_shown(visit: Visit) -> list[Shown]:
    found = await service(visit).find_all(visit.sender)
    return [Shown(entry, await service(visit).find_stats(visit.sender, entry.id)) for entry in found]


def names(shown: Sequence[Shown]) -> dict[int, str]:
    """Endpoint id -> what people know it by."""
    return {
        entry.endpoint.id: entry.endpoint.description or urlsplit(entry.endpoint.url).netloc or entry.endpoint.url
        for entry in shown
    }


async def overall(visit: Visit) -> Overall | None:
    """None where there is no endpoint."""
    shown = await find_shown(visit)
    if not shown:
        return None
    delivered = sum(entry.stats.delivered for entry in shown)
    failed = sum(entry.stats.failed for entry in shown)
    pending = sum(entry.stats.pending for entry in shown)
    told = "arrived" if delivered + failed else "nothing was sent"
    return Overall(formats.share(delivered, delivered + failed), f"{told}, {pending} waiting" if pending else told)


async def create(visit: Visit) -> Response:
    """POST /webhooks."""
    new = NewEndpoint(
        url=visit.field("url"),
        description=visit.field("description"),
        events=_events(visit),
        format=Format(_one_of(visit, "format", [member.value for member in Format])),
        ordering=Ordering(_one_of(visit, "ordering", [member.value for member in Ordering])),
    )
    made = await service(visit).create(visit.sender, new)
    await visit.note("added an endpoint", f"endpoint {made.id}", made.url)
    return visit.go(f"/webhooks/{made.id}", "Added. Its secret is below; a test shows whether it answers.")


def _events(visit: Visit) -> tuple[str, ...]:
    return tuple(name for name in CHOICES if visit.field(f"event-{name}"))


def _one_of(visit: Visit, name: str, words: Sequence[str]) -> str:
    said = visit.field(name) or words[0]
    if said not in words:
        raise Invalid(f"{name} must be one of {', '.join(words)}")
    return said


async def endpoint(visit: Visit) -> Response:
    """GET /webhooks/{id}."""
    found = await service(visit).get(visit.sender, _id(visit))
    stats = await service(visit).find_stats(visit.sender, found.id)
    page = await service(visit).find_deliveries(visit.sender, DeliveryQuery(endpoint_id=found.id, limit=20))
    shown = Shown(found, stats)
    notify = found.kind is Kind.NOTIFY
    secret, old_secret_until = found.secret, found.old_secret_until
    if notify:
        account = await visit.console.ledger.outbox.find_account(visit.sender.account_id)
        secret, old_secret_until = account.notify_secret, account.old_notify_secret_until
    return await visit.page(
        "endpoint.html",
        title=found.description or found.url,
        nav="webhooks",
        endpoint=found,
        stats=stats,
        share_told=shown.share,
        names=names([shown]),
        deliveries=page.entries,
        types=CHOICES,
        reasons=REASONS,
        formats=[member.value for member in Format],
        orderings=[member.value for member in Ordering],
        since_hours=SINCE_HOURS,
        notify=notify,
        secret=secret,
        old_secret_until=old_secret_until,
        running=any(delivery.state is DeliveryState.PENDING for delivery in page.entries),
    )


def _id(visit: Visit) -> int:
    text = str(visit.params["id"])
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NotFound("There is no such page.")
    return int(text)


async def change(visit: Visit) -> Response:
    """POST /webhooks/{id}/change."""
    number = _id(visit)
    changed = Change(
        url=visit.field("url") or None,
        description=visit.field("description"),
        events=_events(visit),
        format=Format(_one_of(visit, "format", [member.value for member in Format])),
        ordering=Ordering(_one_of(visit, "ordering", [member.value for member in Ordering])),
    )
    await service(visit).change(visit.sender, number, changed)
    await visit.note("changed an endpoint", f"endpoint {number}", changed.url or "")
    return visit.go(f"/webhooks/{number}", "Saved.")


async def set_state(visit: Visit) -> Response:
    """POST /webhooks/{id}/state: active or paused; what was missed while disabled is sent when asked for."""
    number = _id(visit)
    state = EndpointState(_one_of(visit, "state", ["active", "paused"]))
    before = await service(visit).get(visit.sender, number)
    await service(visit).change(visit.sender, number, Change(state=state))
    say = "Active again." if state is EndpointState.ACTIVE else "Paused: what comes meanwhile is kept and sent later."
    if visit.field("recover") and before.state is EndpointState.DISABLED:
        missed = await service(visit).recover(visit.sender, number, before.changed_at)
        say = f"Active again; {missed} missed events are on their way."
    await visit.note(f"set an endpoint {state.value}", f"endpoint {number}")
    return visit.go(f"/webhooks/{number}", say)


async def delete(visit: Visit) -> Response:
    """POST /webhooks/{id}/delete."""
    number = _id(visit)
    await service(visit).delete(visit.sender, number)
    await visit.note("deleted an endpoint", f"endpoint {number}")
    return visit.go("/webhooks", "Deleted. Its log stays for its time.")


async def rotate(visit: Visit) -> Response:
    """POST /webhooks/{id}/rotate."""
    number = _id(visit)
    if (await service(visit).get(visit.sender, number)).kind is Kind.NOTIFY:
        await visit.console.ledger.outbox.rotate_notify_secret(visit.sender.account_id)
    else:
        await service(visit).rotate_secret(visit.sender, number)
    await visit.note("rotated a secret", f"endpoint {number}")
    return visit.go(f"/webhooks/{number}", "There is a new secret. For a day messages are signed with both.")


async def test(visit: Visit) -> Response:
    """POST /webhooks/{id}/test: a ping under the very rules of every delivery."""
    number = _id(visit)
    tried = await service(visit).test(visit.sender, number)
    await visit.note("tested an endpoint", f"endpoint {number}")
    return visit.go(f"/webhooks/deliveries/{tried.delivery_id}", *_told(tried.answer))


def _told(answer: Answer | None) -> tuple[str, str]:
    if answer is None:
        return "The ping is on its way.", "good"
    if answer.delivered:
        return f"It answered {answer.status} in {answer.took_ms} ms.", "good"
    reason = REASONS.get(answer.failure.value, "") if answer.failure else ""
    status = f"answered {answer.status}" if answer.status else "did not answer"
    return f"It {status}. {reason}", "bad"


async def replay(visit: Visit) -> Response:
    """POST /webhooks/replay: whatever was given up, of all endpoints or one, once more."""
    number = visit.field("endpoint")
    query = DeliveryQuery(
        state=DeliveryState.EXHAUSTED, endpoint_id=int(number) if number.isdecimal() else None, limit=1_000
    )
    count = await service(visit).replay(visit.sender, query)
    await visit.note("replayed failed deliveries", number or "all endpoints", str(count))
    return visit.go(f"/webhooks/{number}" if number.isdecimal() else "/webhooks", f"{count} deliveries are due again.")


async def recover(visit: Visit) -> Response:
    """POST /webhooks/{id}/recover: what it missed since a time."""
    number = _id(visit)
    hours = visit.field("hours")
    if not hours.isdecimal() or len(hours) > 5:
        raise Invalid("The number of hours must be a whole number.")
    count = await service(visit).recover(visit.sender, number, visit.now - int(hours) * formats.HOUR)
    await visit.note("recovered missed events", f"endpoint {number}", f"{count} of {hours} h")
    say = f"{count} missed events are on their way." if count else "It missed nothing."
    return visit.go(f"/webhooks/{number}", say)


async def delivery(visit: Visit) -> Response:
    """GET /webhooks/deliveries/{id}."""
    found = await service(visit).get_delivery(visit.sender, _id(visit))
    event = await service(visit).get_event(visit.sender, found.event_id)
    known = await visit.console.ledger.outbox.find_endpoint(visit.sender, found.endpoint_id)
    url = found.url or (known.url if known else "")
    return await visit.page(
        "delivery.html",
        title=f"{found.event_type.value} to {urlsplit(url).netloc or url}",
        nav="webhooks",
        delivery=found,
        endpoint=known,
        url=url,
        event=event,
        subject=subject(event),
        body=pretty(event.body),
        attempts=tuple(reversed(await service(visit).find_attempts(visit.sender, found.id))),
        reasons=REASONS,
        mask=mask,
        curl=_curl(url, event),
        running=found.state is DeliveryState.PENDING,
    )


def subject(event: Event) -> tuple[str, str] | None:
    """The page of what an event is about: (path, word)."""
    if event.order_id is not None:
        spelled = ids.spell("ord", event.account_id, event.mode, event.order_id)
        return f"/orders/{spelled}", "the order"
    if event.batch_id is not None:
        return f"/batches/bch_{event.batch_id}", f"bch_{event.batch_id}"
    return None


def _curl(url: str, event: Event) -> str:
    body = shlex.quote(event.body.decode("utf-8", "replace"))
    return (
        f"curl -X POST {shlex.quote(url)} -H 'Content-Type: application/json' -H 'webhook-id: {event.message_id}' "
        f"-H \"webhook-timestamp: $(date +%s)\" -H 'webhook-signature: v1,…' --data-binary {body}"
    )


async def resend(visit: Visit) -> Response:
    """POST /webhooks/deliveries/{id}/resend."""
    number = _id(visit)
    sent = await service(visit).resend(visit.sender, number)
    await visit.note("resent a delivery", f"delivery {number}")
    return visit.go(f"/webhooks/deliveries/{sent.id}", "It is due again.")


async def of_order(visit: Visit, order_id: int) -> list[tuple[Event, list[Delivery]]]:
    """The newest events of an order, each with its deliveries."""
    events = await service(visit).find_events(visit.sender, EventQuery(order_id=order_id, limit=50))
    page = await service(visit).find_deliveries(visit.sender, DeliveryQuery(order_id=order_id, limit=200))
    return [(event, [one for one in page.entries if one.event_id == event.id]) for event in events.entries]


async def resend_events_of(visit: Visit, order_id: int) -> tuple[int, int]:
    """Every delivery of the order's newest events is due again, in the order of the events. (sent, left out)."""
    page = await service(visit).find_deliveries(visit.sender, DeliveryQuery(order_id=order_id, limit=200))
    sent = 0
    for entry in sorted(page.entries, key=lambda entry: (entry.event_id, entry.id)):
        with suppress(Conflict, NotFound):
            await service(visit).resend(visit.sender, entry.id)
            sent += 1
    return sent, len(page.entries) - sent


PAGES = (
    Page("GET", "/webhooks", webhooks, twins=True),
    Page("POST", "/webhooks", create, scope=WEBHOOKS),
    Page("POST", "/webhooks/replay", replay, scope=WEBHOOKS),
    Page("GET", "/webhooks/deliveries/{id}", delivery),
    Page("POST", "/webhooks/deliveries/{id}/resend", resend, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/change", change, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/state", set_state, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/delete", delete, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/rotate", rotate, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/test", test, scope=WEBHOOKS),
    Page("POST", "/webhooks/{id}/recover", recover, scope=WEBHOOKS),
    Page("GET", "/webhooks/{id}", endpoint),
)
