"""Brevo's four calls from request to reply, over a ledger in memory; and the recorded pairs in golden/brevo."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from ordermill.core.batch import (
    Batch,
    BatchStatus,
    Draft,
    ErrorPolicy,
    Item,
    Mode,
    OutcomeKind,
    Sender,
    Settled,
    Submission,
    item_id,
)
from ordermill.core.batch import count as count_outcomes
from ordermill.core.errors import Refusal
from ordermill.core.limits import Limits
from ordermill.core.memo import Memo
from ordermill.core.mill import Mill
from ordermill.core.order import NewOrder, Order, OrderKey
from ordermill.core.outcome import Created, Rejected, Stale, Unchanged, Updated
from ordermill.core.processing import Place, after, decide_all
from ordermill.core.query import OrderQuery, OrderSort, Page
from ordermill.core.store import Store
from ordermill.dialects.brevo.routes import Settings, build
from ordermill.web.http import Reply, Request

GOLDEN = sorted(Path(__file__).parent.joinpath("golden", "brevo").glob("*.json"))
SENDER = Sender(account_id=1, mode=Mode.LIVE, key_id="k")
ORDER: dict[str, Any] = {
    "id": "14",
    "createdAt": "2021-07-29T20:59:23.383Z",
    "updatedAt": "2021-07-30T10:59:23.383Z",
    "status": "completed",
    "amount": 308.42,
    "products": [{"productId": "P1", "price": 99.99, "quantity": 1}],
    "identifiers": {"email_id": "a@b.example"},
}


class MemoryStore:
    """Just enough of a Store for these calls: the rules of the core over one dictionary."""

    def __init__(self) -> None:
        self.current: dict[OrderKey, Order] = {}
        self.orders: dict[int, NewOrder] = {}
        self.contacts: dict[tuple[str, str], int] = {}
        self.submissions: list[Submission] = []
        self.memos: list[Memo | None] = []
        self.batch_ids = count(1)

    async def settle(self, sender: Sender, submission: Submission, memo: Memo | None) -> Settled:
        self.submissions.append(submission)
        self.memos.append(memo)
        batch_id = next(self.batch_ids)
        drafts = [
            (Place(item_id(batch_id, position), sender.account_id, sender.mode, position + 1), draft)
            for position, draft in enumerate(submission.drafts)
        ]
        outcomes = decide_all(drafts, self.current, iter(()))
        items = tuple(
            self._item(place, draft, outcome) for (place, draft), outcome in zip(drafts, outcomes, strict=True)
        )
        return Settled(batch=None, items=items, batch_id=batch_id)

    def _item(self, place: Place, draft: Draft, outcome: Any) -> Item:
        kinds = {
            Created: OutcomeKind.CREATED,
            Updated: OutcomeKind.UPDATED,
            Unchanged: OutcomeKind.UNCHANGED,
            Stale: OutcomeKind.STALE,
            Rejected: OutcomeKind.FAILED,
        }
        if isinstance(outcome, Created | Updated):
            state = after(place, outcome)
            self.current[state.key] = state
            self.orders[state.id] = outcome.order
        return Item(
            id=place.item_id,
            account_id=place.account_id,
            key=draft.key,
            outcome=kinds[type(outcome)],
            reference=draft.reference,
            problems=draft.problems,
        )

    async def find_orders(self, sender: Sender, query: OrderQuery) -> Page[Order]:
        def position(order: Order) -> tuple[int, ...]:
            updated_at = order.updated_at if query.sort is OrderSort.PLACED_UPDATED else 0
            return order.placed_at, updated_at, order.id

        found = [
            self._shown(order)
            for order in self.current.values()
            if order.dialect == query.dialect
            and (query.placed_after is None or order.placed_at > query.placed_after)
            and (query.updated_after is None or order.updated_at > query.updated_after)
        ]
        found.sort(key=position, reverse=query.descending)
        entries = tuple(found[query.offset : query.offset + query.limit])
        return Page(entries=entries, count=len(found), more=query.offset + query.limit < len(found))

    def _shown(self, order: Order) -> Order:
        new = self.orders[order.id]
        strongest = new.identifiers[:1]
        contact_id = self.contacts.setdefault(strongest[0], len(self.contacts) + 1) if strongest else None
        return msgspec.structs.replace(order, document=new.document, contact_id=contact_id)


class Caller:
    """Sends requests to the dialect as the guard would."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.store = MemoryStore()
        mill = Mill(cast("Store", self.store), Limits())
        self.dialect = build(mill, Limits(), settings or Settings())

    def call(self, method: str, path: str, body: Any = None, *, query: str = "", memo_key: str | None = None) -> Reply:
        handler = next(
            route.handler
            for route in self.dialect.routes
            if (route.method, self.dialect.prefix + route.pattern) == (method, path)
        )
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, query.encode(), {}, raw, "req", 0, sender=SENDER, memo_key=memo_key)

        async def run() -> Reply:
            return await handler(request)

        try:
            return asyncio.run(run())
        except Refusal as refusal:
            return self.dialect.write_refusal(refusal, request)

    def listed(self, query: str = "") -> list[str]:
        return [order["id"] for order in json.loads(self.call("GET", "/v3/orders", query=query).body)["orders"]]


