"""Settling: from drafts to durable rows, inside one transaction. Engine-free; the SQL stands in intake.sql.

The order of the writes is the order of the locks, the same for everybody: contacts, orders, items, batches, memos,
counts. Within each, rows are sorted by key. So two settlements can wait for each other, never in a circle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ordermill.core.batch import (
    Batch,
    Counts,
    Draft,
    Item,
    OutcomeKind,
    Sender,
    Settled,
    Submission,
    count,
    item_id,
    roll_up,
)
from ordermill.core.errors import Invalid
from ordermill.core.memo import KEPT_S, AlreadyRemembered, Memo
from ordermill.core.order import NewOrder, Order, OrderKey
from ordermill.core.outcome import Created, Outcome, Rejected, Stale, Unchanged, Updated
from ordermill.core.processing import Place, after, decide_all, instant
from ordermill.store import rows
from ordermill.store.engine import Collided, Row, Transaction

HOUR_US = 3_600_000_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One submission on its way into the ledger. `into`: the open batch it goes on filling, and from which position."""

    sender: Sender
    submission: Submission
    memo: Memo | None = None
    into: tuple[int, int] | None = None
    last: bool = True


class Spot(msgspec.Struct, frozen=True, gc=False):
    """A draft with its place and the job it came in with."""

    place: Place
    draft: Draft
    job: int


def settle(tx: Transaction, jobs: Sequence[Job], now: int) -> list[Settled]:
    """Settles the jobs of one account and mode together. `now`: µs since 1970 UTC.

    Raises Collided when another process was faster somewhere (run it again), Invalid when a job that accepts all or
    nothing has a rejected order, AlreadyRemembered when a memo's key was taken meanwhile.
    """
    settlement = Settlement(tx, jobs, now)
    settlement.decide()
    settlement.write()
    return settlement.answer()


def check(tx: Transaction, job: Job, now: int) -> Settled:
    """What settle would answer. Reads only; numbers that would be allotted are left out."""
    settlement = Settlement(tx, [job], now, dry=True)
    settlement.decide()
    items = settlement.items_of(0)
    return Settled(batch=settlement.batch_of(0, items), items=items, batch_id=0)


def amend(tx: Transaction, job: Job, current: Order, now: int) -> Settled:
    """Records the job's only draft as the next version of `current`, whoever holds its key by now."""
    order = job.submission.drafts[0].order
    assert order is not None
    settlement = Settlement(tx, [job], now)
    if order.content_hash == current.content_hash and order.status == current.status:
        settlement.outcomes = [Unchanged(current)]
    else:
        # A clock that was set back must not make an amendment older than what it amends.
        order = msgspec.structs.replace(
            order, updated_at=max(instant(order, settlement.spots[0].place), current.updated_at)
        )
        settlement.outcomes = [Updated(order, current, current.revision + 1)]
    settlement.write()
    return settlement.answer()[0]


