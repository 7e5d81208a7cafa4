"""Writing events and what is owed of them, inside the transaction that makes the fact true. SQL in delivery.sql."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ordermill.core.batch import Batch, Item, item_id
from ordermill.core.delivery import (
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    Format,
    Kind,
    Ordering,
    ear_of,
    host_of,
    lane_of,
    own_voice,
)
from ordermill.core.event import ERRORS_TOLD_MAX, WORD, Draught, Event, EventType, Scribe, Voice, failed_items
from ordermill.core.order import Mode
from ordermill.core.outcome import Created, Updated
from ordermill.store import rows
from ordermill.store.engine import Collided, Row, Transaction

_events_decoder = msgspec.json.Decoder(tuple[str, ...])
_encode = msgspec.json.Encoder().encode

PENDING = int(DeliveryState.PENDING)
Voices = Mapping[str, Voice]
Targets = tuple[tuple[Endpoint, str | None], ...]
OWN_VOICES: Voices = {Kind.OWN: own_voice()}


class Owed(msgspec.Struct, frozen=True, gc=False):
    """A draught, and whom it goes to besides those who listen: a batch's notifyUrl; or one endpoint alone, or all but
    one. `wait_us`: how long the loops leave it to whoever wrote it."""

    draught: Draught
    notify_url: str | None = None
    only: Endpoint | None = None
    but: int | None = None
    wait_us: int = 0


def listeners(tx: Transaction, account_id: int, mode: Mode) -> tuple[Endpoint, ...]:
    """Every endpoint of an account and mode that is not deleted, hosts of notifyUrl aside."""
    return tuple(endpoint(row) for row in tx.all("find_listeners", account_id, mode))


def announce(
    tx: Transaction,
    voices: Voices,
    scope: tuple[int, Mode, int],
    endpoints: Sequence[Endpoint],
    owed: Sequence[Owed],
) -> int:
    """Writes events and their deliveries. `scope`: account, mode, now. The number of deliveries."""
    return len(write_owed(tx, voices, scope, endpoints, owed))


def write_owed(
    tx: Transaction,
    voices: Voices,
    scope: tuple[int, Mode, int],
    endpoints: Sequence[Endpoint],
    owed: Sequence[Owed],
) -> list[int]:
    """Writes events and their deliveries. The ids of the deliveries.

    Numbers are taken here, after the orders were written: whoever changes an order next has waited for this
    transaction, so an order's events are numbered in the order of its versions, on every engine.
    """
    if not owed:
        return []
    account_id, mode, now = scope
    audience = Audience(voices, endpoints)
    targets = [_targets(tx, scope, audience, entry) for entry in owed]
    deliveries = sum(map(len, targets))
    number = tx.reserve(0, "event", len(owed) + deliveries)
    next_delivery = number + len(owed)
    event_rows: list[Row] = []
    delivery_rows: list[Row] = []
    for entry, found in zip(owed, targets, strict=True):
        draught = entry.draught
        event_rows.append(
            (
                number, account_id, mode, WORD[draught.type], draught.dialect, draught.order_id, draught.item_id,
                draught.batch_id, now, draught.body,
            )
        )  # fmt: skip
        for target, url in found:
            lane = lane_of(target.ordering, draught)
            delivery_rows.append(fresh_row(next_delivery, target, number, url, lane, now, now + entry.wait_us))
            next_delivery += 1
        number += 1
    tx.run_of("save_events", (), event_rows)
    tx.run_of("save_deliveries", (), delivery_rows)
    return [row[0] for row in delivery_rows]


def announce_settled(
    tx: Transaction,
    voices: Voices,
    scope: tuple[int, Mode, int],
    changes: Iterable[tuple[Created | Updated, int, int | None]],
    ended: Iterable[tuple[Batch, Sequence[Item] | None]],
) -> int:
    """What a settlement has to tell: of each change (outcome, its item, its batch or None) and each batch that is final
    by now (with its items; None: read them). The number of deliveries.

    Without any endpoint no event of an order is written: nobody could ever be sent it, and it would cost every intake
    half as much again (docs/decisions/0010-outbox-in-the-settlement.md). Batch events are always there.
    """
    account_id, mode, now = scope
    endpoints = listeners(tx, account_id, mode)
    scribe = Scribe(account_id, mode, now)
    owed: list[Owed] = []
    if endpoints:
        for outcome, item_id, batch_id in changes:
            owed += [Owed(draught) for draught in scribe.of_outcome(outcome, item_id, batch_id)]
    for batch, items in ended:
        draught = scribe.of_batch(batch, _failed(tx, batch, items))
        if draught is not None:
            owed.append(Owed(draught, notify_url=batch.notify_url))
    return announce(tx, voices, scope, endpoints, owed)


def _failed(tx: Transaction, batch: Batch, items: Sequence[Item] | None) -> Sequence[Item]:
    if not batch.counts.failed:
        return ()
    if items is not None:
        return failed_items(items)
    first, behind = item_id(batch.id, 0), item_id(batch.id + 1, 0)
    params = [batch.account_id, first - 1, behind, ERRORS_TOLD_MAX]
    return [rows.item(row) for row in tx.compose("find_item_heads", ["item.failed"], params, "item.by_position")]


def fresh_row(
    number: int, target: Endpoint, event_id: int, url: str | None, lane: int | None, now: int, due_at: int
) -> Row:
    """save_deliveries: never tried."""
    return (
        number, target.account_id, target.mode, event_id, target.id, url, lane, PENDING, due_at, 0,
        0, None, "", now,
    )  # fmt: skip


class Audience:
    """Who hears what. Most events of a settlement are alike, so what was found out once is remembered."""

    def __init__(self, voices: Voices, endpoints: Iterable[Endpoint]) -> None:
        self._ears = [
            (entry, hears)
            for entry in endpoints
            if entry.kind in voices and (hears := ear_of(entry, voices[entry.kind])) is not None
        ]
        self._known: dict[tuple[Any, ...], Targets] = {}

    def of(self, draught: Draught) -> Targets:
        alike = (draught.type, draught.dialect, draught.status, draught.changes)
        found = self._known.get(alike)
        if found is None:
            found = self._known[alike] = tuple((entry, None) for entry, hears in self._ears if hears(draught))
        return found


def _targets(tx: Transaction, scope: tuple[int, Mode, int], audience: Audience, entry: Owed) -> Targets:
    if entry.only is not None:
        return ((entry.only, None),)
    found = audience.of(entry.draught)
    if entry.but is not None:
        found = tuple(target for target in found if target[0].id != entry.but)
    if entry.notify_url is not None:
        found += ((_host(tx, scope, entry.notify_url), entry.notify_url),)
    return found


def _host(tx: Transaction, scope: tuple[int, Mode, int], url: str) -> Endpoint:
    """The endpoint that stands for the host of a notifyUrl, made when there is none. Raises Collided."""
    account_id, mode, now = scope
    host = host_of(url)
    row = tx.one("find_host", account_id, mode, host)
    if row is not None:
        return endpoint(row)
    made = Endpoint(
        id=tx.reserve(0, "endpoint", 1),
        account_id=account_id,
        mode=mode,
        kind=Kind.NOTIFY,
        url=host,
        description="",
        events=(),
        format=Format.PLAIN,
        ordering=Ordering.NONE,
        state=EndpointState.ACTIVE,
        reason="",
        secret="",
        old_secret=None,
        old_secret_until=None,
        created_at=now,
        changed_at=now,
    )
    if tx.run("save_endpoint", *endpoint_row(made)) != 1:
        raise Collided("save_endpoint")
    return made


# row <-> core struct


def endpoint(row: Row) -> Endpoint:
    """find_listeners, find_endpoint, find_busy, …"""
    return Endpoint(
        id=row[0],
        account_id=row[1],
        mode=Mode(row[2]),
        kind=Kind(row[3]),
        url=row[4],
        description=row[5],
        events=_events_decoder.decode(row[6]),
        format=Format(row[7]),
        ordering=Ordering(row[8]),
        state=EndpointState(row[9]),
        reason=row[10],
        secret=row[11],
        old_secret=row[12],
        old_secret_until=row[13],
        created_at=row[14],
        changed_at=row[15],
        last_success_at=row[16],
        last_failure_at=row[17],
        failing_since=row[18],
        last_error=row[19],
    )


def endpoint_row(made: Endpoint) -> Row:
    """save_endpoint."""
    return (
        made.id, made.account_id, made.mode, made.kind.value, made.url, made.description, events_text(made.events),
        made.format.value, made.ordering.value, made.state.value, made.reason, made.secret, made.old_secret,
        made.old_secret_until, made.created_at, made.changed_at,
    )  # fmt: skip


def events_text(events: Sequence[str]) -> str:
    """The JSON that endpoint.events holds."""
    return _encode(list(events)).decode()


def event(row: Sequence[Any]) -> Event:
    """find_event, find_events, and the tail of find_due."""
    return Event(
        id=row[0],
        account_id=row[1],
        mode=Mode(row[2]),
        type=EventType(row[3]),
        dialect=row[4],
        order_id=row[5],
        item_id=row[6],
        batch_id=row[7],
        created_at=row[8],
        body=bytes(row[9]),
    )


def delivery(row: Row) -> Delivery:
    """find_delivery, find_deliveries."""
    return Delivery(
        id=row[0],
        account_id=row[1],
        mode=Mode(row[2]),
        event_id=row[3],
        endpoint_id=row[4],
        url=row[5],
        lane=row[6],
        state=DeliveryState(row[7]),
        due_at=row[8],
        attempt=row[9],
        tries=row[10],
        owner=row[11],
        last_status=row[12],
        last_error=row[13],
        created_at=row[14],
        finished_at=row[15],
        event_type=EventType(row[16]),
        event_at=row[17],
    )
