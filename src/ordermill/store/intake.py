"""Settling: from drafts to durable rows, inside one transaction. Engine-free; the SQL stands in intake.sql.

The order of the writes is the order of the locks, the same for everybody: the account (shared), contacts, orders that
are new, orders that are there, items, batches, events, memos, counts. Within each, rows are sorted by key. New orders
come first because an insert waits for whoever changes a row of its key, and must then hold nothing that this one may
want. So two settlements can wait for each other, never in a circle. What is read is checked when it is written; who
has lost a race is alone in the account at the next try.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

import msgspec

from ordermill.core.batch import (
    Batch,
    Counts,
    Draft,
    ErrorPolicy,
    Item,
    OutcomeKind,
    Sender,
    Settled,
    Submission,
    item_id,
    roll_up,
)
from ordermill.core.errors import Conflict, Duplicate, Invalid
from ordermill.core.figures import HOUR_US, MINUTE_US
from ordermill.core.memo import KEPT_S, AlreadyRemembered, Memo
from ordermill.core.order import NewOrder, Order, OrderKey
from ordermill.core.outcome import Created, Outcome, Rejected, Stale, Unchanged, Updated
from ordermill.core.processing import CHANGES, Items, Place, decide_all, instant, supersede
from ordermill.failpoints import reach
from ordermill.store import rows
from ordermill.store.announcing import OWN_VOICES, Voices, announce_settled
from ordermill.store.contacts import resolve_contacts
from ordermill.store.engine import Collided, Row, Transaction

_ORDER_KEY = itemgetter(1, 2, 3)  # dialect, source, reference in a row of save_orders
_RETIRED = 3  # in a row of update_orders


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One submission on its way into the ledger. `into`: the open batch it goes on filling, and from which position."""

    sender: Sender
    submission: Submission
    memo: Memo | None = None
    into: tuple[int, int] | None = None
    last: bool = True


def enter(tx: Transaction, account_id: int, mode: int) -> None:
    """First of all the locks: beside others in the account, or, where a race was lost before, alone."""
    tx.one("enter_alone" if tx.again else "enter", account_id, mode)


def settle(tx: Transaction, jobs: Sequence[Job], now: int, voices: Voices = OWN_VOICES) -> list[Settled]:
    """Settles the jobs of one account and mode together. `now`: µs since 1970 UTC. `voices`: who may be told, how.

    Raises Collided when another process was faster somewhere (run it again), Invalid when a job that accepts all or
    nothing has a rejected order, AlreadyRemembered when a memo's key was taken meanwhile.
    """
    settlement = Settlement(tx, jobs, now, voices=voices)
    reach("settle.begun")
    settlement.decide()
    settlement.write()
    return settlement.answer()


def check(tx: Transaction, job: Job, now: int) -> Settled:
    """What settle would answer. Reads only; numbers that would be allotted are left out."""
    settlement = Settlement(tx, [job], now, dry=True)
    settlement.decide()
    items = tuple(map(_foretold, job.submission.drafts, settlement.items_of(0)))
    batch = settlement.batch_of(0, settlement.counts_of(0))
    return Settled(batch=batch, items=items, batch_id=0, at=now)


def amend(tx: Transaction, job: Job, current: Order, now: int, voices: Voices = OWN_VOICES) -> Settled:
    """Records the job's only draft as the next version of `current`, whoever holds its key by now."""
    order = job.submission.drafts[0].order
    assert order is not None
    settlement = Settlement(tx, [job], now, voices=voices)
    place, _ = settlement.drafts[0]
    if (order.content_hash, order.status, order.released) == (current.content_hash, current.status, current.released):
        settlement.outcomes = [Unchanged(current)]
    else:
        if current.released and not order.released:
            settlement.refuse_taken(current.key)
        # Nothing makes an amendment older than what it amends, neither a clock that was set back nor what it says.
        updated_at = max(instant(order, place), current.updated_at)
        settlement.outcomes = [supersede(place, msgspec.structs.replace(order, updated_at=updated_at), current)]
    settlement.write()
    return settlement.answer()[0]