class Settlement:
    """One transaction's worth of settling: decide() reads and decides, write() writes, answer() tells."""

    def __init__(self, tx: Transaction, jobs: Sequence[Job], now: int, *, dry: bool = False) -> None:
        self.tx = tx
        self.jobs = jobs
        self.now = now
        self.dry = dry
        self.account_id = jobs[0].sender.account_id
        self.mode = jobs[0].sender.mode
        self.batch_ids, self.spots = self._place()
        self.known: dict[OrderKey, Order] = {}
        self.outcomes: list[Outcome] = []
        self.items: list[Item] = []
        self.item_rows: list[Row] = []

    def _place(self) -> tuple[list[int], list[Spot]]:
        """Batch ids for the jobs (singles of one transaction share one) and a place for every draft."""
        singles = any(job.submission.single for job in self.jobs)
        fresh = singles + sum(1 for job in self.jobs if not job.submission.single and job.into is None)
        next_id = self.tx.reserve(0, "batch", fresh) if fresh and not self.dry else 0
        shared, shared_next = next_id, 0
        if singles:
            next_id += 1
        batch_ids: list[int] = []
        spots: list[Spot] = []
        for index, job in enumerate(self.jobs):
            if job.submission.single:
                batch_id, start = shared, shared_next
                shared_next += len(job.submission.drafts)
            elif job.into is not None:
                batch_id, start = job.into
            else:
                batch_id, start = next_id, 0
                next_id += 1
            batch_ids.append(batch_id)
            spots += [
                Spot(Place(item_id(batch_id, position), self.account_id, self.mode, self.now), draft, index)
                for position, draft in enumerate(job.submission.drafts, start)
            ]
        return batch_ids, spots

    # deciding

    def decide(self) -> None:
        """Reads what is known and decides every draft. Nothing is written but reserved numbers."""
        named = [spot.draft.order for spot in self.spots if spot.draft.order is not None]
        keys = {(o.dialect, o.source, o.reference) for o in named if o.reference is not None}
        self._look_up(sorted(keys))
        drafts = [(spot.place, spot.draft) for spot in self.spots]
        self.outcomes = decide_all(drafts, self.known, self._numbers(named))
        self._refuse_all_or_nothing()

    def _look_up(self, keys: Sequence[Row]) -> None:
        for row in self.tx.all_of("find_current", (self.account_id, self.mode), keys):
            order = rows.order(row)
            self.known[order.key] = order

    def _numbers(self, orders: Sequence[NewOrder]) -> Callable[[NewOrder], str]:
        """A supplier of candidate references per source; taken ones become known before they are handed out."""
        wanted: dict[tuple[str, str], int] = {}
        for order in orders:
            if order.reference is None:
                scope = (order.dialect, order.source)
                wanted[scope] = wanted.get(scope, 0) + 1
        streams = {scope: self._number_stream(*scope, block) for scope, block in wanted.items()}
        return lambda order: next(streams[(order.dialect, order.source)])

    def _number_stream(self, dialect: str, source: str, block: int) -> Iterator[str]:
        if self.dry:  # no number is taken for a question; negative ones stand in
            yield from (str(-number) for number in itertools.count(1))
        while True:
            first = self.tx.reserve(self.account_id, f"number:{self.mode:d}:{dialect}:{source}", block)
            candidates = [str(number) for number in range(first, first + block)]
            self._look_up([(dialect, source, candidate) for candidate in candidates])
            yield from candidates

    def _refuse_all_or_nothing(self) -> None:
        for spot, outcome in zip(self.spots, self.outcomes, strict=True):
            submission = self.jobs[spot.job].submission
            if isinstance(outcome, Rejected) and submission.policy.value == "reject_all" and not submission.single:
                problem = outcome.problems[0]
                raise Invalid(problem.message, field=problem.field, hint=problem.hint, problems=outcome.problems)

    # writing

    def write(self) -> None:
        """Everything that the outcomes mean, in the order of the locks."""
        contacts = self._resolve_contacts()
        self._write_orders(contacts)
        self._build_items()
        self.tx.run_of("save_items", (), self.item_rows)
        self.settled = [self._settled(index) for index in range(len(self.jobs))]
        self._write_batches()
        self._write_memos()
        self._write_counts()

    def _resolve_contacts(self) -> dict[int, int]:
        """Item id -> contact id, for every order that is written and says who it belongs to."""
        written = [
            (spot.place.item_id, outcome.order.identifiers)
            for spot, outcome in zip(self.spots, self.outcomes, strict=True)
            if isinstance(outcome, Created | Updated) and outcome.order.identifiers
        ]
        if not written:
            return {}
        wanted = sorted({pair for _, identifiers in written for pair in identifiers})
        known: dict[tuple[str, str], int] = {
            (kind, value): contact_id
            for kind, value, contact_id in self.tx.all_of("find_contacts", (self.account_id, self.mode), wanted)
        }
        strangers = sum(1 for _, identifiers in written if not any(pair in known for pair in identifiers))
        next_id = self.tx.reserve(self.account_id, "contact", strangers) if strangers else 0
        contacts: dict[int, int] = {}
        fresh: list[Row] = []
        for number, identifiers in written:
            contact_id = next((known[pair] for pair in identifiers if pair in known), None)
            if contact_id is None:
                contact_id = next_id
                next_id += 1
            contacts[number] = contact_id
            for pair in identifiers:
                if pair not in known:
                    known[pair] = contact_id
                    fresh.append((self.account_id, self.mode, *pair, contact_id))
        self._all_written("save_contacts", sorted(fresh))
        return contacts

    def _write_orders(self, contacts: dict[int, int]) -> None:
        """The newest state of each order that changed: inserted when it is new, else replaced if nobody else did."""
        states: dict[int, tuple[Order, int | None, int]] = {}
        before: dict[int, int] = {}
        for spot, outcome in zip(self.spots, self.outcomes, strict=True):
            if not isinstance(outcome, Created | Updated):
                continue
            state = after(spot.place, outcome)
            contact_id = contacts.get(spot.place.item_id)
            if isinstance(outcome, Updated):
                earlier = states.get(state.id)
                if contact_id is None:
                    contact_id = earlier[1] if earlier else outcome.known.contact_id
                if earlier is None:
                    before[state.id] = outcome.known.revision
            states[state.id] = (state, contact_id, spot.place.item_id)
        fresh = [_insert_row(*state) for state in states.values() if state[0].id not in before]
        self._all_written("save_orders", sorted(fresh, key=_by_key))
        if before:
            changed = sorted(_update_row(*states[number], before[number]) for number in before)
            self.tx.all_of("lock_orders", (self.account_id,), [(row[1],) for row in changed])
            self._all_written("update_orders", changed)
        self.created = {state[0].dialect: 0 for state in states.values()}
        for number, (state, _, _) in states.items():
            self.created[state.dialect] += number not in before

    def _all_written(self, statement: str, wanted: Sequence[Row]) -> None:
        if wanted and self.tx.run_of(statement, (), wanted) != len(wanted):
            raise Collided(statement)

    def _build_items(self) -> None:
        """Items and their rows. A single that was rejected leaves no row: its problem is the answer."""
        for spot, outcome in zip(self.spots, self.outcomes, strict=True):
            item, row = _item(spot, outcome)
            self.items.append(item)
            if not (item.outcome is OutcomeKind.FAILED and self.jobs[spot.job].submission.single):
                self.item_rows.append(row)

    def _write_batches(self) -> None:
        for job, settled in zip(self.jobs, self.settled, strict=True):
            if settled.batch is None:
                continue
            if job.into is None:
                self.tx.run("save_batch", *rows.batch_row(settled.batch))
            else:
                self._grow(job, settled)

    def _grow(self, job: Job, settled: Settled) -> None:
        """An open batch takes one chunk more. Zero rows back: it was closed or cancelled meanwhile."""
        batch = settled.batch
        assert batch is not None
        chunk = count(item.outcome for item in settled.items)
        grown = self.tx.run(
            "grow_batch", chunk.received, chunk.created, chunk.updated, chunk.unchanged, chunk.failed,
            batch.status.value, self.now, batch.finished_at, self.account_id, batch.id, self.mode,
        )  # fmt: skip
        if grown != 1:
            raise Collided("grow_batch")

    def _write_memos(self) -> None:
        for job, settled in zip(self.jobs, self.settled, strict=True):
            memo = job.memo
            if memo is None or (job.submission.single and settled.items[0].outcome is OutcomeKind.FAILED):
                continue
            answer = memo.answer(settled)
            self.tx.run("forget_memo", self.account_id, memo.key, self.now - KEPT_S * 1_000_000)
            written = self.tx.run(
                "save_memo", self.account_id, memo.key, memo.fingerprint, answer.status, answer.content_type,
                answer.body, self.now,
            )  # fmt: skip
            if written != 1:
                raise AlreadyRemembered(memo.key)

    def _write_counts(self) -> None:
        """The counters that lists and the overview read; last, because everybody of the account meets here."""
        for dialect, created in sorted(self.created.items()):
            if created:
                self.tx.run("add_order_count", self.account_id, self.mode, dialect, created)
        sums: dict[tuple[str, str], list[int]] = {}
        for job, settled in zip(self.jobs, self.settled, strict=True):
            chunk = count(item.outcome for item in settled.items)
            if job.submission.single and chunk.failed:
                continue
            tally = sums.setdefault((job.submission.dialect, job.sender.key_id), [0] * 6)
            new = settled.batch is not None and job.into is None
            for place, number in enumerate(
                (int(new), chunk.received, chunk.created, chunk.updated, chunk.unchanged, chunk.failed)
            ):
                tally[place] += number
        hour = self.now // HOUR_US
        for (dialect, key_id), tally in sorted(sums.items()):
            self.tx.run("add_tally", self.account_id, self.mode, hour, dialect, key_id, *tally)

    # telling

    def answer(self) -> list[Settled]:
        return self.settled

    def items_of(self, index: int) -> tuple[Item, ...]:
        """The items of one job, in the order of its drafts."""
        if not self.items:
            self._build_items()
        if len(self.jobs) == 1:
            return tuple(self.items)
        return tuple(item for item, spot in zip(self.items, self.spots, strict=True) if spot.job == index)

    def _settled(self, index: int) -> Settled:
        items = self.items_of(index)
        batch = None if self.jobs[index].submission.single else self.batch_of(index, items)
        return Settled(batch=batch, items=items, batch_id=self.batch_ids[index], at=self.now)

    def batch_of(self, index: int, items: Sequence[Item]) -> Batch:
        """The batch as it stands after this job."""
        job = self.jobs[index]
        submission = job.submission
        counts = count(item.outcome for item in items)
        if job.into is not None:
            counts = self._with_earlier(job.into[0], counts)
        status = roll_up(counts, open_=not job.last)
        return Batch(
            id=self.batch_ids[index],
            account_id=self.account_id,
            mode=self.mode,
            dialect=submission.dialect,
            source=submission.source,
            key_id=job.sender.key_id,
            request_id=job.sender.request_id,
            status=status,
            historical=not submission.announce,
            notify_url=submission.notify_url,
            origin=submission.origin,
            parent_batch_id=submission.parent_batch_id,
            counts=counts,
            created_at=self.now,
            updated_at=self.now,
            finished_at=self.now if status.final else None,
            size_bytes=submission.size_bytes,
        )

    def _with_earlier(self, batch_id: int, chunk: Counts) -> Counts:
        row = self.tx.one("find_open_batch", self.account_id, batch_id, self.mode)
        if row is None:
            raise Collided("find_open_batch")
        return Counts(
            received=row[0] + chunk.received,
            created=row[1] + chunk.created,
            updated=row[2] + chunk.updated,
            unchanged=row[3] + chunk.unchanged,
            failed=row[4] + chunk.failed,
            waiting=row[5],
        )


