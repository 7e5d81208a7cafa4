"""Mill: everything that a dialect, the console or the command line may ask of Ordermill."""

from __future__ import annotations

from collections.abc import Callable

from ordermill.core.batch import Batch, ErrorPolicy, Item, OutcomeKind, Sender, Settled, Submission
from ordermill.core.endpoints import CheckUrl
from ordermill.core.errors import Duplicate, Invalid, NotFound
from ordermill.core.limits import Limits
from ordermill.core.memo import Memo
from ordermill.core.order import NewOrder, Order, OrderKey, Revision
from ordermill.core.query import BatchQuery, Cause, ItemQuery, OrderQuery, Page
from ordermill.core.store import Store


class Mill:
    """The rules for whole requests, above the store that settles them."""

    def __init__(self, store: Store, limits: Limits, check_url: CheckUrl | None = None) -> None:
        self.store = store
        self.limits = limits
        self.check_url = check_url

    async def submit(self, sender: Sender, submission: Submission, memo: Memo | None = None) -> Settled:
        """Takes a submission in: decided, recorded and durable when this returns.

        Raises Invalid, with nothing stored, when its policy is REJECT_ALL or it is a single, and a draft has Problems.
        A single whose order the ledger rejects (its key is taken) raises Duplicate or Invalid the same way.
        """
        _refuse_bad(submission)
        if submission.notify_url is not None and self.check_url is not None:
            await self.check_url(submission.notify_url, field="notifyUrl")
        return await self.store.settle(sender, submission, memo)

    async def check_only(self, sender: Sender, submission: Submission) -> Settled:
        """What submit would say, with nothing written. The batch id in the answer is 0."""
        return await self.store.check(sender, submission)

    async def amend(
        self, sender: Sender, order_id: int, change: Callable[[Order], NewOrder], memo: Memo | None = None
    ) -> Order:
        """Records a new version of one order, made from the current one by `change` (pure; may raise a Refusal)."""
        return await self.store.amend(sender, order_id, change, memo)

    async def cancel_batch(self, sender: Sender, batch_id: int) -> Batch:
        """Ends a batch that is not complete: what is in the ledger stays there. Raises NotFound, Conflict."""
        return await self.store.cancel_batch(sender, batch_id)

    async def get_order(self, sender: Sender, order_id: int) -> Order:
        """The newest state. Raises NotFound."""
        order = await self.store.find_order(sender, order_id)
        if order is None:
            raise NotFound("there is no such order")
        return order

    async def find_order_by_key(self, sender: Sender, key: OrderKey) -> Order | None:
        return await self.store.find_order_by_key(sender, key)

    async def find_orders(self, sender: Sender, query: OrderQuery) -> Page[Order]:
        return await self.store.find_orders(sender, query)

    async def find_revisions(self, sender: Sender, order_id: int) -> tuple[Revision, ...]:
        return await self.store.find_revisions(sender, order_id)

    async def get_batch(self, sender: Sender, batch_id: int) -> Batch:
        """Raises NotFound."""
        batch = await self.store.find_batch(sender, batch_id)
        if batch is None:
            raise NotFound("there is no such batch")
        return batch

    async def find_batches(self, sender: Sender, query: BatchQuery) -> Page[Batch]:
        return await self.store.find_batches(sender, query)

    async def find_items(self, sender: Sender, query: ItemQuery) -> Page[Item]:
        return await self.store.find_items(sender, query)

    async def find_causes(self, sender: Sender, batch_id: int) -> tuple[Cause, ...]:
        return await self.store.find_causes(sender, batch_id)


def single(settled: Settled) -> Item:
    """The only item of a single; a Refusal when the ledger rejected it (nothing was stored then)."""
    item = settled.items[0]
    if item.outcome is OutcomeKind.FAILED:
        problem = item.problems[0]
        refusal = Duplicate if problem.code == "duplicate_reference" else Invalid
        raise refusal(problem.message, field=problem.field, hint=problem.hint, problems=item.problems)
    return item


def _refuse_bad(submission: Submission) -> None:
    if submission.policy is not ErrorPolicy.REJECT_ALL and not submission.single:
        return
    problems = tuple(problem for draft in submission.drafts for problem in draft.problems)
    if problems:
        raise Invalid(problems[0].message, field=problems[0].field, hint=problems[0].hint, problems=problems)
