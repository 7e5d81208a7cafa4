"""What people who look at the console need: their sessions, what they did, and sums over time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ordermill.core.account import Scope
from ordermill.core.order import Mode, Order
from ordermill.core.query import OrderQuery

WINDOW = 10_000  # orders that one look of the console may pass
TOLD_EVERY_S = 30  # a process tells that it is there


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in. `key_id` is '' after a one-time link, which may look at both modes.

    `zone`: server, UTC or browser. `theme`: auto, light or dark. Instants are µs since 1970 UTC.
    """

    account_id: int
    token_hash: bytes = b""
    key_id: str = ""
    scopes: tuple[Scope, ...] = (Scope.ADMIN,)
    mode: Mode = Mode.LIVE
    zone: str = "server"
    theme: str = "auto"
    created_at: int = 0
    expires_at: int = 0

    def allows(self, scope: str) -> bool:
        return any(own.value == scope or own is Scope.ADMIN for own in self.scopes)

    @property
    def who(self) -> str:
        """As the audit log names it."""
        return f"key {self.key_id}" if self.key_id else "one-time link"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log: who did what to what."""

    id: int
    at: int
    mode: Mode
    who: str
    action: str
    subject: str
    detail: str


class Process(msgspec.Struct, frozen=True):
    """One of the processes that work on this ledger. Instants are µs since 1970 UTC. `doing`: what it is for."""

    name: str
    doing: str
    version: str
    started_at: int
    seen_at: int

    def silent(self, now: int) -> bool:
        """Whether it has missed telling that it is there, more than once."""
        return now - self.seen_at > 3 * TOLD_EVERY_S * 1_000_000


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. `slot` is the hour, or the minute, since 1970 UTC; `dialect` and `key_id` are set where the sums
    are of one key."""

    slot: int = 0
    dialect: str = ""
    key_id: str = ""
    batches: int = 0
    received: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0

    @property
    def completed(self) -> int:
        return self.created + self.updated + self.unchanged


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Batches that are not complete, the orders that wait in them, and since when the oldest has been open."""

    batches: int
    waiting: int
    oldest_at: int | None


class OrderSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Filters for people: those of a query, a range of amounts, and how far back one look may go.

    `query.after_id` is where the look begins; `window` is how many orders it may pass. `accepts` is a last filter that
    is given each order with its document.
    """

    query: OrderQuery
    amount_from: str | None = None
    amount_to: str | None = None
    currency: str | None = None
    accepts: Callable[[Order], bool] | None = None
    window: int = WINDOW


class OrderHits(msgspec.Struct, frozen=True, kw_only=True):
    """`more`: there are further matches in the window. `resume_below`: nothing further here, but older orders exist."""

    orders: tuple[Order, ...]
    more: bool = False
    resume_below: int | None = None
