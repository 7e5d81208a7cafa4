"""Events: which facts are announced, in which words, and how each outcome and each finished batch becomes one."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Batch, BatchStatus, Item, OutcomeKind
from ordermill.core.facts import (
    BatchFacts,
    EndpointFacts,
    Envelope,
    ExhaustionFacts,
    ItemError,
    OrderFacts,
    OrderStatusChange,
    OrderUpdate,
    PingFacts,
)
from ordermill.core.order import Mode, Order
from ordermill.core.outcome import Created, Updated

BODY_BYTES_MAX = 20 * 1024  # what Standard Webhooks asks a payload to stay below
ERRORS_TOLD_MAX = 100
MESSAGE_CHARS_MAX = 200
ADDRESS_CHARS_MAX = 2_048
ERASED_BODY = b'{"erased":true}'  # what stands in the place of what an event told of a person who was erased

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)  # ten bits at once
# A bijection on 80 bits: neighbouring numbers get ids that do not look alike.
_SPREAD = 0x9E37_79B9_7F4A_7C15_F39D
_GATHER = pow(_SPREAD, -1, 1 << 80)
_LOW = (1 << 80) - 1


class EventType(enum.StrEnum):
    """All of them. They are only ever added to."""

    ORDER_CREATED = "order.created"
    ORDER_UPDATED = "order.updated"
    ORDER_STATUS_CHANGED = "order.status_changed"
    BATCH_COMPLETED = "batch.completed"
    BATCH_COMPLETED_WITH_ERRORS = "batch.completed_with_errors"
    BATCH_FAILED = "batch.failed"
    ENDPOINT_DISABLED = "endpoint.disabled"
    MESSAGE_EXHAUSTED = "message.exhausted"
    PING = "ping"


# type -> its word, and the types of orders by name: Python 3.11 takes 1 to 3 µs to look either up on the enum, which is
# as much as writing an event takes.
WORD: dict[EventType, str] = {type_: type_.value for type_ in EventType}
_CREATED, _UPDATED, _STATUS = EventType.ORDER_CREATED, EventType.ORDER_UPDATED, EventType.ORDER_STATUS_CHANGED
# About the pipeline itself: sent only to endpoints that name them, and their own failures announce nothing.
OPERATIONAL = frozenset({EventType.ENDPOINT_DISABLED, EventType.MESSAGE_EXHAUSTED, EventType.PING})
_FINAL = {
    BatchStatus.COMPLETED: EventType.BATCH_COMPLETED,
    BatchStatus.COMPLETED_WITH_ERRORS: EventType.BATCH_COMPLETED_WITH_ERRORS,
    BatchStatus.FAILED: EventType.BATCH_FAILED,
}


class Draught(msgspec.Struct, frozen=True, gc=False):
    """An event before the ledger has given it a number: what it is about, and its exact bytes.

    `status` and `changes` are what an endpoint's filter may look at. `item_id`: whose document the order had then.
    """

    type: EventType
    body: bytes
    dialect: str = ""
    status: str = ""
    changes: tuple[str, ...] = ()
    order_id: int | None = None
    item_id: int | None = None
    batch_id: int | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as it was announced. `body` is sent as it stands here, however often. Instants are µs since 1970 UTC."""

    id: int
    account_id: int
    mode: Mode
    type: EventType
    dialect: str
    order_id: int | None
    item_id: int | None
    batch_id: int | None
    created_at: int
    body: bytes

    @property
    def message_id(self) -> str:
        return spell_message(self.id, self.account_id, self.created_at)

    @property
    def erased(self) -> bool:
        """It tells nothing any more, and is sent to nobody."""
        return self.body == ERASED_BODY


class Subject(msgspec.Struct, frozen=True):
    """What an event is about, as it stood then: for contracts that send the thing itself."""

    order: Order | None = None
    batch: Batch | None = None
    items: tuple[Item, ...] = ()


class Voice(msgspec.Struct, frozen=True):
    """How a kind of endpoint is spoken to.

    `word`: what the contract calls an event, None when it has no word for it. `everything`: the filter that means all.
    `write`: the bytes to send; given the subject when `asks_subject`.
    """

    kind: str
    everything: str
    word: Callable[[Draught], str | None]
    write: Callable[[Event, Subject | None], bytes]
    asks_subject: bool = False


