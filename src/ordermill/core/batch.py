"""A batch: what came in (Submission, Draft), what we promised (Batch, Item), and how status follows from items."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence

import msgspec

from ordermill.core.order import Mode, NewOrder

POSITION_BITS = 24
POSITIONS_MAX = 1 << POSITION_BITS


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one order (or one of its fields) is refused.

    `code` is stable and ours (docs/errors.md); `field` is the path as the dialect writes it; `value` is what was sent,
    shortened; `contract_code` is what the contract calls it where the contract has its own codes.
    """

    code: str
    message: str
    field: str = ""
    value: str | None = None
    hint: str = ""
    contract_code: str = ""

    def told(self, place: str | None = None) -> str:
        """`field: message`, and the message alone where it names the field itself. `place`: another name for it."""
        where = self.field if place is None else place
        return f"{where}: {self.message}" if where and not self.message.startswith(where) else self.message


class Draft(msgspec.Struct, frozen=True, gc=False):
    """One entry of a submission: an order, or the Problems that keep it from being one.

    `key`: how the client will recognise it (its name or its index). `document`: as sent, kept when there is no order.
    """

    key: str
    order: NewOrder | None = None
    problems: tuple[Problem, ...] = ()
    document: str = ""
    reference: str = ""


class ErrorPolicy(enum.Enum):
    """What one bad order does to the others of its submission."""

    REJECT_ALL = "reject_all"
    ACCEPT_VALID = "accept_valid"


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a dialect read it, its options in core words.

    `single`: the contract's call for one order; it leaves no batch behind, and a problem is the answer to the request.
    `announce`: live data, order events are due (False: historical).
    """

    dialect: str
    drafts: tuple[Draft, ...]
    single: bool = False
    source: str = ""
    announce: bool = True
    notify_url: str | None = None
    policy: ErrorPolicy = ErrorPolicy.ACCEPT_VALID
    origin: str = ""
    parent_batch_id: int | None = None
    size_bytes: int = 0


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf something is done: decided by the key, never by the body."""

    account_id: int
    mode: Mode
    key_id: str
    request_id: str = ""


class BatchStatus(enum.Enum):
    """The five of the Karrio contract; the other dialects translate."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self not in (BatchStatus.QUEUED, BatchStatus.RUNNING)


class OutcomeKind(enum.IntEnum):
    """What became of one item. STALE counts as unchanged in every sum, and is told apart where it is shown."""

    WAITING = 0
    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    STALE = 4
    FAILED = 5

    @property
    def word(self) -> str:
        return self.name.lower()


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The accounting of a batch: received = created + updated + unchanged + failed + waiting, always."""

    received: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def adds_up(self) -> bool:
        return self.received == self.created + self.updated + self.unchanged + self.failed + self.waiting


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Our durable promise about one submission. Instants are microseconds since 1970 UTC."""

    id: int
    account_id: int
    mode: Mode
    dialect: str
    source: str
    key_id: str
    request_id: str
    status: BatchStatus
    historical: bool
    notify_url: str | None
    origin: str
    parent_batch_id: int | None
    counts: Counts
    created_at: int
    updated_at: int
    finished_at: int | None
    size_bytes: int = 0


class Item(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One order's place in a batch, with its key and its outcome.

    `id` holds batch and position (see item_id). `order_id` is set on everything but a failed item.
    """

    id: int
    account_id: int
    key: str
    outcome: OutcomeKind
    reference: str
    order_id: int | None = None
    revision: int | None = None
    problems: tuple[Problem, ...] = ()
    document: str | None = None

    @property
    def batch_id(self) -> int:
        return self.id >> POSITION_BITS

    @property
    def position(self) -> int:
        return self.id & (POSITIONS_MAX - 1)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger did with one submission, as the dialect needs it to answer. `batch` is None for a single.

    `at`: the instant of the transaction, µs since 1970 UTC. `deliveries`: how many were written in it.
    """

    batch: Batch | None
    items: Sequence[Item]
    batch_id: int
    at: int = 0
    deliveries: int = 0
    sums: Counts | None = None

    @property
    def counts(self) -> Counts:
        """The sums of the items, without looking at them where they are known."""
        return count(item.outcome for item in self.items) if self.sums is None else self.sums


def item_id(batch_id: int, position: int) -> int:
    """One number for an item's place: the batch above, the position (0-based) in the low 24 bits."""
    return batch_id << POSITION_BITS | position


def count(outcomes: Iterable[OutcomeKind]) -> Counts:
    """Sums of outcomes. STALE is unchanged."""
    tally = [0] * 6
    total = 0
    for outcome in outcomes:
        tally[outcome] += 1
        total += 1
    return Counts(
        received=total,
        created=tally[OutcomeKind.CREATED],
        updated=tally[OutcomeKind.UPDATED],
        unchanged=tally[OutcomeKind.UNCHANGED] + tally[OutcomeKind.STALE],
        failed=tally[OutcomeKind.FAILED],
        waiting=tally[OutcomeKind.WAITING],
    )


def roll_up(counts: Counts, *, open_: bool = False) -> BatchStatus:
    """The status that follows from the counts. `open_`: more items may still come (an import between two chunks)."""
    if counts.waiting or open_:
        return BatchStatus.QUEUED if counts.waiting == counts.received else BatchStatus.RUNNING
    if not counts.failed:
        return BatchStatus.COMPLETED
    return BatchStatus.FAILED if counts.failed == counts.received else BatchStatus.COMPLETED_WITH_ERRORS
