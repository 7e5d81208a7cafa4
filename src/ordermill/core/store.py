"""What the mill needs of a store. Every verb is one transaction; a verb that fails has left nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordermill.core.batch import Batch, Item, Sender, Settled, Submission
from ordermill.core.memo import Answer, Memo, Remembered
from ordermill.core.order import NewOrder, Order, OrderKey, Revision
from ordermill.core.query import BatchQuery, Cause, ItemQuery, OrderQuery, Page


class IntakeStore(Protocol):
    """Taking orders in."""

    async def settle(self, sender: Sender, submission: Submission, memo: Memo | None) -> Settled:
        """Decides and records one submission. Raises AlreadyRemembered when the memo's key was settled by another."""
        ...

    async def check(self, sender: Sender, submission: Submission) -> Settled:
        """What settle would answer, with nothing written."""
        ...

    async def amend(
        self, sender: Sender, order_id: int, change: Callable[[Order], NewOrder], memo: Memo | None
    ) -> Order:
        """Replaces the current version by `change(current)`. `change` is pure and may raise a Refusal.

        Raises NotFound where the order is not this account's and mode's.
        """
        ...

    async def cancel_batch(self, sender: Sender, batch_id: int) -> Batch:
        """Ends a batch that is not complete. Raises NotFound, and Conflict for one that is."""
        ...

    async def find_answer(self, account_id: int, key: str) -> Remembered | None: ...

    async def keep_answer(self, account_id: int, key: str, fingerprint: bytes, answer: Answer) -> None: ...


class QueryStore(Protocol):
    """Reading back. Nothing of another account or mode is ever found."""

    async def find_order(self, sender: Sender, order_id: int) -> Order | None: ...

    async def find_order_by_key(self, sender: Sender, key: OrderKey) -> Order | None:
        """The order that holds the key now; else the newest one that once held it."""
        ...

    async def find_orders(self, sender: Sender, query: OrderQuery) -> Page[Order]: ...

    async def find_revisions(self, sender: Sender, order_id: int) -> tuple[Revision, ...]: ...

    async def find_batch(self, sender: Sender, batch_id: int) -> Batch | None: ...

    async def find_batches(self, sender: Sender, query: BatchQuery) -> Page[Batch]: ...

    async def find_items(self, sender: Sender, query: ItemQuery) -> Page[Item]: ...

    async def find_causes(self, sender: Sender, batch_id: int) -> tuple[Cause, ...]: ...


class Store(IntakeStore, QueryStore, Protocol):
    """The whole of it."""
