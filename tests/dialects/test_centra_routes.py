"""Centra over its handlers: the golden request and reply pairs, and what headers and keys do. The store is a dict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from ordermill.core import errors
from ordermill.core.batch import Batch, BatchStatus, Item, OutcomeKind, Problem, Sender, Settled, Submission, count
from ordermill.core.limits import Limits
from ordermill.core.memo import Memo
from ordermill.core.mill import Mill
from ordermill.core.order import Mode, NewOrder, Order, OrderKey
from ordermill.core.query import OrderQuery, Page
from ordermill.dialects.centra.routes import Settings, build
from ordermill.web.http import Reply, Request

NOW = 1_795_167_000_000_000  # 2026-11-20T09:30:00Z
GOLDEN = sorted((Path(__file__).parent / "golden" / "centra").glob("*.json"))


class DictStore:
    """Just enough of a ledger: numbers from 1, keys taken once, nothing durable."""

    def __init__(self) -> None:
        self.orders: dict[OrderKey, Order] = {}
        self.settled = 0

    async def settle(self, sender: Sender, submission: Submission, memo: Memo | None) -> Settled:
        self.settled += 1
        items = tuple(self._take(position, draft) for position, draft in enumerate(submission.drafts))
        settled = Settled(batch=None, items=items, batch_id=7)
        if memo is not None:
            memo.answer(settled)
        return settled

    def _take(self, position: int, draft: Any) -> Item:
        item = {"id": 7 << 24 | position, "account_id": 1, "key": draft.key}
        if draft.order is None:
            return Item(outcome=OutcomeKind.FAILED, reference="", problems=draft.problems, **item)
        number = 1
        while OrderKey("centra", draft.order.source, str(number)) in self.orders:
            number += 1
        reference = draft.order.reference or str(number)
        key = OrderKey("centra", draft.order.source, reference)
        if key in self.orders:
            taken = Problem(code="duplicate_reference", message="taken", field="reference", value=reference)
            return Item(outcome=OutcomeKind.FAILED, reference=reference, problems=(taken,), **item)
        self.orders[key] = as_order(draft.order, len(self.orders) + 1, reference)
        return Item(outcome=OutcomeKind.CREATED, reference=reference, document=draft.order.document, **item)

    async def find_order_by_key(self, sender: Sender, key: OrderKey) -> Order | None:
        return self.orders.get(key)

    async def amend(self, sender: Sender, order_id: int, change: Callable[[Order], NewOrder], memo: Any) -> Order:
        key, order = next((key, order) for key, order in self.orders.items() if order.id == order_id)
        self.orders[key] = as_order(change(order), order_id, order.reference)
        return self.orders[key]

    async def find_orders(self, sender: Sender, query: OrderQuery) -> Page[Order]:
        found = [
            order
            for order in sorted(self.orders.values(), key=lambda order: int(order.reference))
            if order.source in query.sources
            and order.status not in query.statuses_not
            and (not query.references or order.reference in query.references)
            and (query.placed_after is None or order.placed_at > query.placed_after)
            and (query.placed_before is None or order.placed_at < query.placed_before)
            and (query.contact_id is None or order.contact_id == query.contact_id)
        ]
        return Page(entries=tuple(found[query.offset : query.offset + query.limit]))


def as_order(new: NewOrder, order_id: int, reference: str) -> Order:
    return Order(
        id=order_id, account_id=1, mode=Mode.LIVE, dialect=new.dialect, source=new.source, reference=reference,
        revision=1, status=new.status, placed_at=new.placed_at, updated_at=NOW, received_at=NOW, changed_at=NOW,
        amount=new.amount, currency=new.currency, contact_id=None, content_hash=new.content_hash,
        request_id=None, released=False, document=new.document,
    )  # fmt: skip


class House:
    """The dialect over a DictStore, called without HTTP."""

    def __init__(self, settings: Settings | None = None, limits: Limits | None = None) -> None:
        self.store = DictStore()
        limits = limits or Limits()
        self.dialect = build(Mill(self.store, limits), limits, settings or Settings())  # type: ignore[arg-type]

    def call(self, method: str, path: str, body: Any = None, memo_key: str | None = None) -> Reply:
        url = urlsplit(path)
        request = Request(
            method=method, path=url.path, raw_query=url.query.encode(), headers={}, body=as_bytes(body),
            request_id="r", now=NOW, memo_key=memo_key,
            sender=Sender(account_id=1, mode=Mode.LIVE, key_id="k"),
        )  # fmt: skip
        try:
            return asyncio.run(self._handler(request)(request))
        except errors.Refusal as refusal:
            return self.dialect.write_refusal(refusal, request)

    def _handler(self, request: Request) -> Any:
        for route in self.dialect.routes:
            params = match(self.dialect.prefix + route.pattern, request.path)
            if params is not None and route.method == request.method:
                request.params = params
                return route.handler
        raise AssertionError(f"no route for {request.method} {request.path}")


def match(pattern: str, path: str) -> dict[str, str] | None:
    names, parts = pattern.split("/"), path.split("/")
    if len(names) != len(parts):
        return None
    if any(name != part for name, part in zip(names, parts, strict=True) if not name.startswith("{")):
        return None
    params = {name[1:-1]: part for name, part in zip(names, parts, strict=True) if name.startswith("{")}
    return params if all(params.values()) else None


def as_bytes(body: Any) -> bytes:
    """A golden body: a string stands for itself, anything else for its JSON."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()