def _by_key(row: Row) -> Row:
    return row[3:6]


def _insert_row(order: Order, contact_id: int | None, document_item: int) -> Row:
    """save_orders."""
    return (
        order.account_id, order.id, order.mode, order.dialect, order.source, order.reference,
        order.id if order.released else 0, order.revision, order.status, order.placed_at, order.updated_at,
        order.received_at, order.changed_at, order.amount, order.currency, contact_id, order.content_hash,
        order.request_id, order.number, document_item,
    )  # fmt: skip


def _update_row(order: Order, contact_id: int | None, document_item: int, known_revision: int) -> Row:
    """update_orders. Several versions of one order in one transaction make one step of the row."""
    return (
        order.account_id, order.id, known_revision, order.revision, order.id if order.released else 0, order.status,
        order.placed_at, order.updated_at, order.changed_at, order.amount, order.currency, contact_id,
        order.content_hash, document_item,
    )  # fmt: skip


def _item(spot: Spot, outcome: Outcome) -> tuple[Item, Row]:
    """The item of one outcome, and its row for save_items."""
    place, draft = spot.place, spot.draft
    number, account_id, now = place.item_id, place.account_id, place.now
    key = None if draft.key == str(number & 0xFFFFFF) else draft.key
    match outcome:
        case Created(order, reference, order_id):
            item = Item(
                id=number, account_id=account_id, key=draft.key, outcome=OutcomeKind.CREATED, reference=reference,
                order_id=order_id, revision=1, document=order.document,
            )  # fmt: skip
            row = (
                account_id, number, key, 1, None, order_id, 1, instant(order, place), now, None, None, None,
                order.document,
            )  # fmt: skip
        case Updated(order, known, revision):
            item = Item(
                id=number, account_id=account_id, key=draft.key, outcome=OutcomeKind.UPDATED,
                reference=known.reference, order_id=known.id, revision=revision, document=order.document,
            )  # fmt: skip
            row = (
                account_id, number, key, 2, None, known.id, revision, instant(order, place), now, None, None, None,
                order.document,
            )  # fmt: skip
        case Unchanged(known):
            item = Item(
                id=number, account_id=account_id, key=draft.key, outcome=OutcomeKind.UNCHANGED,
                reference=known.reference, order_id=known.id, revision=known.revision,
            )  # fmt: skip
            row = (account_id, number, key, 3, None, known.id, known.revision, None, now, None, None, None, None)
        case Stale(order, known):
            item = Item(
                id=number, account_id=account_id, key=draft.key, outcome=OutcomeKind.STALE,
                reference=known.reference, order_id=known.id, document=order.document,
            )  # fmt: skip
            row = (
                account_id, number, key, 4, None, known.id, None, instant(order, place), now, None, None, None,
                order.document,
            )  # fmt: skip
        case Rejected(problems):
            sent = draft.order.document if draft.order is not None else draft.document
            reference = draft.reference or (draft.order.reference or "" if draft.order is not None else "")
            item = Item(
                id=number, account_id=account_id, key=draft.key, outcome=OutcomeKind.FAILED, reference=reference,
                problems=problems, document=sent,
            )  # fmt: skip
            first = problems[0]
            row = (
                account_id, number, key, 5, reference, None, None, None, now, first.code, first.field,
                rows.problems_text(problems), sent,
            )  # fmt: skip
    return item, row
