"""What every engine keeps of the store's promise: reading back, by every filter and sort, page by page."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ledgers import SECOND, START, Clock, bad, order, put, put_one, sender, submission

from ordermill.core.account import ApiKey, Scope
from ordermill.core.batch import BatchStatus, OutcomeKind, Problem, Sender
from ordermill.core.errors import Duplicate, NotFound
from ordermill.core.order import Mode, NewOrder, OnExisting, Order, OrderKey
from ordermill.core.query import BatchQuery, ItemQuery, OrderQuery, OrderSort
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
HUGE = 10**30


async def found(ledger: Ledger, who: Sender, **asked: Any) -> list[str]:
    """The references, in the order of the list; the count has to agree with them."""
    page = await ledger.find_orders(who, OrderQuery(**{"descending": False, **asked}))
    references = [entry.reference for entry in page.entries]
    if not {"limit", "offset", "after_id"} & asked.keys():
        assert (page.count, page.more) == (len(references), False)
    return references


@pytest.fixture
async def shop(ledger: Ledger, clock: Clock) -> Sender:
    """Six orders that differ in everything that can be asked for."""
    who = sender()
    email = (("email", "a@example.com"), ("ext", "7"))
    facts: list[dict[str, Any]] = [
        {"reference": "a", "at": 10, "placed_at": START + 3, "status": "open", "identifiers": email},
        {"reference": "b", "at": 30, "placed_at": START + 1, "status": "paid", "source": "se"},
        {"reference": "c", "at": 20, "placed_at": START + 1, "status": "open", "source": "no", "request_id": "r1"},
        {"reference": "d", "at": 5, "placed_at": START + 2, "status": "sent", "dialect": "karrio"},
        {
            "reference": "e",
            "at": 40,
            "placed_at": START + 9,
            "status": "open",
            "dialect": "karrio",
            "identifiers": email[1:],
        },
        {"reference": "f", "at": 1, "placed_at": START, "status": "lost", "request_id": "r1"},
    ]
    for given in facts:
        await put(ledger, who, order(**given))
        clock.advance(1)
    await put(ledger, sender(who.account_id, Mode.TEST), order("test"))
    return who


@pytest.mark.parametrize(
    ("asked", "references"),
    [
        ({}, "abcdef"),
        ({"descending": True}, "fedcba"),
        ({"dialect": "brevo"}, "abcf"),
        ({"dialect": "karrio"}, "de"),
        ({"dialect": "centra"}, ""),
        ({"sources": ("se", "no")}, "bc"),
        ({"sources": ("",), "dialect": "brevo"}, "af"),
        ({"references": ("f", "a", "x", "f")}, "af"),
        ({"statuses": ("open", "lost")}, "acef"),
        ({"statuses_not": ("open", "lost")}, "bd"),
        ({"placed_after": START + 1}, "ade"),
        ({"placed_before": START + 2}, "bcf"),
        ({"placed_after": START, "placed_before": START + 3}, "bcd"),
        ({"updated_after": START + 10 * SECOND}, "bce"),
        ({"updated_before": START + 10 * SECOND}, "df"),
        ({"received_after": START + SECOND}, "cdef"),
        ({"received_before": START + SECOND}, "a"),
        ({"identifier": ("email", "a@example.com")}, "ae"),
        ({"identifier": ("ext", "7")}, "ae"),
        ({"identifier": ("ext", "8")}, ""),
        ({"request_id": "r1"}, "cf"),
        ({"sort": OrderSort.PLACED}, "fcbdae"),
        ({"sort": OrderSort.PLACED, "descending": True}, "eadbcf"),
        ({"sort": OrderSort.PLACED_UPDATED}, "fcbdae"),
        ({"sort": OrderSort.PLACED_UPDATED, "descending": True}, "eadbcf"),
        ({"sort": OrderSort.PLACED, "dialect": "brevo", "updated_after": START + 5 * SECOND}, "cba"),
        ({"sort": OrderSort.PLACED, "dialect": "brevo", "statuses": ("open",), "placed_before": START + 3}, "c"),
        ({"with_document": False}, "abcdef"),
    ],
)
async def test_orders_are_found_by_every_filter_in_every_order(
    ledger: Ledger, shop: Sender, asked: dict[str, Any], references: str
) -> None:
    assert await found(ledger, shop, **asked) == list(references)


async def test_orders_are_found_by_our_ids_and_by_contact(ledger: Ledger, shop: Sender) -> None:
    first = await ledger.find_order_by_key(shop, OrderKey("brevo", "", "a"))
    assert first is not None
    assert await found(ledger, shop, ids=(first.id, 1, HUGE)) == ["a"]
    assert await found(ledger, shop, contact_id=first.contact_id) == ["a", "e"]


@pytest.mark.parametrize("sort", [OrderSort.RECEIVED, OrderSort.PLACED, OrderSort.PLACED_UPDATED])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_pages_show_every_order_once(ledger: Ledger, sort: OrderSort, descending: bool, limit: int) -> None:
    who = sender()
    await put(ledger, who, *(order(f"{n:02}", at=n % 2, placed_at=START + n % 3) for n in range(20)))
    seen: list[Order] = []
    while True:
        asked = OrderQuery(dialect="brevo", sort=sort, descending=descending, limit=limit, offset=len(seen))
        page = await ledger.find_orders(who, asked)
        seen += page.entries
        assert page.count == 20
        assert page.more == (len(seen) < 20)
        if not page.more:
            break
    keys = {
        OrderSort.RECEIVED: lambda entry: (entry.id,),
        OrderSort.PLACED: lambda entry: (entry.placed_at, entry.updated_at, entry.id),
        OrderSort.PLACED_UPDATED: lambda entry: (entry.placed_at, entry.updated_at, entry.id),
    }
    assert len({entry.id for entry in seen}) == 20
    assert seen == sorted(seen, key=keys[sort], reverse=descending)


async def test_pages_by_key_go_on_where_they_were_while_orders_come_in(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, *(order(f"{n:02}") for n in range(10)))
    first = await ledger.find_orders(who, OrderQuery(limit=4))
    await put(ledger, who, *(order(f"new{n}") for n in range(5)))
    second = await ledger.find_orders(who, OrderQuery(limit=4, after_id=first.entries[-1].id))
    assert [entry.reference for entry in second.entries] == ["05", "04", "03", "02"]
    assert (first.count, second.count, second.more) == (10, 15, True)
    forward = await ledger.find_orders(who, OrderQuery(limit=99, after_id=second.entries[0].id, descending=False))
    assert [entry.reference for entry in forward.entries][:4] == ["06", "07", "08", "09"]
    assert (forward.count, forward.more) == (15, False)


async def test_numbered_orders_are_sorted_by_number(ledger: Ledger) -> None:
    who = sender()
    given = {"dialect": "centra", "numbered": True, "on_existing": OnExisting.REFUSE}
    await put(ledger, who, *(order(reference, **given) for reference in ("10", "9", "100", "1")))
    assert await found(ledger, who, sort=OrderSort.NUMBER) == ["1", "9", "10", "100"]
    assert await found(ledger, who, sort=OrderSort.NUMBER, descending=True, dialect="centra") == ["100", "10", "9", "1"]


async def test_what_only_the_contract_can_decide_is_counted_and_paged_too(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, *(order(f"{n:04}") for n in range(1_203)))

    def third(candidate: Order) -> bool:
        assert candidate.document is not None
        return int(candidate.reference) % 3 == 0

    asked = OrderQuery(dialect="brevo", accepts=third, descending=False, limit=10, offset=395)
    page = await ledger.find_orders(who, asked)
    assert (page.count, page.more) == (401, False)
    assert [entry.reference for entry in page.entries] == ["1185", "1188", "1191", "1194", "1197", "1200"]
    bounded = await ledger.find_orders(who, msgspec.structs.replace(asked, scan_max=500, offset=0))
    assert bounded.count == 167


async def test_what_no_column_can_hold_is_not_found_and_no_fault(ledger: Ledger, shop: Sender) -> None:
    strange = "a\u0000\ud800"
    assert await ledger.find_order(shop, HUGE) is None
    assert await ledger.find_batch(shop, -HUGE) is None
    assert await ledger.find_order_by_key(shop, OrderKey("brevo", strange, strange)) is None
    assert await ledger.find_revisions(shop, HUGE) == ()
    assert (await ledger.find_items(shop, ItemQuery(batch_id=HUGE, after_position=HUGE))).entries == ()
    nothing: list[dict[str, Any]] = [
        {"dialect": strange},
        {"sources": (strange,)},
        {"references": (strange,)},
        {"statuses": (strange,)},
        {"request_id": strange},
        {"identifier": (strange, strange)},
        {"contact_id": HUGE},
        {"ids": (HUGE,)},
        {"placed_after": HUGE},
        {"updated_before": -HUGE},
    ]
    for asked in nothing:
        assert await found(ledger, shop, **asked) == [], asked
    assert await found(ledger, shop, placed_before=HUGE, updated_after=-HUGE, statuses_not=(strange,)) == list("abcdef")
    assert await found(ledger, shop, limit=HUGE, offset=HUGE, after_id=HUGE) == []
    assert (await ledger.find_batches(shop, BatchQuery(dialect=strange, after_id=HUGE, limit=HUGE))).entries == ()


async def test_history_tells_the_versions_in_the_order_of_arrival(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    await put(ledger, who, order(at=3), announce=False)
    clock.advance(1)
    await put_one(ledger, who, order(at=1))
    clock.advance(1)
    item = await put_one(ledger, who, order(at=4))
    history = await ledger.find_revisions(who, item.order_id or 0)
    assert [(v.revision, v.stale, v.historical, (v.received_at - START) // SECOND) for v in history] == [
        (1, False, True, 0),
        (0, True, False, 1),
        (2, False, False, 2),
    ]
    assert [v.document for v in history] == [order(at=at).document for at in (3, 1, 4)]
    assert [v.order_id for v in history] == [item.order_id] * 3


# batches


async def test_batches_are_found_by_every_filter_newest_first(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    other_key = Sender(account_id=who.account_id, mode=Mode.LIVE, key_id="k2", request_id="req-9")
    one = (await put(ledger, who, order("1"))).batch
    clock.advance(1)
    two = (await ledger.settle(other_key, submission(order("2"), bad("1"), dialect="karrio", origin="import"))).batch
    clock.advance(1)
    three = (await ledger.settle(who, submission(order("3"), parent_batch_id=one.id if one else 0), last=False)).batch
    assert one is not None
    assert two is not None
    assert three is not None

    async def ids(**asked: Any) -> list[int]:
        page = await ledger.find_batches(who, BatchQuery(with_count=True, **asked))
        if "after_id" not in asked:
            assert page.count == len(page.entries)
        return [batch.id for batch in page.entries]

    assert await ids() == [three.id, two.id, one.id]
    assert await ids(descending=False) == [one.id, two.id, three.id]
    assert await ids(dialect="karrio") == await ids(key_id="k2") == await ids(origin="import") == [two.id]
    assert await ids(has_failures=True) == await ids(statuses=(BatchStatus.COMPLETED_WITH_ERRORS,)) == [two.id]
    assert await ids(has_failures=False) == [three.id, one.id]
    assert await ids(statuses=(BatchStatus.RUNNING, BatchStatus.COMPLETED)) == [three.id, one.id]
    assert await ids(created_after=START, created_before=START + 2 * SECOND) == [two.id]
    assert await ids(after_id=three.id) == [two.id, one.id]
    assert await ids(after_id=one.id, descending=False) == [two.id, three.id]
    page = await ledger.find_batches(who, BatchQuery(limit=2, offset=1, with_count=True, after_id=three.id))
    assert ([batch.id for batch in page.entries], page.count, page.more) == ([one.id], 3, False)
    assert page.entries[0] == one
    assert (two.request_id, three.parent_batch_id) == ("req-9", one.id)


# items and causes


@pytest.fixture
async def mixed(ledger: Ledger) -> tuple[Sender, int]:
    """A batch of 60: every third failed, for one of three causes."""
    who = sender()
    causes = [
        Problem(code="required", message="is missing", field="id", hint="send one"),
        Problem(code="invalid_parameter", message="no number", field="amount", value="x"),
        Problem(code="invalid_parameter", message="no date", field="createdAt", value="y"),
    ]
    drafts: list[Any] = []
    for n in range(60):
        failing = (causes[0] if n % 6 == 0 else causes[1 + n % 2], causes[0])
        drafts.append(bad(f"key {n}", *failing, reference=f"R{n}") if n % 3 == 0 else order(f"O{n}"))
    settled = await put(ledger, who, *drafts)
    return who, settled.batch_id


async def test_items_are_paged_by_position_and_found_by_outcome_code_and_field(
    ledger: Ledger, mixed: tuple[Sender, int]
) -> None:
    who, batch_id = mixed

    async def positions(**asked: Any) -> list[int]:
        seen: list[int] = []
        while True:
            page = await ledger.find_items(
                who, ItemQuery(batch_id=batch_id, limit=7, after_position=seen[-1] if seen else -1, **asked)
            )
            seen += [item.position for item in page.entries]
            assert len(page.entries) == 7 or not page.more
            if not page.more:
                return seen

    failed = list(range(0, 60, 3))
    assert await positions() == list(range(60))
    assert await positions(outcomes=(OutcomeKind.FAILED,)) == failed
    assert await positions(outcomes=(OutcomeKind.CREATED, OutcomeKind.STALE)) == [n for n in range(60) if n % 3]
    assert await positions(outcomes=(OutcomeKind.FAILED, OutcomeKind.CREATED)) == list(range(60))
    assert await positions(code="required") == [n for n in failed if n % 6 == 0]
    assert await positions(field="createdAt") == [n for n in failed if n % 6]
    assert await positions(code="required", field="createdAt") == []
    assert await positions(code="\u0000") == []


async def test_items_show_what_was_sent_only_when_it_is_asked_for(ledger: Ledger, mixed: tuple[Sender, int]) -> None:
    who, batch_id = mixed
    heads = await ledger.find_items(who, ItemQuery(batch_id=batch_id, limit=2))
    full = await ledger.find_items(who, ItemQuery(batch_id=batch_id, limit=2, with_document=True))
    assert [item.document for item in heads.entries] == [None, None]
    assert [item.document for item in full.entries] == ['{"amount":"x"}', order("O1").document]
    assert [(item.key, item.reference) for item in heads.entries] == [("key 0", "R0"), ("1", "O1")]


async def test_causes_are_grouped_the_most_frequent_first_with_an_example(
    ledger: Ledger, mixed: tuple[Sender, int]
) -> None:
    who, batch_id = mixed
    causes = await ledger.find_causes(who, batch_id)
    assert [(cause.code, cause.field, cause.count) for cause in causes] == [
        ("required", "id", 10),
        ("invalid_parameter", "createdAt", 10),
    ]
    assert (causes[0].example_key, causes[0].example_position, causes[0].hint) == ("key 0", 0, "send one")
    assert (causes[1].message, causes[1].example_value, causes[1].example_position) == ("no date", "y", 3)


async def test_a_single_belongs_to_no_batch_that_can_be_asked_for(ledger: Ledger) -> None:
    who = sender()
    item = await put_one(ledger, who, order("A"))
    assert await ledger.find_batch(who, item.batch_id) is None
    assert (await ledger.find_items(who, ItemQuery(batch_id=item.batch_id))).entries == ()


# counters against the tables


async def test_the_kept_number_of_orders_is_the_number_of_orders(ledger: Ledger) -> None:
    who = sender()
    entries: list[NewOrder] = [order(f"{n % 7}", at=n, dialect=("brevo", "karrio")[n % 2]) for n in range(40)]
    await put(ledger, who, *entries[:20])
    for entry in entries[20:]:
        await put_one(ledger, who, entry)
    for dialect in (None, "brevo", "karrio", "centra"):
        page = await ledger.find_orders(who, OrderQuery(dialect=dialect, limit=1000))
        assert page.count == len(page.entries)


# keys and accounts


def key(number: str, account_id: int, **facts: Any) -> ApiKey:
    given = {"name": "till", "mode": Mode.TEST, "scopes": (Scope.ORDERS_READ,), "secret_hash": b"\x00\xff" * 16}
    return ApiKey(account_id=account_id, id=number, hint="abcd", rate_limit=60, created_at=START, **(given | facts))


async def test_a_key_is_found_by_its_id_as_it_was_saved(ledger: Ledger) -> None:
    account = await ledger.create_account(f"acme {sender().account_id}")
    saved = key(f"id{account.id}", account.id, expires_at=START + 5)
    await ledger.save_key(saved)
    assert await ledger.find_key(saved.id) == saved
    assert await ledger.find_keys(account.id) == (saved,)
    assert await ledger.find_key("nobody") is None
    with pytest.raises(Duplicate):
        await ledger.save_key(saved)


async def test_a_key_is_revoked_expired_and_touched_only_by_its_account(ledger: Ledger, clock: Clock) -> None:
    account = await ledger.create_account(f"acme {sender().account_id}")
    saved = key(f"id{account.id}", account.id)
    await ledger.save_key(saved)
    for verb in (ledger.revoke_key(1, saved.id), ledger.expire_key(1, saved.id, START)):
        with pytest.raises(NotFound):
            await verb
    assert await ledger.find_key(saved.id) == saved
    await ledger.touch_keys({(account.id, saved.id): START + 1, (1, saved.id): START + 9})
    await ledger.expire_key(account.id, saved.id, START + 7)
    await ledger.revoke_key(account.id, saved.id)
    clock.advance(5)
    await ledger.revoke_key(account.id, saved.id)
    assert await ledger.find_key(saved.id) == msgspec.structs.replace(
        saved, last_used_at=START + 1, expires_at=START + 7, revoked_at=START
    )


async def test_an_account_has_one_name_and_a_secret_of_its_own(ledger: Ledger) -> None:
    name = f"acme {sender().account_id}"
    account = await ledger.create_account(name)
    with pytest.raises(Duplicate):
        await ledger.create_account(name)
    accounts = {entry.name: entry for entry in await ledger.find_accounts()}
    assert accounts[name].id == account.id
    assert accounts["default"].id == 1
    assert accounts[name].notify_secret != accounts["default"].notify_secret
