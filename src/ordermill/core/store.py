"""What the mill needs of a store. Every verb is one transaction; a verb that fails has left nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordermill.core.batch import Batch, Item, Sender, Settled, Submission
from ordermill.core.delivery import Attempt, Delivery, DeliveryState, Endpoint
from ordermill.core.delivery_query import DeliveryQuery, EndpointStats, EventQuery, NewEndpoint
from ordermill.core.event import Event
from ordermill.core.memo import Answer, Memo, Remembered
from ordermill.core.order import NewOrder, Order, OrderKey, Revision
from ordermill.core.query import BatchQuery, Cause, ItemQuery, OrderQuery, Page


class IntakeStore(Protocol):
    """Taking orders in."""

    async def settle(
        self,
        sender: Sender,
        submission: Submission,
        memo: Memo | None,
        *,
        into: tuple[int, int] | None = None,
        last: bool = True,
    ) -> Settled:
        """Decides and records one submission. Raises AlreadyRemembered when the memo's key was settled by another.

        `into` (batch id, next position): one chunk more of an open batch. `last`: no chunk comes after this one.
        """
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


class DeliveryStore(Protocol):
    """Who is told of what, and what came of it. Nothing of another account or mode is ever found or changed."""

    async def create_endpoint(self, sender: Sender, new: NewEndpoint) -> Endpoint:
        """Raises Conflict when there are too many."""
        ...

    async def change_endpoint(self, sender: Sender, endpoint_id: int, make: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """The endpoint as `make` (pure; may raise a Refusal) has it. Raises NotFound."""
        ...

    async def rotate_secret(self, sender: Sender, endpoint_id: int) -> Endpoint: ...

    async def find_endpoint(self, sender: Sender, endpoint_id: int) -> Endpoint | None: ...

    async def find_endpoints(self, sender: Sender) -> tuple[Endpoint, ...]: ...

    async def find_stats(self, sender: Sender, endpoint_id: int) -> EndpointStats: ...

    async def ping(self, sender: Sender, endpoint_id: int) -> int:
        """Writes a ping for one endpoint. The id of its delivery, which the loops leave to the caller for a minute."""
        ...

    async def find_deliveries(self, sender: Sender, query: DeliveryQuery) -> Page[Delivery]: ...

    async def find_delivery(self, sender: Sender, delivery_id: int) -> Delivery | None: ...

    async def find_attempts(self, sender: Sender, delivery_id: int) -> tuple[Attempt, ...]: ...

    async def find_events(self, sender: Sender, query: EventQuery) -> Page[Event]: ...

    async def find_event(self, sender: Sender, event_id: int) -> Event | None: ...

    async def find_notification(self, sender: Sender, batch_id: int) -> DeliveryState | None:
        """What became of the call that a batch's notifyUrl is owed; None when none is."""
        ...

    async def resend(self, sender: Sender, delivery_id: int) -> Delivery:
        """Raises NotFound; Conflict while an attempt is under way, or when the endpoint was deleted."""
        ...

    async def replay(self, sender: Sender, query: DeliveryQuery) -> int: ...

    async def recover(self, sender: Sender, endpoint_id: int, since: int) -> int: ...


class Store(IntakeStore, QueryStore, Protocol):
    """The whole of it."""
