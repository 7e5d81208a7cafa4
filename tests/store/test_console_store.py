"""What every engine keeps of the console's promise: sessions, links, the audit log, sums and searches."""

from __future__ import annotations

import pytest
from ledgers import START, Clock, bad, order, put, put_one, sender

from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.core.query import OrderQuery
from ordermill.core.watching import OrderSearch, Session
from ordermill.store.console import LINK_US, SESSION_US, ConsoleStore
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
HOUR_US = 3_600_000_000


@pytest.fixture
def store(ledger: Ledger, clock: Clock) -> ConsoleStore:
    return ConsoleStore(ledger.lanes, clock)


async def test_a_link_is_used_once_and_in_time(store: ConsoleStore, clock: Clock) -> None:
    token = await store.make_link(1, Mode.TEST)
    assert await store.link_is_good(token)
    assert await store.use_link(token) is Mode.TEST
    assert not await store.link_is_good(token)
    assert await store.use_link(token) is None
    late = await store.make_link(1, Mode.LIVE)
    clock.advance(LINK_US / 1_000_000)
    assert await store.use_link(late) is None


@pytest.mark.parametrize(
    "token", ["", "1", "1.", "x.abcdefghijklmnopqrstuvwxyz", "1." + "a" * 200, "9" * 30 + "." + "a" * 43]
)
async def test_what_is_no_token_finds_nothing(store: ConsoleStore, token: str) -> None:
    assert await store.find_session(token) is None
    assert await store.use_link(token) is None


async def test_a_session_lives_changes_and_ends(store: ConsoleStore, clock: Clock) -> None:
    await store.end_sessions(1)
    token = await store.start_session(Session(account_id=1, key_id="k", scopes=(Scope.ORDERS_READ,), mode=Mode.TEST))
    found = await store.find_session(token)
    assert found is not None
    assert (found.key_id, found.scopes, found.mode, found.zone) == ("k", (Scope.ORDERS_READ,), Mode.TEST, "server")
    assert await store.find_session("2" + token[1:]) is None
    changed = Session(account_id=1, token_hash=found.token_hash, mode=Mode.LIVE, zone="UTC", theme="dark")
    await store.change_session(changed)
    again = await store.find_session(token)
    assert again is not None
    assert (again.mode, again.zone, again.theme) == (Mode.LIVE, "UTC", "dark")
    other = await store.start_session(Session(account_id=1))
    assert len(await store.find_sessions(1)) == 2
    await store.end_session(found)
    assert await store.find_session(token) is None
    assert await store.end_sessions(1) == 1
    assert await store.find_session(other) is None
    last = await store.start_session(Session(account_id=1))
    clock.advance(SESSION_US / 1_000_000)
    assert await store.find_session(last) is None


async def test_deeds_are_told_newest_first_and_page_by_page(store: ConsoleStore) -> None:
    before = len(await store.find_deeds(1, limit=100))
    for number in range(3):
        await store.note(Session(account_id=1, key_id="k"), "did", f"thing {number}")
    deeds = await store.find_deeds(1, limit=2)
    assert [(deed.who, deed.subject) for deed in deeds] == [("key k", "thing 2"), ("key k", "thing 1")]
    assert len(await store.find_deeds(1, below=deeds[-1].id, limit=100)) == before + 1


async def test_sums_are_told_by_contract_and_key(store: ConsoleStore, ledger: Ledger) -> None:
    who = sender()
    other = sender(who.account_id, key_id="k2")
    await put(ledger, who, order("a"), order("b"), bad("2"))
    await put(ledger, other, order("c", dialect="karrio"), dialect="karrio")
    hour = START // HOUR_US
    shares = await store.find_shares(who, hour, hour + 1)
    assert [(share.dialect, share.key_id, share.received, share.completed, share.failed) for share in shares] == [
        ("brevo", "k1", 3, 2, 1), ("karrio", "k2", 1, 1, 0),
    ]  # fmt: skip
    assert await store.find_shares(who, hour + 1, hour + 9) == ()
    backlog = await store.find_backlog(who)
    assert (backlog.batches, backlog.waiting, backlog.oldest_at) == (0, 0, None)
    assert await store.count_orders(who) == {"brevo": 2, "karrio": 1}


async def test_what_came_since_is_counted_up_to_a_hundred(store: ConsoleStore, ledger: Ledger) -> None:
    who = sender()
    first = await put(ledger, who, order("a"))
    await put(ledger, who, *(order(f"n{number}") for number in range(120)))
    assert await store.count_newer(who, "batches", first.batch_id) == 1
    assert await store.count_newer(who, "orders", 0) == 100


async def test_a_search_looks_at_a_window_and_says_where_to_go_on(store: ConsoleStore, ledger: Ledger) -> None:
    who = sender()
    await put(
        ledger, who, *(order(f"r{n}", status="rare" if n in (2, 27) else "open", amount=f"{n}.50") for n in range(30))
    )
    query = OrderQuery(statuses=("rare",), limit=5)
    hits = await store.find_orders(who, OrderSearch(query=query, window=10))
    assert [entry.reference for entry in hits.orders] == ["r27"]
    assert hits.resume_below is not None
    on = OrderQuery(statuses=("rare",), limit=5, after_id=hits.resume_below)
    further = await store.find_orders(who, OrderSearch(query=on, window=50))
    assert [entry.reference for entry in further.orders] == ["r2"]
    assert further.resume_below is None
    search = OrderSearch(query=OrderQuery(limit=50), amount_from="7.5", amount_to="9.50", currency="EUR")
    assert [entry.reference for entry in (await store.find_orders(who, search)).orders] == ["r9", "r8", "r7"]
    page = await store.find_orders(who, OrderSearch(query=OrderQuery(limit=10)))
    assert page.more
    assert len(page.orders) == 10


async def test_a_reference_is_found_in_every_source(store: ConsoleStore, ledger: Ledger) -> None:
    who = sender()
    for dialect, source in (("brevo", ""), ("centra", "ch"), ("centra", "de"), ("karrio", "ERP")):
        await put_one(ledger, who, order("same", dialect=dialect, source=source), dialect=dialect, source=source)
        await put_one(ledger, who, order("else", dialect=dialect, source=source), dialect=dialect, source=source)
    found = await store.find_orders_by_reference(who, "same")
    assert [(entry.dialect, entry.source) for entry in found] == await sources(store, who)
    assert await store.find_orders_by_reference(sender(), "same") == ()


async def sources(store: ConsoleStore, who: object) -> list[tuple[str, str]]:
    return list(await store.find_sources(who))  # type: ignore[arg-type]
