"""Ledger: the store behind the mill. Each verb is one transaction on a lane or a reader; the bodies stand by topic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ordermill.core.account import Account, ApiKey
from ordermill.core.batch import Batch, Draft, Item, Sender, Settled, Submission
from ordermill.core.erasing import Erased, Person
from ordermill.core.errors import NotFound
from ordermill.core.figures import Figures, Tally, TallyQuery
from ordermill.core.memo import KEPT_S, Answer, Memo, Remembered
from ordermill.core.order import NewOrder, Order, OrderKey, Revision
from ordermill.core.query import BatchQuery, Cause, ItemQuery, OrderQuery, Page
from ordermill.store import accounts, cancelling, erasing, figures, intake, query, rows
from ordermill.store.announcing import OWN_VOICES, Voices, announce_settled
from ordermill.store.engine import Engine, Transaction
from ordermill.store.intake import Job
from ordermill.store.lanes import Lanes
from ordermill.store.outbox import Outbox


class Ledger:
    """All verbs of core.store.Store, and those of accounts and keys. `clock` gives µs since 1970 UTC."""

    def __init__(self, engine: Engine, clock: Callable[[], int], voices: Voices = OWN_VOICES) -> None:
        self.engine = engine
        self.clock = clock
        self.lanes = Lanes(engine, clock, partial(intake.settle, voices=voices))
        self.outbox = Outbox(self.lanes, clock, voices)

        # called after each commit, with the instant at which it was known
        self.on_settled: Callable[[Submission, Settled, int], None] = lambda _submission, _settled, _now: None

    def close(self) -> None:
        self.lanes.close()

    # intake

    async def settle(
        self,
        sender: Sender,
        submission: Submission,
        memo: Memo | None = None,
        *,
        into: tuple[int, int] | None = None,
        last: bool = True,
    ) -> Settled:
        """Records one submission. `into` (batch id, next position): one chunk more of an open batch."""
        job = Job(sender=sender, submission=submission, memo=memo, into=into, last=last)
        settled = await self.lanes.submit(job)
        if settled.deliveries:
            self.outbox.on_deliveries()
        self.on_settled(submission, settled, self.clock())
        return settled

    async def check(self, sender: Sender, submission: Submission) -> Settled:
        job = Job(sender=sender, submission=submission)
        return await self.lanes.read(lambda tx: intake.check(tx, job, self.clock()))

    async def amend(
        self, sender: Sender, order_id: int, change: Callable[[Order], NewOrder], memo: Memo | None = None
    ) -> Order:
        def verb(tx: Transaction) -> tuple[Order, int]:
            intake.enter(tx, sender.account_id, sender.mode)
            tx.all_of("lock_orders", (sender.account_id,), [(order_id,)])
            current = query.find_order(tx, sender, order_id)
            if current is None:
                raise NotFound("there is no such order")
            draft = Draft(key="0", order=change(current))
            submission = Submission(dialect=current.dialect, source=current.source, drafts=(draft,), single=True)
            job = Job(sender=sender, submission=submission, memo=memo)
            settled = intake.amend(tx, job, current, self.clock(), self.outbox.voices)
            changed = query.find_order(tx, sender, order_id)
            assert changed is not None
            return changed, settled.deliveries

        order, deliveries = await self.lanes.write(verb)
        if deliveries:
            self.outbox.on_deliveries()
        return order

    async def cancel_batch(self, sender: Sender, batch_id: int) -> Batch:
        now = self.clock()

        def verb(tx: Transaction) -> tuple[Batch, int]:
            batch = cancelling.cancel_batch(tx, sender, batch_id, now)
            scope = (sender.account_id, sender.mode, now)
            return batch, announce_settled(tx, self.outbox.voices, scope, (), [(batch, None)])

        batch, deliveries = await self.lanes.write(verb)
        if deliveries:
            self.outbox.on_deliveries()
        return batch

    async def find_answer(self, account_id: int, key: str) -> Remembered | None:
        oldest = self.clock() - KEPT_S * 1_000_000
        row = await self.lanes.read(lambda tx: tx.one("find_memo", account_id, key, oldest))
        return rows.remembered(row) if row else None

    async def keep_answer(self, account_id: int, key: str, fingerprint: bytes, answer: Answer) -> None:
        now = self.clock()

        def verb(tx: Transaction) -> None:
            tx.run("forget_memo", account_id, key, now - KEPT_S * 1_000_000)
            headers = rows.headers_text(answer.headers)
            tx.run(
                "save_memo", account_id, key, fingerprint, answer.status, answer.content_type, headers, answer.body, now
            )

        await self.lanes.write(verb)

    # reading

    async def find_order(self, sender: Sender, order_id: int) -> Order | None:
        return await self.lanes.read(lambda tx: query.find_order(tx, sender, order_id))

    async def find_order_by_key(self, sender: Sender, key: OrderKey) -> Order | None:
        return await self.lanes.read(lambda tx: query.find_order_by_key(tx, sender, key))

    async def find_orders(self, sender: Sender, asked: OrderQuery) -> Page[Order]:
        return await self.lanes.read(lambda tx: query.find_orders(tx, sender, asked))

    async def find_revisions(self, sender: Sender, order_id: int) -> tuple[Revision, ...]:
        return await self.lanes.read(lambda tx: query.find_revisions(tx, sender, order_id))

    async def find_batch(self, sender: Sender, batch_id: int) -> Batch | None:
        return await self.lanes.read(lambda tx: query.find_batch(tx, sender, batch_id))

    async def find_batches(self, sender: Sender, asked: BatchQuery) -> Page[Batch]:
        return await self.lanes.read(lambda tx: query.find_batches(tx, sender, asked))

    async def find_items(self, sender: Sender, asked: ItemQuery) -> Page[Item]:
        return await self.lanes.read(lambda tx: query.find_items(tx, sender, asked))

    async def find_causes(self, sender: Sender, batch_id: int) -> tuple[Cause, ...]:
        return await self.lanes.read(lambda tx: query.find_causes(tx, sender, batch_id))

    async def find_figures(self, sender: Sender, asked: TallyQuery) -> Figures:
        return await self.lanes.read(lambda tx: figures.find_figures(tx, sender, asked))

    async def find_minutes(self, sender: Sender, since: int, until: int) -> tuple[Tally, ...]:
        return await self.lanes.read(lambda tx: figures.find_minutes(tx, sender, since, until))

    # forgetting

    async def erase(self, sender: Sender, person: Person, rewrite: erasing.Rewrite) -> Erased:
        now = self.clock()
        trace = await self.lanes.read(lambda tx: erasing.find(tx, sender, person))
        return await self.lanes.write(lambda tx: erasing.erase(tx, sender, trace, rewrite, now))

    # accounts and keys

    async def find_key(self, key_id: str) -> ApiKey | None:
        return await self.lanes.read(lambda tx: accounts.find_key(tx, key_id))

    async def find_keys(self, account_id: int) -> tuple[ApiKey, ...]:
        return await self.lanes.read(lambda tx: accounts.find_keys(tx, account_id))

    async def save_key(self, key: ApiKey) -> None:
        await self.lanes.write(lambda tx: accounts.save_key(tx, key))

    async def revoke_key(self, account_id: int, key_id: str) -> None:
        now = self.clock()
        await self.lanes.write(lambda tx: accounts.revoke_key(tx, account_id, key_id, now))

    async def expire_key(self, account_id: int, key_id: str, at: int) -> None:
        await self.lanes.write(lambda tx: accounts.expire_key(tx, account_id, key_id, at))

    async def rotate_key(self, made: ApiKey, old_id: str, at: int) -> None:
        """A new key, and the end of the old one at an instant, together."""

        def verb(tx: Transaction) -> None:
            accounts.save_key(tx, made)
            accounts.expire_key(tx, made.account_id, old_id, at)

        await self.lanes.write(verb)

    async def touch_keys(self, used: dict[tuple[int, str], int]) -> None:
        await self.lanes.write(lambda tx: accounts.touch_keys(tx, used))

    async def find_accounts(self) -> tuple[Account, ...]:
        return await self.lanes.read(accounts.find_accounts)

    async def create_account(self, name: str) -> Account:
        now = self.clock()
        return await self.lanes.write(lambda tx: accounts.create_account(tx, name, now))
