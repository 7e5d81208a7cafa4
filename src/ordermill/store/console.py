"""The verbs of the console: sessions, one-time links, the audit log, and reads that stay quick over many orders."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence

from ordermill.core.account import Scope
from ordermill.core.batch import Sender
from ordermill.core.order import Mode, Order, OrderKey
from ordermill.core.query import OrderQuery
from ordermill.core.watching import Backlog, Deed, OrderHits, OrderSearch, Session, Sums
from ordermill.store import query, rows
from ordermill.store.engine import Row, Transaction
from ordermill.store.lanes import Lanes

SESSION_US = 7 * 86_400_000_000
LINK_US = 15 * 60_000_000
SOURCES_MAX = 100
NAMESAKES_MAX = 1_000  # orders under one reference that are looked at
READ_AT_ONCE = 200  # documents, where a filter has to look into them
FAR = (1 << 63) - 1


def make_token(account_id: int) -> str:
    """`<account>.<43 characters>`: the account stands in front, so that whose it is needs no search."""
    return f"{account_id}.{secrets.token_urlsafe(32)}"


def account_of(token: str) -> int | None:
    """The account a token speaks of, if it looks like one of ours."""
    head, dot, tail = token.partition(".")
    if not dot or not head.isdecimal() or not head.isascii() or len(head) > 18 or not 20 <= len(tail) <= 100:
        return None
    return int(head)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def make_link(tx: Transaction, account_id: int, mode: Mode, now: int) -> str:
    """The token of a new one-time link. It is good for a quarter of an hour."""
    token = make_token(account_id)
    tx.run("forget_login_links", account_id, now)
    tx.run("save_login_link", account_id, token_hash(token), int(mode), now, now + LINK_US)
    return token


class ConsoleStore:
    """Each verb is one transaction."""

    def __init__(self, lanes: Lanes, clock: Callable[[], int]) -> None:
        self.lanes = lanes
        self.clock = clock

    # signing in and out

    async def make_link(self, account_id: int, mode: Mode) -> str:
        now = self.clock()
        return await self.lanes.write(lambda tx: make_link(tx, account_id, mode, now))

    async def link_is_good(self, token: str) -> bool:
        """Whether use_link would find it; it is not used up by asking."""
        account_id, now = account_of(token), self.clock()
        if account_id is None:
            return False
        return (
            await self.lanes.read(lambda tx: tx.one("find_login_link", account_id, token_hash(token), now))
        ) is not None

    async def use_link(self, token: str) -> Mode | None:
        """The mode of the link, once: the second time there is nothing."""
        account_id, now = account_of(token), self.clock()
        if account_id is None:
            return None

        def verb(tx: Transaction) -> Mode | None:
            row = tx.one("find_login_link", account_id, token_hash(token), now)
            if row is None or tx.run("use_login_link", now, account_id, token_hash(token), now) != 1:
                return None
            return Mode(row[0])

        return await self.lanes.write(verb)

    async def start_session(self, session: Session) -> str:
        """The token that goes into the cookie."""
        token, now = make_token(session.account_id), self.clock()
        scopes = " ".join(scope.value for scope in session.scopes)

        def verb(tx: Transaction) -> None:
            tx.run("forget_sessions", session.account_id, now)
            tx.run(
                "save_session", session.account_id, token_hash(token), session.key_id, scopes, int(session.mode),
                session.zone, session.theme, now, now + SESSION_US,
            )  # fmt: skip

        await self.lanes.write(verb)
        return token

    async def find_session(self, token: str) -> Session | None:
        account_id, now = account_of(token), self.clock()
        if account_id is None:
            return None
        row = await self.lanes.read(lambda tx: tx.one("find_session", account_id, token_hash(token), now))
        return _session(row, token_hash(token)) if row else None

    async def find_sessions(self, account_id: int) -> tuple[Session, ...]:
        now = self.clock()
        found = await self.lanes.read(lambda tx: tx.all("find_sessions", account_id, now))
        return tuple(_session(row) for row in found)

    async def change_session(self, session: Session) -> None:
        """Mode, zone and theme as they are in `session`."""
        await self.lanes.write(
            lambda tx: tx.run(
                "change_session", int(session.mode), session.zone, session.theme, session.account_id,
                session.token_hash,
            )
        )  # fmt: skip

    async def end_session(self, session: Session) -> None:
        await self.lanes.write(lambda tx: tx.run("end_session", session.account_id, session.token_hash))

    async def end_sessions(self, account_id: int) -> int:
        """Signs everybody of an account out; how many that were."""
        return await self.lanes.write(lambda tx: tx.run("end_sessions", account_id))

    # the audit log

    async def note(self, session: Session, action: str, subject: str, detail: str = "") -> None:
        now = self.clock()

        def verb(tx: Transaction) -> None:
            number = tx.reserve(session.account_id, "audit", 1)
            tx.run(
                "save_audit", session.account_id, number, now, int(session.mode), session.who, action, subject, detail
            )

        await self.lanes.write(verb)

    async def find_deeds(self, account_id: int, below: int | None = None, limit: int = 50) -> tuple[Deed, ...]:
        """The newest first."""
        found = await self.lanes.read(lambda tx: tx.all("find_audit", account_id, below or FAR, limit))
        return tuple(
            Deed(id=row[0], at=row[1], mode=Mode(row[2]), who=row[3], action=row[4], subject=row[5], detail=row[6])
            for row in found
        )

    # sums

    async def find_shares(self, sender: Sender, first: int, behind: int, *, minutes: bool = False) -> tuple[Sums, ...]:
        """Sums of the whole span by contract and key. The span is in hours since 1970 UTC, or in minutes."""
        statement = "console_minute_shares" if minutes else "console_shares"
        found = await self.lanes.read(lambda tx: tx.all(statement, sender.account_id, int(sender.mode), first, behind))
        return tuple(_sums(row[2:], dialect=row[0], key_id=row[1]) for row in found)

    async def find_backlog(self, sender: Sender) -> Backlog:
        row = await self.lanes.read(lambda tx: tx.one("console_backlog", sender.account_id, int(sender.mode)))
        assert row is not None
        return Backlog(batches=int(row[0]), waiting=int(row[1]), oldest_at=row[2])

    async def count_newer(self, sender: Sender, what: str, than: int) -> int:
        """How many `batches` or `orders` have come since that id; at most a hundred are counted."""
        row = await self.lanes.read(
            lambda tx: tx.one(f"console_newer_{what}", sender.account_id, int(sender.mode), than)
        )
        return int(row[0]) if row else 0

    async def count_orders(self, sender: Sender) -> dict[str, int]:
        """Orders in the ledger by contract: kept, not counted."""
        found = await self.lanes.read(lambda tx: tx.all("find_order_counts", sender.account_id, int(sender.mode)))
        return {row[0]: int(row[1]) for row in found}

    # searching

    async def find_orders(self, sender: Sender, search: OrderSearch) -> OrderHits:
        """Newest first. Looks at no more than `window` orders, and says where to go on when they are used up."""
        return await self.lanes.read(lambda tx: _find_orders(tx, sender, search))

    async def find_each(self, sender: Sender, ids: Iterable[int]) -> dict[int, Order]:
        """The orders with these ids: one look-up each, for the rows of one page."""

        def verb(tx: Transaction) -> dict[int, Order]:
            found = (query.find_order(tx, sender, number) for number in ids)
            return {order.id: order for order in found if order is not None}

        return await self.lanes.read(verb)

    async def find_orders_by_reference(self, sender: Sender, reference: str) -> tuple[Order, ...]:
        """The orders of that reference, whatever contract and source they came in through."""
        return await self.lanes.read(lambda tx: _by_reference(tx, sender, reference))

    async def find_orders_of(self, sender: Sender, identifier: str, after: int | None, limit: int) -> OrderHits:
        """The orders of the contacts with that e-mail address, phone number or other identifier, newest first."""
        return await self.lanes.read(lambda tx: _of_contact(tx, sender, identifier, after or FAR, limit))

    async def find_sources(self, sender: Sender) -> tuple[tuple[str, str], ...]:
        """The pairs of dialect and source that there are, at most a hundred."""
        return await self.lanes.read(lambda tx: tuple(_sources(tx, sender)))


def _find_orders(tx: Transaction, sender: Sender, search: OrderSearch) -> OrderHits:
    clauses, params = query.order_clauses(sender, search.query)
    start = search.query.after_id or FAR
    for clause, value in (
        ("order.amount_from", search.amount_from),
        ("order.amount_to", search.amount_to),
        ("order.currency", search.currency),
    ):
        if value is not None:
            clauses.append(clause)
            params.append(value)
    narrow = search.query.identifier is not None or search.query.request_id is not None
    floor = None if narrow else tx.one(
        "console_window_end", sender.account_id, int(sender.mode), start, search.window - 1
    )  # fmt: skip
    if floor is not None:
        clauses.append("order.id_above")
        params.append(floor[0] - 1)
    limit = search.query.limit
    values = [sender.account_id, int(sender.mode), *params]
    if search.accepts is None:
        heads = tx.compose("find_order_heads", clauses, [*values, limit + 1, 0], "order.by_received_desc")
        found = [rows.order(row) for row in heads]
    else:
        ids = tx.compose("find_order_ids", clauses, [*values, search.window, 0], "order.by_received_desc")
        found = _accepted(tx, sender, ids, search.accepts, limit + 1)
    orders = tuple(found[:limit])
    more = len(found) > limit
    return OrderHits(orders=orders, more=more, resume_below=floor[0] if floor is not None and not more else None)


def _accepted(
    tx: Transaction, sender: Sender, ids: Sequence[Row], accepts: Callable[[Order], bool], limit: int
) -> list[Order]:
    """The first so many of these orders that the filter takes, in the order of the ids."""
    found: list[Order] = []
    for start in range(0, len(ids), READ_AT_ONCE):
        piece = ids[start : start + READ_AT_ONCE]
        shown = {row[0]: rows.order(row) for row in tx.all_of("find_shown", (sender.account_id,), piece)}
        found += [shown[number] for (number,) in piece if number in shown and accepts(shown[number])]
        if len(found) >= limit:
            break
    return found


def _by_reference(tx: Transaction, sender: Sender, reference: str) -> tuple[Order, ...]:
    """Of each contract and source the holder of the reference, else the newest that held it."""
    found: dict[OrderKey, Order] = {}
    asked = OrderQuery(references=(reference,), limit=NAMESAKES_MAX, with_count=False)
    for order in query.find_orders(tx, sender, asked).entries:
        known = found.get(order.key)
        if known is None or (known.released and not order.released):
            found[order.key] = order
    return tuple(sorted(found.values(), key=lambda order: order.key))


def _sources(tx: Transaction, sender: Sender) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for dialect, _ in tx.all("find_order_counts", sender.account_id, int(sender.mode)):
        row = tx.one("console_first_source", sender.account_id, int(sender.mode), dialect)
        while row is not None and len(found) < SOURCES_MAX:
            found.append((dialect, row[0]))
            row = tx.one("console_next_source", sender.account_id, int(sender.mode), dialect, row[0])
    return found


def _of_contact(tx: Transaction, sender: Sender, identifier: str, below: int, limit: int) -> OrderHits:
    place = (sender.account_id, int(sender.mode))
    found: list[Order] = []
    for (contact_id,) in tx.all("console_contacts", *place, identifier, *place, identifier.casefold()):
        asked = (sender.account_id, contact_id, int(sender.mode), below, limit + 1)
        found += [rows.order(row) for row in tx.all("console_orders_of_contact", *asked)]
    found.sort(key=lambda order: -order.id)
    return OrderHits(orders=tuple(found[:limit]), more=len(found) > limit)


def _session(row: Row, hashed: bytes = b"") -> Session:
    return Session(
        account_id=row[0],
        token_hash=hashed,
        key_id=row[1],
        scopes=tuple(Scope(scope) for scope in row[2].split()),
        mode=Mode(row[3]),
        zone=row[4],
        theme=row[5],
        created_at=row[6],
        expires_at=row[7],
    )


def _sums(row: Row, *, dialect: str, key_id: str) -> Sums:
    batches, received, created, updated, unchanged, failed = (int(value) for value in row)
    return Sums(
        dialect=dialect, key_id=key_id, batches=batches, received=received, created=created,
        updated=updated, unchanged=unchanged, failed=failed,
    )  # fmt: skip