class Settlement:
    """One transaction's worth of settling: decide() reads and decides, write() writes, answer() tells."""

    def __init__(
        self, tx: Transaction, jobs: Sequence[Job], now: int, *, dry: bool = False, voices: Voices = OWN_VOICES
    ) -> None:
        self.tx = tx
        self.jobs = jobs
        self.now = now
        self.dry = dry
        self.voices = voices
        self.account_id = jobs[0].sender.account_id
        self.mode = jobs[0].sender.mode
        self.batch_ids: list[int] = []
        self.drafts: list[tuple[Place, Draft]] = []
        self.spans: list[slice] = []  # which drafts (and outcomes) are whose job's
        self._place()
        self.known: dict[OrderKey, Order] = {}
        self.outcomes: list[Outcome] = []

    def _place(self) -> None:
        """Batch ids for the jobs (singles of one transaction share one) and a place for every draft."""
        singles = any(job.submission.single for job in self.jobs)
        fresh = singles + sum(1 for job in self.jobs if not job.submission.single and job.into is None)
        next_id = self.tx.reserve(0, "batch", fresh) if fresh and not self.dry else 0
        shared, shared_next = next_id, 0
        if singles:
            next_id += 1
        for job in self.jobs:
            if job.submission.single:
                batch_id, start = shared, shared_next
                shared_next += len(job.submission.drafts)
            elif job.into is not None:
                batch_id, start = job.into
            else:
                batch_id, start = next_id, 0
                next_id += 1
            self.batch_ids.append(batch_id)
            self.spans.append(slice(len(self.drafts), len(self.drafts) + len(job.submission.drafts)))
            self.drafts += [
                (Place(number, self.account_id, self.mode, self.now), draft)
                for number, draft in enumerate(job.submission.drafts, item_id(batch_id, start))
            ]

    # deciding

    def decide(self) -> None:
        """Reads what is known and decides every draft. Nothing is written but reserved numbers."""
        named = [draft.order for _, draft in self.drafts if draft.order is not None]
        if not self.dry:
            enter(self.tx, self.account_id, self.mode)
        self._look_up([(o.dialect, o.source, o.reference) for o in named if o.reference is not None])
        self.outcomes = decide_all(self.drafts, self.known, self._numbers(named))
        self._refuse_all_or_nothing()

    def _look_up(self, keys: Sequence[Row]) -> None:
        for row in self.tx.all_of("find_current", (self.account_id, self.mode), keys):
            order = rows.order(row)
            self.known[order.key] = order

    def refuse_taken(self, key: OrderKey) -> None:
        """Raises Duplicate when another order holds the key by now."""
        self._look_up([(key.dialect, key.source, key.reference)])
        if key in self.known:
            raise Duplicate("another order has taken this reference meanwhile", field="reference")

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
        counter = f"number:{self.mode:d}:{dialect}:{source}"
        while True:
            first = self.tx.reserve(self.account_id, counter, block)
            candidates = [str(number) for number in range(first, first + block)]
            self._look_up([(dialect, source, candidate) for candidate in candidates])
            yield from candidates
            # Used up. Where the last one was taken, the counter has run into numbers that came with their orders, maybe
            # many: behind all that follow without a gap. What lies beyond a gap is no reason to pass over the gap.
            last = (self.account_id, self.mode, dialect, source, first + block - 1)
            row = self.tx.one("find_number_run_end", *last, *last)
            if row is not None and row[0] >= first + block:
                self.tx.reserve(self.account_id, counter, row[0] - first - block + 1)

    def _refuse_all_or_nothing(self) -> None:
        """All problems of the first job whose policy it is to be taken whole or not at all."""
        for job, span in zip(self.jobs, self.spans, strict=True):
            if job.submission.policy is not ErrorPolicy.REJECT_ALL or job.submission.single:
                continue
            rejected = [outcome for outcome in self.outcomes[span] if isinstance(outcome, Rejected)]
            problems = tuple(problem for outcome in rejected for problem in outcome.problems)
            if problems:
                first = problems[0]
                raise Invalid(first.message, field=first.field, hint=first.hint, problems=problems)

    # writing

    def write(self) -> None:
        """Everything that the outcomes mean, in the order of the locks."""
        reach("settle.decided")
        changes: list[tuple[Place, Created | Updated]] = [
            (place, outcome)
            for (place, _), outcome in zip(self.drafts, self.outcomes, strict=True)
            if isinstance(outcome, CHANGES)
        ]
        said = [(place.item_id, outcome.order.identifiers) for place, outcome in changes if outcome.order.identifiers]
        contacts = resolve_contacts(self.tx, self.account_id, self.mode, said)
        reach("settle.contacts")
        self._write_orders(changes, contacts)
        reach("settle.orders")
        self._write_items()
        reach("settle.items")
        self.counts = [self.counts_of(index) for index in range(len(self.jobs))]
        self.settled = [self._settled(index) for index in range(len(self.jobs))]
        self._write_batches()
        reach("settle.batches")
        self._write_events()
        reach("settle.events")
        self._write_memos()
        reach("settle.memos")
        self._write_counts()
        reach("settle.counts")

    def _write_orders(self, changes: Sequence[tuple[Place, Created | Updated]], contacts: dict[int, int]) -> None:
        """The newest state of each order that changed: inserted when it is new, else replaced if nobody else did."""
        fresh: dict[int, Row] = {}
        changed: dict[int, Row] = {}
        owners: dict[int, int | None] = {}  # of orders that change more than once here
        for place, outcome in changes:
            contact_id = contacts.get(place.item_id)
            if isinstance(outcome, Created):
                number = outcome.order_id
                fresh[number] = rows.new_order_row(outcome.order, place, number, outcome.reference, 1, contact_id)
                owners[number] = contact_id
                continue
            known, number = outcome.known, outcome.known.id
            if contact_id is None:  # who ordered does not change because an update does not say it
                contact_id = owners.get(number, known.contact_id)
            owners[number] = contact_id
            if number in fresh:
                fresh[number] = rows.new_order_row(
                    outcome.order, place, number, known.reference, outcome.revision, contact_id
                )
            else:
                before = changed[number][1] if number in changed else known.revision
                changed[number] = rows.changed_order_row(outcome, place, before, contact_id)
        made = sorted(fresh.values(), key=_ORDER_KEY)
        self.created = Counter(row[1] for row in made)
        frees_keys = any(row[_RETIRED] for row in changed.values())  # of one that is new, maybe
        if not frees_keys:
            self._insert(made)
        kept = sorted(changed.values())
        self.tx.all_of("lock_orders", (self.account_id,), [row[:1] for row in kept])
        self._all_written("update_orders", kept, self.account_id)
        if frees_keys:
            self._insert(made)

    def _insert(self, made: Sequence[Row]) -> None:
        self._all_written("save_orders", made, self.account_id, self.mode, self.now)

    def _all_written(self, statement: str, wanted: Sequence[Row], *fixed: object) -> None:
        if wanted and self.tx.run_of(statement, fixed, wanted) != len(wanted):
            raise Collided(statement)

    def _write_items(self) -> None:
        """An item for every draft. A single that was rejected leaves none: its problem is the answer."""
        taken: list[Row] = []
        failed: list[Row] = []
        for job, span in zip(self.jobs, self.spans, strict=True):
            for (place, draft), outcome in zip(self.drafts[span], self.outcomes[span], strict=True):
                if not isinstance(outcome, Rejected):
                    taken.append(rows.item_row(place, draft, outcome))
                elif not job.submission.single:
                    failed.append(rows.item_row(place, draft, outcome))
        self.tx.run_of("save_items", (self.account_id, self.now), taken)
        self.tx.run_of("save_failed_items", (self.account_id, self.now), failed)

    def _write_batches(self) -> None:
        for job, settled, chunk in zip(self.jobs, self.settled, self.counts, strict=True):
            if settled.batch is None:
                continue
            if job.into is None:
                self.tx.run("save_batch", *rows.batch_row(settled.batch))
            else:
                self._grow(job, settled, chunk)

    def _grow(self, job: Job, settled: Settled, chunk: Counts) -> None:
        """An open batch takes one chunk more. Zero rows back: it was closed or cancelled meanwhile."""
        batch = settled.batch
        assert batch is not None
        earlier = batch.counts.received - chunk.received
        grown = self.tx.run(
            "grow_batch", chunk.received, chunk.created, chunk.updated, chunk.unchanged, chunk.failed,
            job.submission.size_bytes, batch.status.value, self.now, batch.finished_at,
            self.account_id, batch.id, self.mode, earlier,
        )  # fmt: skip
        if grown != 1:
            raise Collided("grow_batch")

    def _write_events(self) -> None:
        """What is announced of this, and to whom it is owed: true together with it, or not at all."""
        scope = (self.account_id, self.mode, self.now)
        ended = [
            (settled.batch, settled.items if job.into is None else None)
            for job, settled in zip(self.jobs, self.settled, strict=True)
            if settled.batch is not None and settled.batch.status.final
        ]
        if ended or any(isinstance(outcome, CHANGES) for outcome in self.outcomes):
            written = announce_settled(self.tx, self.voices, scope, self._announced(), ended)
            if written:
                self.settled = [msgspec.structs.replace(settled, deliveries=written) for settled in self.settled]

    def _announced(self) -> Iterator[tuple[Created | Updated, int, int | None]]:
        """What order events are due of, with its item and batch: nothing of historical submissions."""
        for job, span, batch_id in zip(self.jobs, self.spans, self.batch_ids, strict=True):
            if job.submission.announce:
                for (place, _), outcome in zip(self.drafts[span], self.outcomes[span], strict=True):
                    if isinstance(outcome, CHANGES):
                        yield outcome, place.item_id, None if job.submission.single else batch_id

    def _write_memos(self) -> None:
        """A single that was rejected is not remembered; but what rejected it may be the first request of its key."""
        asked = [
            (job.memo, job.submission.single, settled) for job, settled in zip(self.jobs, self.settled, strict=True)
        ]
        named = [(memo, single, settled) for memo, single, settled in asked if memo is not None]
        oldest = self.now - KEPT_S * 1_000_000
        for memo, single, settled in sorted(named, key=lambda entry: entry[0].key):
            if single and settled.items[0].outcome is OutcomeKind.FAILED:
                if self.tx.one("find_memo", self.account_id, memo.key, oldest) is not None:
                    raise AlreadyRemembered(memo.key)
                continue
            answer = memo.answer(settled)
            self.tx.run("forget_memo", self.account_id, memo.key, oldest)
            saved = self.tx.run(
                "save_memo", self.account_id, memo.key, memo.fingerprint, answer.status, answer.content_type,
                rows.headers_text(answer.headers), answer.body, self.now,
            )  # fmt: skip
            if saved != 1:
                raise AlreadyRemembered(memo.key)

    def _write_counts(self) -> None:
        """The counters that lists and the overview read; last, because everybody of the account meets here."""
        for dialect, created in sorted(self.created.items()):
            if created:
                self.tx.run("add_order_count", self.account_id, self.mode, dialect, created)
        sums: dict[tuple[str, str], list[int]] = {}
        for job, settled, chunk in zip(self.jobs, self.settled, self.counts, strict=True):
            if job.submission.single and chunk.failed:
                continue
            tally = sums.setdefault((job.submission.dialect, job.sender.key_id), [0] * 6)
            new = settled.batch is not None and job.into is None
            for place, number in enumerate(
                (int(new), chunk.received, chunk.created, chunk.updated, chunk.unchanged, chunk.failed)
            ):
                tally[place] += number
        hour, minute = self.now // HOUR_US, self.now // MINUTE_US
        for (dialect, key_id), tally in sorted(sums.items()):
            self.tx.run("add_tally", self.account_id, self.mode, hour, dialect, key_id, *tally)
            self.tx.run("add_tally_minute", self.account_id, self.mode, minute, dialect, key_id, *tally)

    # telling

    def answer(self) -> list[Settled]:
        return self.settled

    def _settled(self, index: int) -> Settled:
        batch = None if self.jobs[index].submission.single else self.batch_of(index, self.counts[index])
        return Settled(
            batch=batch, items=self.items_of(index), batch_id=self.batch_ids[index], at=self.now,
            sums=self.counts[index],
        )  # fmt: skip

    def items_of(self, index: int) -> Items:
        """The items of one job, in the order of its drafts."""
        span = self.spans[index]
        return Items(self.drafts[span], self.outcomes[span])

    def counts_of(self, index: int) -> Counts:
        outcomes = self.outcomes[self.spans[index]]
        return _SUMS_OF_ONE[type(outcomes[0])] if len(outcomes) == 1 else _sums(Counter(map(type, outcomes)))

    def batch_of(self, index: int, counts: Counts) -> Batch:
        """The batch as it stands after this job."""
        job = self.jobs[index]
        submission = job.submission
        if job.into is not None:
            return self._grown(job, counts)
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

    def _grown(self, job: Job, chunk: Counts) -> Batch:
        """The open batch with this chunk in it. Raises Conflict where it takes no more."""
        assert job.into is not None
        row = self.tx.one("find_open_batch", self.account_id, job.into[0], self.mode)
        if row is None:
            raise Conflict("this batch takes no more orders")
        batch = rows.batch(row)
        names = Counts.__struct_fields__
        counts = Counts(**{name: getattr(batch.counts, name) + getattr(chunk, name) for name in names})
        status = roll_up(counts, open_=not job.last)
        return msgspec.structs.replace(
            batch,
            counts=counts,
            status=status,
            updated_at=self.now,
            finished_at=self.now if status.final else None,
            size_bytes=batch.size_bytes + job.submission.size_bytes,
        )


def _sums(kinds: Counter[type[Outcome]]) -> Counts:
    return Counts(
        received=kinds.total(),
        created=kinds[Created],
        updated=kinds[Updated],
        unchanged=kinds[Unchanged] + kinds[Stale],
        failed=kinds[Rejected],
    )


# Made once: for a single order the counting took a twentieth of its settlement.
_SUMS_OF_ONE = {kind: _sums(Counter([kind])) for kind in (Created, Updated, Unchanged, Stale, Rejected)}


def _foretold(draft: Draft, item: Item) -> Item:
    """An item as a question is answered: what only settling would make of it is left out."""
    if item.outcome is OutcomeKind.CREATED:
        item = msgspec.structs.replace(item, order_id=None)
    if draft.order is not None and draft.order.reference is None:
        item = msgspec.structs.replace(item, reference="")
    return item