# type -> (what it says, what stands in `data`)
CATALOGUE: dict[EventType, tuple[str, type[msgspec.Struct]]] = {
    EventType.ORDER_CREATED: ("An order came in for the first time.", OrderFacts),
    EventType.ORDER_UPDATED: ("A newer version of an order was recorded.", OrderUpdate),
    EventType.ORDER_STATUS_CHANGED: ("The status of an order changed.", OrderStatusChange),
    EventType.BATCH_COMPLETED: ("A batch is final, every order of it was taken.", BatchFacts),
    EventType.BATCH_COMPLETED_WITH_ERRORS: ("A batch is final, some of its orders were not taken.", BatchFacts),
    EventType.BATCH_FAILED: ("A batch is final, none of its orders was taken.", BatchFacts),
    EventType.ENDPOINT_DISABLED: ("An endpoint was disabled and is sent nothing more.", EndpointFacts),
    EventType.MESSAGE_EXHAUSTED: ("A message was given up after its last attempt.", ExhaustionFacts),
    EventType.PING: ("A test, sent by hand.", PingFacts),
}

_encode = msgspec.json.Encoder().encode
_envelope_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_facts_decoder = msgspec.json.Decoder(dict[str, Any])


def moment(micros: int) -> datetime:
    """An instant as msgspec writes it: ISO 8601 with Z."""
    return _EPOCH + timedelta(microseconds=micros)


