"""Endpoints and what is asked about them: changing, listing, sending again. Engine-free; SQL in delivery.sql."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Sender
from ordermill.core.delivery import (
    SECRET_OVERLAP_S,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    Kind,
    lane_of,
    make_secret,
    wants,
)
from ordermill.core.delivery_query import Backlog, DeliveryQuery, EndpointStats, EventQuery, NewEndpoint
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.event import ERASED_BODY, Draught, Event, EventType, Scribe, as_draught
from ordermill.core.facts import PingFacts
from ordermill.core.order import Mode
from ordermill.core.query import Page
from ordermill.store import announcing
from ordermill.store.announcing import Owed, Voices, endpoint_row, events_text, fresh_row, write_owed
from ordermill.store.delivery import HOUR_US
from ordermill.store.engine import Collided, Row, Transaction

DAY_HOURS = 24
AT_ONCE = 500
PING_WAIT_US = 60_000_000


def create(tx: Transaction, sender: Sender, new: NewEndpoint, now: int, most: int) -> Endpoint:
    """Raises Conflict when there are `most` already."""
    if len(announcing.listeners(tx, sender.account_id, sender.mode)) >= most:
        raise Conflict(f"there are {most} endpoints already", hint="delete one that is not needed any more")
    made = Endpoint(
        id=tx.reserve(0, "endpoint", 1),
        account_id=sender.account_id,
        mode=sender.mode,
        kind=new.kind,
        url=new.url,
        description=new.description,
        events=new.events,
        format=new.format,
        ordering=new.ordering,
        state=new.state,
        reason="",
        secret=new.secret or make_secret(),
        old_secret=None,
        old_secret_until=None,
        created_at=now,
        changed_at=now,
    )
    if tx.run("save_endpoint", *endpoint_row(made)) != 1:
        raise Collided("save_endpoint")
    return made


def find(tx: Transaction, sender: Sender, endpoint_id: int) -> Endpoint | None:
    row = tx.one("find_endpoint", sender.account_id, endpoint_id)
    found = announcing.endpoint(row) if row else None
    return found if found and found.mode is sender.mode and found.state is not EndpointState.DELETED else None


def get(tx: Transaction, sender: Sender, endpoint_id: int) -> Endpoint:
    """Raises NotFound."""
    found = find(tx, sender, endpoint_id)
    if found is None:
        raise NotFound("there is no such endpoint")
    return found


def find_all(tx: Transaction, sender: Sender) -> tuple[Endpoint, ...]:
    return tuple(announcing.endpoint(row) for row in tx.all("find_endpoints", sender.account_id, sender.mode))


def change(
    tx: Transaction, sender: Sender, endpoint_id: int, make: Callable[[Endpoint], Endpoint], now: int
) -> Endpoint:
    """The endpoint as `make` (pure; may raise a Refusal) has it. Raises NotFound, Collided.

    Active again: what waited is due at once, and its bad days are forgotten. Deleted: it is owed nothing any more.
    """
    known = get(tx, sender, endpoint_id)
    changed = make(known)
    enabled = changed.state is EndpointState.ACTIVE and known.state is not EndpointState.ACTIVE
    if enabled or changed.url != known.url:
        changed = msgspec.structs.replace(changed, failing_since=None)
    if changed.state in (EndpointState.ACTIVE, EndpointState.PAUSED):
        changed = msgspec.structs.replace(changed, reason="")
    changed = msgspec.structs.replace(changed, changed_at=max(now, known.changed_at + 1))
    written = tx.run(
        "change_endpoint", changed.url, changed.description, events_text(changed.events), changed.format.value,
        changed.ordering.value, changed.state.value, changed.reason, changed.secret, changed.old_secret,
        changed.old_secret_until, changed.failing_since, changed.changed_at, sender.account_id, endpoint_id,
        known.changed_at,
    )  # fmt: skip
    if written != 1:
        raise Collided("change_endpoint")
    if changed.state is EndpointState.DELETED:
        tx.run("drop_pending", now, sender.account_id, endpoint_id)
    elif enabled:
        tx.run("hasten", now, sender.account_id, endpoint_id, now)
    return changed


def rotated(known: Endpoint, now: int) -> Endpoint:
    """With a new secret; the old one signs beside it for a day."""
    return msgspec.structs.replace(
        known, secret=make_secret(), old_secret=known.secret, old_secret_until=now + SECRET_OVERLAP_S * 1_000_000
    )


def stats(tx: Transaction, sender: Sender, endpoint_id: int, now: int) -> EndpointStats:
    """Raises NotFound."""
    known = get(tx, sender, endpoint_id)
    place = (sender.account_id, endpoint_id)
    tally = tx.one("find_delivery_tally", *place, now // HOUR_US - DAY_HOURS)
    pending = tx.one("count_pending", *place)
    exhausted = tx.one("count_exhausted", *place)
    assert tally is not None and pending is not None and exhausted is not None  # noqa: PT018
    delivered, failed, total_ms, *upto = (int(value) for value in tally)
    tried = delivered + failed
    missed = 0
    if known.state is EndpointState.DISABLED:
        row = tx.one("count_events_since", sender.account_id, sender.mode, known.changed_at)
        missed = int(row[0]) if row else 0
    return EndpointStats(
        delivered=delivered,
        failed=failed,
        average_ms=round(total_ms / tried) if tried else None,
        p95_ms=_p95(upto, tried),
        pending=pending[0],
        next_due_at=pending[1],
        exhausted=exhausted[0],
        missed=missed,
    )


def _p95(upto: Sequence[int], tried: int) -> int | None:
    seen = 0
    for count, bound in zip(upto, (50, 250, 1_000, 5_000), strict=False):
        seen += count
        if tried and seen >= 0.95 * tried:
            return bound
    return None


def ping(tx: Transaction, voices: Voices, sender: Sender, endpoint_id: int, now: int) -> int:
    """A ping for one endpoint, whatever it listens to. The id of its delivery; whoever asked makes the attempt."""
    known = get(tx, sender, endpoint_id)
    facts = PingFacts(
        account_id=sender.account_id,
        test_mode=sender.mode is Mode.TEST,
        endpoint_id=ids.spell("we", sender.account_id, sender.mode, endpoint_id),
    )
    body = Scribe(sender.account_id, sender.mode, now).compose(EventType.PING, facts)
    owed = Owed(Draught(EventType.PING, body), only=known, wait_us=PING_WAIT_US)
    return write_owed(tx, voices, (sender.account_id, sender.mode, now), (), [owed])[0]


# the log


def find_deliveries(tx: Transaction, sender: Sender, query: DeliveryQuery) -> Page[Delivery]:
    asked: list[tuple[str, tuple[object, ...]]] = []
    for clause, value in (
        ("delivery.endpoint", query.endpoint_id),
        ("delivery.event", query.event_id),
        ("delivery.type", None if query.type is None else query.type.value),
        ("delivery.error", None if query.error is None else query.error + "%"),
        ("delivery.created_after", query.created_after),
        ("delivery.created_before", query.created_before),
    ):
        if value is not None:
            asked.append((clause, (value,)))
    if query.state is not None:
        asked.append((f"delivery.{query.state.word}", ()))
    if query.order_id is not None:
        asked.append(("delivery.order", (sender.account_id, query.order_id)))
    if query.batch_id is not None:
        asked.append(("delivery.batch", (sender.account_id, query.batch_id)))
    if query.behind is not None:
        last = find_delivery(tx, sender, query.behind)
        if last is None:
            return Page(entries=())
        asked.append(("delivery.behind", (last.event_id, last.endpoint_id)))
    few = query.state is DeliveryState.PENDING and query.order_id is None and query.batch_id is None
    tail = "delivery.newest_of_few" if few else "delivery.newest"
    found = _page(tx, sender, "find_deliveries", tail, asked, query.limit)
    entries = tuple(announcing.delivery(row) for row in found[: query.limit])
    return Page(entries=entries, more=len(found) > query.limit)


def find_events(tx: Transaction, sender: Sender, query: EventQuery) -> Page[Event]:
    asked: list[tuple[str, tuple[object, ...]]] = []
    for clause, value in (
        ("event.type", None if query.type is None else query.type.value),
        ("event.order", query.order_id),
        ("event.batch", query.batch_id),
        ("event.created_after", query.created_after),
        ("event.created_before", query.created_before),
    ):
        if value is not None:
            asked.append((clause, (value,)))
    if query.behind is not None:
        last = find_event(tx, sender, query.behind)
        if last is None:
            return Page(entries=())
        asked.append(("event.behind", (last.created_at, last.id)))
    tail = "event.newest" if query.order_id is None and query.batch_id is None else "event.newest_of"
    found = _page(tx, sender, "find_events", tail, asked, query.limit)
    return Page(entries=tuple(announcing.event(row) for row in found[: query.limit]), more=len(found) > query.limit)


def _page(
    tx: Transaction, sender: Sender, name: str, tail: str, asked: list[tuple[str, tuple[object, ...]]], limit: int
) -> list[Row]:
    params = [value for _, values in asked for value in values]
    clauses = [clause for clause, _ in asked]
    return tx.compose(name, clauses, [sender.account_id, sender.mode, *params, limit + 1], tail)


def find_event(tx: Transaction, sender: Sender, event_id: int) -> Event | None:
    row = tx.one("find_event", sender.account_id, sender.mode, event_id)
    return announcing.event(row) if row else None


def find_delivery(tx: Transaction, sender: Sender, delivery_id: int) -> Delivery | None:
    row = tx.one("find_delivery", sender.account_id, sender.mode, delivery_id)
    return announcing.delivery(row) if row else None


def find_attempts(tx: Transaction, sender: Sender, delivery_id: int) -> tuple[Attempt, ...]:
    if find_delivery(tx, sender, delivery_id) is None:
        return ()
    names = Attempt.__struct_fields__
    rows = tx.all("find_attempts", sender.account_id, delivery_id)
    return tuple(Attempt(**dict(zip(names, row, strict=True))) for row in rows)


def find_notification(tx: Transaction, sender: Sender, batch_id: int) -> DeliveryState | None:
    """What became of the call that a batch's notifyUrl is owed."""
    row = tx.one("find_notification", sender.account_id, sender.mode, batch_id)
    return DeliveryState(row[0]) if row else None