def order(**changes: Any) -> dict[str, Any]:
    """A good order, with `changes`."""
    return {
        "address": {"country": "SE", "email": "x@example.com", "firstName": "John", "lastName": "Smith"},
        "products": [{"qty": 2, "sku": "A", "unitPrice": 10.5}],
    } | changes


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_reply_is_the_recorded_one(path: Path) -> None:
    golden = json.loads(path.read_text())
    house = House(msgspec.convert(golden.get("settings", {}), Settings))
    for request in golden.get("before", []):
        house.call(**request)
    reply = house.call(**golden["request"])
    assert reply.status == golden["reply"]["status"]
    body = json.loads(reply.body)
    assert body == golden["reply"]["body"]
    if isinstance(body, dict):
        assert list(body) == list(golden["reply"]["body"])


def test_there_are_golden_pairs() -> None:
    assert len(GOLDEN) >= 20


def test_a_batch_tells_its_id_and_its_sums() -> None:
    reply = House().call("POST", "/centra/orders", {"a": order(), "b": {}, "c": order()})
    assert dict(reply.headers) == {
        "ordermill-batch-id": "7",
        "ordermill-accepted": "2",
        "ordermill-rejected": "1",
    }


def test_an_empty_batch_leaves_no_trace() -> None:
    house = House()
    assert house.call("POST", "/centra/orders", {}).body == b"{}"
    assert house.store.settled == 0


def test_too_many_orders_are_413_and_create_nothing() -> None:
    house = House(limits=Limits(orders=2))
    reply = house.call("POST", "/centra/orders", {"a": order(), "b": order(), "c": order()})
    assert reply.status == 413
    assert set(json.loads(reply.body)) == {"status", "msg"}
    assert house.store.settled == 0


def test_stores_do_not_see_one_another() -> None:
    house = House()
    house.call("POST", "/centra/order", order(orderNumber=5))
    assert json.loads(house.call("POST", "/centra/outlet/order/", order(orderNumber=5)).body)["status"] == "ok"
    for path in ("/centra/orders", "/centra/default/orders", "/centra/outlet/orders/"):
        assert [row["orderId"] for row in json.loads(house.call("GET", path).body)["orders"]] == ["5"]
    assert json.loads(house.call("GET", "/centra/other/orders").body)["orders"] == []


@pytest.mark.parametrize("store", ["orders", "order", "a.b", "x" * 65, "ö"])
def test_a_name_that_is_no_store_is_404(store: str) -> None:
    assert House().call("GET", f"/centra/{store}/orders").status == 404


def test_where_creating_is_not_allowed_nothing_is_created_and_reading_goes_on() -> None:
    house = House(Settings(create_allowed=False))
    for path, body in (("/centra/orders", {"a": order()}), ("/centra/order", order())):
        reply = house.call("POST", path, body)
        assert (reply.status, json.loads(reply.body)["status"]) == (403, "Not Allowed")
    assert house.call("GET", "/centra/orders").status == 200
    assert house.store.settled == 0