@pytest.fixture
def caller() -> Caller:
    return Caller()


def changed(**fields: Any) -> dict[str, Any]:
    return ORDER | fields


def fits(expected: Any, actual: Any) -> bool:
    """Whether `actual` is what was recorded; the text "{integer}" stands for any positive whole number."""
    if expected == "{integer}":
        return isinstance(actual, int) and not isinstance(actual, bool) and actual > 0
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(fits(expected[name], actual[name]) for name in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(fits, expected, actual))
    return type(expected) is type(actual) and bool(expected == actual)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_recorded_pairs_are_answered_as_recorded(path: Path, caller: Caller) -> None:
    """`before`: requests that come first. A body that is a text is sent as it is, any other as JSON."""
    pair = json.loads(path.read_text())
    for request in pair.get("before", []):
        sent(caller, request)
    reply = sent(caller, pair["request"])
    body = json.loads(reply.body) if reply.body else None
    assert reply.status == pair["reply"]["status"]
    assert fits(pair["reply"]["body"], body), body


def sent(caller: Caller, request: dict[str, Any]) -> Reply:
    path, _, query = request["path"].partition("?")
    body = request["body"]
    return caller.call(request["method"], path, body.encode() if isinstance(body, str) else body, query=query)


def test_there_are_recorded_pairs() -> None:
    assert len(GOLDEN) >= 15


class TestOneOrder:
    def test_is_live_and_leaves_no_batch(self, caller: Caller) -> None:
        assert caller.call("POST", "/v3/orders/status", ORDER | {"historical": True}) == Reply(204)
        submission = caller.store.submissions[0]
        assert (submission.single, submission.announce, submission.notify_url) == (True, True, None)

    def test_may_come_again_newer_older_or_the_same(self, caller: Caller) -> None:
        for status, updated in (("a", "30"), ("a", "30"), ("b", "31"), ("old", "29"), ("c", "31")):
            order = changed(status=status, updatedAt=f"2021-07-{updated}T00:00:00Z")
            assert caller.call("POST", "/v3/orders/status", order).status == 204
        listed = json.loads(caller.call("GET", "/v3/orders").body)
        assert [(order["id"], order["status"]) for order in listed["orders"]] == [("14", "c")]

    def test_replaces_the_order_whole(self, caller: Caller) -> None:
        caller.call("POST", "/v3/orders/status", changed(storeId="S", metaInfo={"a": 1}))
        caller.call("POST", "/v3/orders/status", changed(status="b"))
        order = json.loads(caller.call("GET", "/v3/orders").body)["orders"][0]
        assert "storeId" not in order
        assert "metaInfo" not in order

    def test_a_bad_one_is_refused_with_paths_of_its_own(self, caller: Caller) -> None:
        reply = caller.call("POST", "/v3/orders/status", changed(products=[{"productId": "P", "price": "1"}]))
        assert reply.status == 400
        message = "products[0].price: expected a number, got a text; send the number without quotes"
        assert json.loads(reply.body)["message"] == message
        assert caller.store.submissions == []

    def test_a_remembered_answer_is_the_answer(self, caller: Caller) -> None:
        caller.call("POST", "/v3/orders/status", ORDER, memo_key="m")
        memo = caller.store.memos[0]
        assert memo is not None
        item = Item(id=1, account_id=1, key="0", outcome=OutcomeKind.CREATED, reference="14")
        answer = memo.answer(Settled(batch=None, items=(item,), batch_id=1))
        assert (answer.status, answer.body) == (204, b"")