def backlog(tx: Transaction, now: int) -> Backlog:
    oldest, disabled = tx.one("oldest_pending", now), tx.one("count_disabled")
    return Backlog(oldest[0] if oldest else None, disabled[0] if disabled else 0)


# sending again


def resend(tx: Transaction, sender: Sender, delivery_id: int, now: int) -> Delivery:
    """Owed once more, with the same message id and body.

    Raises NotFound; Conflict while an attempt is under way, or when the endpoint was deleted or the event erased.
    """
    known = find_delivery(tx, sender, delivery_id)
    if known is None:
        raise NotFound("there is no such delivery")
    if find(tx, sender, known.endpoint_id) is None:
        raise Conflict("the endpoint of this delivery was deleted")
    event = find_event(tx, sender, known.event_id)
    if event is not None and event.erased:
        raise Conflict("what this event told was erased with its person")
    if not _reopen(tx, sender, delivery_id, now):
        raise Conflict("an attempt of this delivery is under way", hint="ask again in a minute")
    again = find_delivery(tx, sender, delivery_id)
    assert again is not None
    return again


def _reopen(tx: Transaction, sender: Sender, delivery_id: int, now: int) -> int:
    return tx.run("reopen", now, sender.account_id, delivery_id, ERASED_BODY)


class Replay(msgspec.Struct, frozen=True):
    """One step of a replay: how many are owed once more, and behind which delivery the next step goes on."""

    written: int
    behind: int | None


