"""Outbox: the ledger's verbs for events, endpoints and deliveries. Each is one transaction; bodies stand by topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ordermill.core.account import Account
from ordermill.core.batch import Sender
from ordermill.core.delivery import (
    ENDPOINTS_MAX,
    Attempt,
    Claim,
    Delivery,
    DeliveryState,
    Due,
    Endpoint,
    Policy,
    Recorded,
    Result,
)
from ordermill.core.delivery_query import Backlog, DeliveryQuery, EndpointStats, EventQuery, NewEndpoint
from ordermill.core.event import Event, Subject
from ordermill.core.query import Page
from ordermill.store import accounts, announcing, delivery, endpoints
from ordermill.store.announcing import Voices
from ordermill.store.engine import Transaction
from ordermill.store.lanes import Lanes

FORGOTTEN_AT_ONCE = 2_000  # events in one transaction of the retention


class Outbox:
    """All verbs of core.store.DeliveryStore, and those of the dispatcher. `clock` gives µs since 1970 UTC."""

    def __init__(self, lanes: Lanes, clock: Callable[[], int], voices: Voices) -> None:
        self.lanes = lanes
        self.clock = clock
        self.voices = voices
        self.on_deliveries: Callable[[], None] = lambda: None  # called after a commit that owes somebody something

    # the queue

    async def find_busy(self) -> tuple[Endpoint, ...]:
        now = self.clock()
        return await self.lanes.read(lambda tx: delivery.find_busy(tx, now))

    async def find_due(self, wanted: Sequence[tuple[Endpoint, int]]) -> list[Due]:
        now = self.clock()
        return await self.lanes.read(lambda tx: delivery.find_due(tx, wanted, now))

    async def find_claim(self, account_id: int, delivery_id: int) -> tuple[Endpoint, Due] | None:
        def verb(tx: Transaction) -> tuple[Endpoint, Due] | None:
            due = delivery.find_claim(tx, account_id, delivery_id)
            row = tx.one("find_endpoint", account_id, due.claim.endpoint_id) if due else None
            return (announcing.endpoint(row), due) if due and row else None

        return await self.lanes.read(verb)

    async def claim(self, found: Sequence[Due], owner: str, lease_us: int) -> list[Claim]:
        now = self.clock()
        return await self.lanes.write(lambda tx: delivery.claim(tx, found, owner, now, now + lease_us))

    async def release(self, claims: Sequence[Claim], owner: str) -> None:
        now = self.clock()
        await self.lanes.write(lambda tx: delivery.release(tx, claims, owner, now))

    async def release_all(self, but: str) -> int:
        """What other owners left claimed is due now. Only for a process that is alone on its database."""
        now = self.clock()
        return await self.lanes.write(lambda tx: tx.run("release_all", now, but))

    async def record(self, results: Sequence[Result], owner: str, policy: Policy) -> Recorded:
        now = self.clock()
        return await self.lanes.write(lambda tx: delivery.record(tx, self.voices, results, owner, policy, now))

    async def find_subject(self, about: Event) -> Subject:
        return await self.lanes.read(lambda tx: delivery.find_subject(tx, about))

    async def forget(self, before: int) -> None:
        """Drops every account's events from before that instant, with their log, a part at a time."""
        accounts = await self.lanes.read(lambda tx: [row[0] for row in tx.all("find_accounts")])
        for account_id in accounts:
            while await self._forget_some(account_id, before):
                pass

    async def _forget_some(self, account_id: int, before: int) -> bool:
        return await self.lanes.write(lambda tx: delivery.forget(tx, account_id, before, FORGOTTEN_AT_ONCE))

    async def backlog(self) -> Backlog:
        now = self.clock()
        return await self.lanes.read(lambda tx: endpoints.backlog(tx, now))

    # endpoints

    async def create_endpoint(self, sender: Sender, new: NewEndpoint) -> Endpoint:
        now = self.clock()
        return await self.lanes.write(lambda tx: endpoints.create(tx, sender, new, now, ENDPOINTS_MAX))

    async def find_endpoints(self, sender: Sender) -> tuple[Endpoint, ...]:
        return await self.lanes.read(lambda tx: endpoints.find_all(tx, sender))

    async def find_endpoint(self, sender: Sender, endpoint_id: int) -> Endpoint | None:
        return await self.lanes.read(lambda tx: endpoints.find(tx, sender, endpoint_id))

    async def change_endpoint(self, sender: Sender, endpoint_id: int, make: Callable[[Endpoint], Endpoint]) -> Endpoint:
        now = self.clock()
        changed = await self.lanes.write(lambda tx: endpoints.change(tx, sender, endpoint_id, make, now))
        self.on_deliveries()
        return changed

    async def rotate_secret(self, sender: Sender, endpoint_id: int) -> Endpoint:
        now = self.clock()
        return await self.change_endpoint(sender, endpoint_id, lambda known: endpoints.rotated(known, now))

    async def find_stats(self, sender: Sender, endpoint_id: int) -> EndpointStats:
        now = self.clock()
        return await self.lanes.read(lambda tx: endpoints.stats(tx, sender, endpoint_id, now))

    async def ping(self, sender: Sender, endpoint_id: int) -> int:
        now = self.clock()
        return await self.lanes.write(lambda tx: endpoints.ping(tx, self.voices, sender, endpoint_id, now))

    async def find_account(self, account_id: int) -> Account:
        """With what signs the calls to the notifyUrl of its batches. Raises NotFound."""
        return await self.lanes.read(lambda tx: accounts.get_account(tx, account_id))

    async def rotate_notify_secret(self, account_id: int) -> Account:
        """Raises NotFound."""
        now = self.clock()
        return await self.lanes.write(lambda tx: accounts.rotate_notify_secret(tx, account_id, now))

    # the log

    async def find_deliveries(self, sender: Sender, query: DeliveryQuery) -> Page[Delivery]:
        return await self.lanes.read(lambda tx: endpoints.find_deliveries(tx, sender, query))

    async def find_delivery(self, sender: Sender, delivery_id: int) -> Delivery | None:
        return await self.lanes.read(lambda tx: endpoints.find_delivery(tx, sender, delivery_id))

    async def find_attempts(self, sender: Sender, delivery_id: int) -> tuple[Attempt, ...]:
        return await self.lanes.read(lambda tx: endpoints.find_attempts(tx, sender, delivery_id))

    async def find_events(self, sender: Sender, query: EventQuery) -> Page[Event]:
        return await self.lanes.read(lambda tx: endpoints.find_events(tx, sender, query))

    async def find_event(self, sender: Sender, event_id: int) -> Event | None:
        return await self.lanes.read(lambda tx: endpoints.find_event(tx, sender, event_id))

    async def find_notification(self, sender: Sender, batch_id: int) -> DeliveryState | None:
        return await self.lanes.read(lambda tx: endpoints.find_notification(tx, sender, batch_id))

    # sending again

    async def resend(self, sender: Sender, delivery_id: int) -> Delivery:
        now = self.clock()
        again = await self.lanes.write(lambda tx: endpoints.resend(tx, sender, delivery_id, now))
        self.on_deliveries()
        return again

    async def replay(self, sender: Sender, query: DeliveryQuery) -> int:
        """Every exhausted delivery that the query finds is owed once more. How many."""
        total = 0
        while True:
            step = await self._replay_some(sender, query)
            total += step.written
            if step.behind is None:
                self.on_deliveries()
                return total
            query = msgspec.structs.replace(query, behind=step.behind)

    async def _replay_some(self, sender: Sender, query: DeliveryQuery) -> endpoints.Replay:
        now = self.clock()
        return await self.lanes.write(lambda tx: endpoints.replay(tx, sender, query, now))

    async def recover(self, sender: Sender, endpoint_id: int, since: int) -> int:
        """Owes an endpoint whatever it wants of the events since that instant and was not delivered. How many."""
        until, total = self.clock(), 0
        behind: tuple[int, int] | None = (since, -1)
        while behind is not None:
            step = await self._recover_some(sender, endpoint_id, behind, until)
            total += step.written
            behind = step.behind
        self.on_deliveries()
        return total

    async def _recover_some(
        self, sender: Sender, endpoint_id: int, behind: tuple[int, int], until: int
    ) -> endpoints.Recovery:
        now = self.clock()
        return await self.lanes.write(
            lambda tx: endpoints.recover(tx, self.voices, sender, endpoint_id, behind, until, now)
        )