class TestABatch:
    def test_a_thousand_new_orders_are_stored(self, caller: Caller) -> None:
        orders = [changed(id=str(number)) for number in range(1_000)]
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": orders})
        assert reply.status == 202
        assert json.loads(reply.body) == {"batchId": 1, "batch_id": 1, "count": 1_000}
        assert dict(reply.headers) == {
            "ordermill-batch-id": "1",
            "ordermill-accepted": "1000",
            "ordermill-rejected": "0",
        }
        assert json.loads(caller.call("GET", "/v3/orders").body)["count"] == 1_000

    def test_one_order_too_many_is_out_of_range(self, caller: Caller) -> None:
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": [ORDER] * 1_001})
        assert (reply.status, json.loads(reply.body)["code"]) == (400, "out_of_range")

    def test_the_newest_of_a_repeated_id_wins_and_the_place_breaks_ties(self, caller: Caller) -> None:
        orders = [
            changed(status="newest", updatedAt="2021-08-02T00:00:00Z"),
            changed(status="older", updatedAt="2021-08-01T00:00:00Z"),
            changed(status="last", updatedAt="2021-08-02T00:00:00Z"),
        ]
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": orders})
        assert json.loads(reply.body)["count"] == 3
        assert json.loads(caller.call("GET", "/v3/orders").body)["orders"][0]["status"] == "last"

    def test_one_bad_order_keeps_all_of_them_out_and_everything_is_named(self, caller: Caller) -> None:
        orders = [ORDER, changed(amount=None), changed(products=[{"productId": "P"}], status=[])]
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": orders})
        body = json.loads(reply.body)
        assert reply.status == 400
        assert body["code"] == "missing_parameter"
        assert body["message"] == "orders[1].amount: required, but not given (and 2 more problems)"
        assert [error["field"] for error in body["errors"]] == [
            "orders[1].amount",
            "orders[2].status",
            "orders[2].products[0].price",
        ]
        assert caller.store.submissions == []

    def test_thousands_of_problems_are_counted_but_not_all_told(self, caller: Caller) -> None:
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": [{}] * 1_000})
        body = json.loads(reply.body)
        assert len(body["errors"]) == 100
        assert body["message"].endswith("(and 5999 more problems)")

    def test_the_valid_ones_are_stored_where_the_operator_wants_it(self) -> None:
        caller = Caller(Settings(policy=ErrorPolicy.ACCEPT_VALID))
        reply = caller.call("POST", "/v3/orders/status/batch", {"orders": [changed(amount="1"), ORDER, 5]})
        assert reply.status == 202
        assert json.loads(reply.body)["count"] == 3
        assert ("ordermill-rejected", "2") in reply.headers
        assert caller.listed() == ["14"]
        problems = [draft.problems for draft in caller.store.submissions[0].drafts]
        assert [problem[0].field for problem in problems if problem] == ["amount", ""]

    def test_other_requests_get_a_turn_while_a_large_one_is_read(self, caller: Caller) -> None:
        turns = 0
        handler = caller.dialect.routes[1].handler
        body = json.dumps({"orders": [changed(id=str(number)) for number in range(1_000)]}).encode()
        request = Request("POST", "/v3/orders/status/batch", b"", {}, body, "req", 0, sender=SENDER)

        async def run() -> None:
            nonlocal turns
            task = asyncio.ensure_future(handler(request))
            while not task.done():
                turns += 1
                await asyncio.sleep(0)
            await task

        asyncio.run(run())
        assert turns >= 10