def test_an_idempotency_key_goes_along_with_every_write() -> None:
    house = House()
    assert house.call("POST", "/centra/orders", {"a": order(createOnly=True)}, memo_key="k").status == 200
    assert house.call("POST", "/centra/order", order(), memo_key="k").status == 200
    assert house.call("POST", "/centra/order/1", {}, memo_key="k").status == 200


def test_completing_keeps_number_and_date_and_may_be_repeated() -> None:
    house = House()
    house.call("POST", "/centra/order", order(createOnly="1", payment={"auth": {"status": 1, "amount": 21}}))
    for changes in ({}, {"payment": {"capture": {"status": "1", "amount": "21.00"}}, "comment": "paid"}):
        assert json.loads(house.call("POST", "/centra/order/1", changes).body) == {"orders": ["1"], "status": "ok"}
    (stored,) = house.store.orders.values()
    assert (stored.status, stored.reference, stored.placed_at) == ("pending", "1", NOW)
    assert set(json.loads(stored.document or "")["payment"]) == {"auth", "capture"}


def test_what_nobody_asked_to_change_stays_byte_for_byte() -> None:
    house = House()
    body = json.dumps(order()).replace("10.5", "10.50")[:-1] + ', "new": [1e2, "\\u00e5", 12345678901234567890123]}'
    house.call("POST", "/centra/order", body)
    assert json.loads(house.call("PUT", "/centra/orders", {"order": 1, "comment": "late"}).body)["status"] == "ok"
    (stored,) = house.store.orders.values()
    assert '[1e2, "\\u00e5", 12345678901234567890123]' in (stored.document or "")
    assert "10.50" in (stored.document or "")


def test_of_two_orders_that_an_update_names_none_is_changed() -> None:
    house = House()
    house.call("POST", "/centra/orders", {"a": order(), "b": order()})
    reply = house.call("PUT", "/centra/orders", '{"order":1,"order":2,"comment":"late"}')
    assert json.loads(reply.body)["status"] == "no"
    assert [stored.document and "late" in stored.document for stored in house.store.orders.values()] == [False, False]


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"api-authorization": "abc"}, "abc"),
        ({"api-authorization": " abc ", "authorization": "Bearer other"}, "abc"),
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer  abc"}, "abc"),
        ({"authorization": "Basic abc"}, None),
        ({"authorization": "abc"}, None),
        ({}, None),
    ],
)
def test_a_key_is_found_in_either_header(headers: dict[str, str], key: str | None) -> None:
    assert House().dialect.read_key(headers) == key


@pytest.mark.parametrize("refusal", errors.REFUSALS, ids=lambda refusal: refusal.__name__)
def test_every_refusal_has_a_form(refusal: type[errors.Refusal]) -> None:
    request = Request("POST", "/centra/orders", b"", {}, b"", "r", NOW)
    reply = House().dialect.write_refusal(refusal("why"), request)
    body = json.loads(reply.body)
    assert body["status"] == ("Not Allowed" if refusal is errors.Forbidden else "no")
    assert body["msg"] == "why"
    assert isinstance(body.get("code", -7), int)
    assert reply.status == 200 or reply.status >= 400


def test_a_batch_is_told_once_more_from_the_ledger() -> None:
    house = House()
    body = {"b": order(), "a": order(createOnly=1), "0": {}}
    reply = house.call("POST", "/centra/orders", body)
    drafts = house.dialect.read_batch(json.dumps(body).encode(), now=NOW).drafts
    items = (
        Item(id=0, account_id=1, key="b", outcome=OutcomeKind.CREATED, reference="1", document=drafts[0].document
             or (drafts[0].order.document if drafts[0].order else "")),
        Item(id=1, account_id=1, key="a", outcome=OutcomeKind.CREATED, reference="2",
             document=drafts[1].order.document if drafts[1].order else ""),
        Item(id=2, account_id=1, key="0", outcome=OutcomeKind.FAILED, reference="", problems=drafts[2].problems),
    )  # fmt: skip
    batch = Batch(
        id=7, account_id=1, mode=Mode.LIVE, dialect="centra", source="default", key_id="k", request_id="r",
        status=BatchStatus.COMPLETED, historical=False, notify_url=None, origin="", parent_batch_id=None,
        counts=count(item.outcome for item in items), created_at=NOW, updated_at=NOW, finished_at=NOW,
    )  # fmt: skip
    assert house.dialect.write_batch(batch, items) == reply.body