def replay(tx: Transaction, sender: Sender, query: DeliveryQuery, now: int) -> Replay:
    """Exhausted deliveries that the query finds are owed once more, where their endpoint is still there."""
    there = {known.id for known in find_all(tx, sender)}
    asked = msgspec.structs.replace(query, state=DeliveryState.EXHAUSTED, limit=AT_ONCE)
    page = find_deliveries(tx, sender, asked)
    wanted = sorted(entry.id for entry in page.entries if entry.endpoint_id in there)
    written = sum(_reopen(tx, sender, number, now) for number in wanted)
    return Replay(written, page.entries[-1].id if page.more else None)


class Recovery(msgspec.Struct, frozen=True):
    """One step of recovering an endpoint: how many were written, and behind which event the next step goes on."""

    written: int
    behind: tuple[int, int] | None


def recover(
    tx: Transaction, voices: Voices, sender: Sender, endpoint_id: int, behind: tuple[int, int], until: int, now: int
) -> Recovery:
    """Owes an endpoint what it wants of the events from `behind` (instant, event) to `until` and was not delivered."""
    known = get(tx, sender, endpoint_id)
    if known.kind is Kind.NOTIFY:
        raise Conflict("this endpoint stands for the notifyUrl of batches; replay its deliveries instead")
    listening = msgspec.structs.replace(known, state=EndpointState.ACTIVE)
    fresh: list[tuple[Event, Draught]] = []
    written = 0
    rows = tx.all("find_recoverable", endpoint_id, sender.account_id, sender.mode, *behind, AT_ONCE)
    rows = [row for row in rows if row[8] <= until]
    for row in rows:
        event, delivery_id, state = announcing.event(row[:10]), row[10], row[11]
        if event.erased:
            continue
        if delivery_id is not None:
            if state == DeliveryState.EXHAUSTED:
                written += _reopen(tx, sender, delivery_id, now)
        elif wants(listening, as_draught(event), voices[known.kind]):
            fresh.append((event, as_draught(event)))
    if fresh:
        number = tx.reserve(0, "event", len(fresh))
        wanted = [
            fresh_row(number + place, known, event.id, None, lane_of(known.ordering, draught), now, now)
            for place, (event, draught) in enumerate(fresh)
        ]
        written += tx.run_of("save_deliveries", (), wanted)
    going_on = (rows[-1][8], rows[-1][0]) if len(rows) == AT_ONCE else None
    return Recovery(written, going_on)