class TestTheList:
    def test_pages_are_stable_and_sorted_by_creation(self, caller: Caller) -> None:
        days = [3, 1, 2, 2, 4]
        orders = [changed(id=str(n), createdAt=f"2021-07-0{day}T00:00:00Z") for n, day in enumerate(days)]
        caller.call("POST", "/v3/orders/status/batch", {"orders": orders})
        assert caller.listed() == ["4", "0", "3", "2", "1"]
        assert caller.listed("sort=asc") == ["1", "2", "3", "0", "4"]
        assert caller.listed("limit=2&offset=1") == ["0", "3"]
        assert caller.listed("createdSince=2021-07-02T02:00:00%2B02:00") == ["4", "0"]
        assert caller.listed("createdSince=2021-07-02T02:00:00+02:00") == ["4", "0"]
        assert caller.listed("modifiedSince=2021-07-30T10:59:23.383Z") == []

    def test_every_amount_is_a_number(self, caller: Caller) -> None:
        caller.call("POST", "/v3/orders/status", ORDER)
        assert b'"amount":308.42' in caller.call("GET", "/v3/orders").body


def test_a_server_without_ecommerce_refuses_all_four_calls() -> None:
    caller = Caller(Settings(active=False))
    for method, path in (
        ("POST", "/v3/orders/status"),
        ("POST", "/v3/orders/status/batch"),
        ("GET", "/v3/orders"),
        ("POST", "/v3/ecommerce/activate"),
    ):
        reply = caller.call(method, path, b"not even JSON")
        assert (reply.status, json.loads(reply.body)["code"]) == (403, "permission_denied")


def test_reading_needs_another_scope_than_writing(caller: Caller) -> None:
    scopes = {(route.method, route.pattern): (route.scope, route.write) for route in caller.dialect.routes}
    assert scopes == {
        ("POST", "/orders/status"): ("orders:write", True),
        ("POST", "/orders/status/batch"): ("orders:write", True),
        ("GET", "/orders"): ("orders:read", False),
        ("POST", "/ecommerce/activate"): ("orders:write", True),
    }


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"api-key": "k"}, "k"),
        ({"api-key": " k "}, "k"),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k"}, "k"),
        ({"api-key": "k", "authorization": "Bearer other", "partner-key": "p"}, "k"),
        ({"authorization": "Basic k"}, None),
        ({"authorization": "Bearer"}, None),
        ({"api-key": ""}, None),
        ({}, None),
    ],
)
def test_the_key_is_found_where_the_sdks_put_it(headers: dict[str, str], key: str | None, caller: Caller) -> None:
    assert caller.dialect.read_key(headers) == key


def test_the_dialect_tells_its_limits(caller: Caller) -> None:
    dialect = caller.dialect
    assert (dialect.name, dialect.prefix) == ("brevo", "/v3")
    assert (dialect.body_bytes_max, dialect.orders_max) == (5_242_880, 1_000)
    submission = dialect.read_batch(json.dumps({"orders": [ORDER]}).encode(), now=0)
    assert submission.drafts[0].order is not None
    batch = Batch(
        id=9,
        account_id=1,
        mode=Mode.LIVE,
        dialect="brevo",
        source="",
        key_id="k",
        request_id="",
        status=BatchStatus.COMPLETED,
        historical=True,
        notify_url=None,
        origin="",
        parent_batch_id=None,
        counts=count_outcomes([OutcomeKind.CREATED]),
        created_at=0,
        updated_at=0,
        finished_at=0,
    )
    assert json.loads(dialect.write_batch(batch, ())) == {"batchId": 9, "batch_id": 9, "count": 1}