def spell_message(number: int, account_id: int, created_at: int) -> str:
    """`msg_<ULID>`: the millisecond above, the event's number and account spread over the 80 bits below.

    It follows from what never changes, so every attempt carries the same one, and no two events share one: not even
    when a restored backup gives a number away again, for then the millisecond differs.
    """
    low = (account_id << 48 | number) * _SPREAD & _LOW
    value = (created_at // 1000) << 80 | low
    return "msg_" + "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


def parse_message(text: str, account_id: int) -> int | None:
    """The number of the event behind `msg_…`, or None when it is none of this account."""
    head, _, digits = text.partition("_")
    if head != "msg" or len(digits) != 26:
        return None
    value = 0
    for digit in digits.upper():
        place = _CROCKFORD.find(digit)
        if place < 0:
            return None
        value = value << 5 | place
    low = (value & _LOW) * _GATHER & _LOW
    return low & ((1 << 48) - 1) if low >> 48 == account_id else None


# which outcome announces what


class Scribe:
    """Writes the events of one settlement: its account, mode and instant are the same for all of them."""

    def __init__(self, account_id: int, mode: Mode, now: int) -> None:
        self.account_id = account_id
        self.mode = mode
        self.now = now
        self.timestamp = moment(now)
        self.test_mode = mode is Mode.TEST

    def of_outcome(self, outcome: Created | Updated, item_id: int, batch_id: int | None) -> list[Draught]:
        """Created, or updated and where it differs status_changed. `batch_id`: None for a single."""
        if isinstance(outcome, Updated):
            return self._of_update(outcome, item_id, batch_id)
        order, number = outcome.order, outcome.order_id
        facts = OrderFacts(
            account_id=self.account_id,
            test_mode=self.test_mode,
            order_id=ids.spell("ord", self.account_id, self.mode, number),
            contract=order.dialect,
            source=order.source,
            reference=outcome.reference,
            version=1,
            status=order.status,
            amount=order.amount,
            currency=order.currency,
            placed_at=moment(order.placed_at),
            updated_at=self.timestamp if order.updated_at is None else moment(order.updated_at),
            batch_id=batch_id,
        )
        body = self.compose(_CREATED, facts)
        return [Draught(_CREATED, body, order.dialect, order.status, (), number, item_id, batch_id)]

    def _of_update(self, outcome: Updated, item_id: int, batch_id: int | None) -> list[Draught]:
        order, known = outcome.order, outcome.known
        facts: dict[str, Any] = {
            "account_id": self.account_id,
            "test_mode": self.test_mode,
            "order_id": ids.spell("ord", self.account_id, self.mode, known.id),
            "contract": order.dialect,
            "source": order.source,
            "reference": known.reference,
            "version": outcome.revision,
            "status": order.status,
            "amount": order.amount,
            "currency": order.currency,
            "placed_at": moment(order.placed_at),
            "updated_at": self.timestamp if order.updated_at is None else moment(order.updated_at),
            "batch_id": batch_id,
        }
        changes = changed_facts(outcome)
        told = [(_UPDATED, changes, OrderUpdate(changes=changes, **facts))]
        if order.status != known.status:
            changed = OrderStatusChange(previous_status=known.status, **facts)
            told.append((_STATUS, (), changed))  # type: ignore[arg-type]
        return [
            Draught(type_, self.compose(type_, data), order.dialect, order.status, said, known.id, item_id, batch_id)
            for type_, said, data in told
        ]

    def of_batch(self, batch: Batch, failed: Sequence[Item]) -> Draught | None:
        """The one event of a batch that is final. `failed`: its failed items, the first ERRORS_TOLD_MAX are enough."""
        type_ = _FINAL.get(batch.status)
        if batch.status is BatchStatus.CANCELLED:  # the status says so; the type is what it amounts to
            taken = batch.counts.received - batch.counts.failed
            type_ = EventType.BATCH_COMPLETED_WITH_ERRORS if taken else EventType.BATCH_FAILED
        if type_ is None:
            return None
        told = tuple(_item_error(item) for item in failed[:ERRORS_TOLD_MAX])
        while True:
            body = self.compose(type_, _batch_facts(batch, told))
            if len(body) <= BODY_BYTES_MAX or not told:
                return Draught(type_, body, batch.dialect, batch.status.value, batch_id=batch.id)
            told = told[: len(told) * 3 // 4]  # long texts: as many as there is room for

    def compose(self, type_: EventType, data: msgspec.Struct) -> bytes:
        """The exact bytes of an event."""
        return _encode(Envelope(WORD[type_], self.timestamp, data))


def changed_facts(outcome: Updated) -> tuple[str, ...]:
    """The names, as the payload spells them, of the facts that differ from the version before."""
    order, known = outcome.order, outcome.known
    changes = []
    if order.status != known.status:
        changes.append("status")
    if order.amount != known.amount:
        changes.append("amount")
    if order.currency != known.currency:
        changes.append("currency")
    if order.placed_at != known.placed_at:
        changes.append("placedAt")
    if order.content_hash != known.content_hash:
        changes.append("content")
    return tuple(changes)


def _batch_facts(batch: Batch, told: tuple[ItemError, ...]) -> BatchFacts:
    counts = batch.counts
    return BatchFacts(
        account_id=batch.account_id,
        test_mode=batch.mode is Mode.TEST,
        batch_id=batch.id,
        contract=batch.dialect,
        source=batch.source,
        status=batch.status.value,
        historical=batch.historical,
        count=counts.received,
        succeeded=counts.received - counts.failed,
        created=counts.created,
        updated=counts.updated,
        unchanged=counts.unchanged,
        failed=counts.failed,
        errors=told,
        errors_truncated=len(told) < counts.failed,
        created_at=moment(batch.created_at),
        completed_at=None if batch.finished_at is None else moment(batch.finished_at),
    )


def _item_error(item: Item) -> ItemError:
    first = item.problems[0]
    return ItemError(
        index=item.position,
        id=item.reference,
        code=first.code,
        field=first.field[:MESSAGE_CHARS_MAX],
        message=first.message[:MESSAGE_CHARS_MAX],
    )


def failed_items(items: Sequence[Item]) -> list[Item]:
    """The first failed ones, as many as a batch event tells."""
    found: list[Item] = []
    for item in items:
        if item.outcome is OutcomeKind.FAILED:
            found.append(item)
            if len(found) == ERRORS_TOLD_MAX:
                break
    return found


# reading an event back


def data_of(body: bytes) -> msgspec.Raw:
    """The bytes of `data` as they stand in a body."""
    return _envelope_decoder.decode(body)["data"]


def facts_of(event: Event) -> dict[str, Any]:
    """`data`, decoded."""
    return _facts_decoder.decode(data_of(event.body))


def as_draught(event: Event) -> Draught:
    """What a filter looks at, from a stored event."""
    facts = facts_of(event)
    return Draught(
        event.type,
        event.body,
        event.dialect,
        facts.get("status", ""),
        tuple(facts.get("changes", ())),
        event.order_id,
        event.item_id,
        event.batch_id,
    )
