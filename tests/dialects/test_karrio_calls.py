"""Karrio's calls from request to reply, over a store that keeps everything in memory; and the recorded pairs."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ordermill.core import ids
from ordermill.core.batch import (
    Batch,
    Draft,
    Item,
    OutcomeKind,
    Sender,
    Settled,
    Submission,
    count,
    item_id,
    roll_up,
)
from ordermill.core.errors import REFUSALS, NotFound, Refusal, Unauthorized
from ordermill.core.limits import Limits
from ordermill.core.memo import Memo
from ordermill.core.mill import Mill
from ordermill.core.order import Mode, NewOrder, Order, OrderKey
from ordermill.core.outcome import Created, Rejected, Updated
from ordermill.core.processing import Place, after, decide_all
from ordermill.core.query import BatchQuery, ItemQuery, OrderQuery, Page
from ordermill.dialects.karrio import routes
from ordermill.dialects.karrio.outbound import ERRORS
from ordermill.dialects.karrio.routes import Settings, build, read_key
from ordermill.web.face import Router
from ordermill.web.http import Reply, Request

NOW = 1_722_268_288_071_000  # 2024-07-29T15:51:28.071Z
GOLDEN = sorted((Path(__file__).parent / "golden" / "karrio").glob("*.json"))


class Memory:
    """Just enough of a store: decides by the core's own rules."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.holders: dict[tuple[int, Mode, OrderKey], int] = {}
        self.batches: dict[int, Batch] = {}
        self.items: dict[int, tuple[Item, ...]] = {}
        self.next_batch = 0
        self.clock = NOW
        self.answers: list[bytes] = []

    async def settle(self, sender: Sender, submission: Submission, memo: Memo | None) -> Settled:
        self.next_batch += 1
        batch_id = self.next_batch
        places = [
            (Place(item_id(batch_id, position), sender.account_id, sender.mode, self.clock), draft)
            for position, draft in enumerate(submission.drafts)
        ]
        known = {key: self.orders[number] for (account, mode, key), number in self.holders.items()
                 if (account, mode) == (sender.account_id, sender.mode)}  # fmt: skip
        items = tuple(
            self._record(place, draft, outcome)
            for (place, draft), outcome in zip(places, decide_all([*places], known, iter(())), strict=True)
        )
        counts = count(item.outcome for item in items)
        batch = Batch(
            id=batch_id, account_id=sender.account_id, mode=sender.mode, dialect=submission.dialect, source="",
            key_id=sender.key_id, request_id=sender.request_id, status=roll_up(counts), historical=False,
            notify_url=None, origin="", parent_batch_id=None, counts=counts, created_at=self.clock,
            updated_at=self.clock, finished_at=self.clock,
        )  # fmt: skip
        if not submission.single:
            self.batches[batch_id], self.items[batch_id] = batch, items
        settled = Settled(batch=None if submission.single else batch, items=items, batch_id=batch_id, at=self.clock)
        if memo is not None:
            self.answers.append(memo.answer(settled).body)
        return settled

    def _record(self, place: Place, draft: Draft, outcome: object) -> Item:
        assert not isinstance(outcome, Updated)
        kind, order_id, problems = OutcomeKind.FAILED, None, ()
        if isinstance(outcome, Created):
            stored = msgspec.structs.replace(after(place, outcome), document=outcome.order.document)
            self.orders[stored.id] = stored
            self.holders[stored.account_id, Mode(stored.mode), stored.key] = stored.id
            kind, order_id = OutcomeKind.CREATED, stored.id
        elif isinstance(outcome, Rejected):
            problems = outcome.problems
        else:
            kind, order_id = OutcomeKind.UNCHANGED, outcome.known.id  # type: ignore[attr-defined]
        return Item(
            id=place.item_id, account_id=place.account_id, key=draft.key, outcome=kind, reference=draft.reference,
            order_id=order_id, problems=problems,
        )  # fmt: skip

    async def amend(
        self, sender: Sender, order_id: int, change: Callable[[Order], NewOrder], memo: Memo | None
    ) -> Order:
        current = self.orders[order_id]
        version = change(current)
        self.orders[order_id] = msgspec.structs.replace(
            current, status=version.status, released=version.released, document=version.document,
            content_hash=version.content_hash, amount=version.amount, currency=version.currency,
            revision=current.revision + 1, request_id=version.request_id,
        )  # fmt: skip
        if memo is not None:
            self.answers.append(memo.answer(Settled(batch=None, items=(), batch_id=0)).body)
        return self.orders[order_id]

    async def find_order(self, sender: Sender, order_id: int) -> Order | None:
        order = self.orders.get(order_id)
        return order if order and (order.account_id, order.mode) == (sender.account_id, sender.mode) else None

    async def find_orders(self, sender: Sender, query: OrderQuery) -> Page[Order]:
        found = [
            order
            for order in sorted(self.orders.values(), key=lambda order: -order.id)
            if (order.account_id, order.mode, order.dialect) == (sender.account_id, sender.mode, query.dialect)
            and (not query.ids or order.id in query.ids)
            and (not query.references or order.reference in query.references)
            and (not query.sources or order.source in query.sources)
            and (not query.statuses or order.status in query.statuses)
            and (query.request_id is None or order.request_id == query.request_id)
            and (query.received_after is None or order.received_at > query.received_after)
            and (query.received_before is None or order.received_at < query.received_before)
            and (query.accepts is None or query.accepts(order))
        ]
        page = found[query.offset : query.offset + query.limit]
        return Page(entries=tuple(page), count=len(found), more=query.offset + query.limit < len(found))

    async def find_batch(self, sender: Sender, batch_id: int) -> Batch | None:
        batch = self.batches.get(batch_id)
        return batch if batch and (batch.account_id, batch.mode) == (sender.account_id, sender.mode) else None

    async def find_batches(self, sender: Sender, query: BatchQuery) -> Page[Batch]:
        found = [
            batch
            for batch in sorted(self.batches.values(), key=lambda batch: -batch.id)
            if batch.dialect == query.dialect and (not query.statuses or batch.status in query.statuses)
        ]
        return Page(entries=tuple(found[query.offset : query.offset + query.limit]), count=len(found))

    async def find_items(self, sender: Sender, query: ItemQuery) -> Page[Item]:
        items = [item for item in self.items[query.batch_id] if item.position > query.after_position]
        return Page(entries=tuple(items[: query.limit]), more=len(items) > query.limit)


class Server:
    """One account's view of the dialect: sends a request through routing and refusals, as the guard would."""

    def __init__(self, settings: Settings | None = None, limits: Limits | None = None) -> None:
        self.store = Memory()
        limits = limits or Limits()
        self.dialect = build(Mill(self.store, limits), limits, settings or Settings())  # type: ignore[arg-type]
        self.router = Router(self.dialect)

    def send(self, method: str, path: str, body: Any = None, **given: Any) -> Reply:
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        mode = given.pop("mode", Mode.LIVE)
        request = Request(
            method=method, path=path, raw_query=query.encode(), headers={}, body=sent, now=self.store.clock,
            request_id=given.pop("request_id", "req_1"), base_url="https://mill.example",
            sender=Sender(account_id=1, mode=mode, key_id="k"), **given,
        )  # fmt: skip
        try:
            route, request.params = self.router.find(method, path)
            return asyncio.run(route.handler(request))  # type: ignore[arg-type]
        except Refusal as refusal:
            return self.dialect.write_refusal(refusal, request)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **given: Any) -> Any:
        reply = self.send(method, path, body, **given)
        assert reply.status == status, reply.body
        return json.loads(reply.body)


def order(reference: str = "A-1", **changes: Any) -> dict[str, Any]:
    return {
        "order_id": reference,
        "order_date": "2024-07-29",
        "shipping_to": {"country_code": "DE", "person_name": "Anna Schmidt", "email": "Anna@example.com"},
        "line_items": [{"weight": 0.5, "weight_unit": "KG", "title": "Cup", "quantity": 2, "value_amount": 4.95}],
    } | changes


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_recorded_requests_are_answered_as_recorded(path: Path) -> None:
    pair = json.loads(path.read_text())
    server = Server(msgspec.convert(pair.get("settings", {}), Settings))
    for earlier in pair.get("before", ()):
        server.send(earlier["method"], earlier["path"], earlier.get("body"))
    request = pair["request"]
    body = request.get("body")
    reply = server.send(request["method"], request["path"], body.encode() if isinstance(body, str) else body)
    assert reply.status == pair["reply"]["status"]
    assert json.loads(reply.body) == pair["reply"]["body"]


def test_recorded_pairs_are_there() -> None:
    assert len(GOLDEN) >= 15


def test_every_refusal_has_a_word_here() -> None:
    assert set(ERRORS) == set(REFUSALS)
    server = Server()
    request = Request("GET", "/v1/orders", b"", {}, b"", "req_1", NOW)
    for kind in REFUSALS:
        reply = server.dialect.write_refusal(kind(), request)
        (error,) = json.loads(reply.body)["errors"]
        assert reply.status == ERRORS[kind][0]
        assert isinstance(error["message"], str)
        assert isinstance(error["code"], str)
        assert isinstance(error["details"], dict)


def test_a_bad_order_fails_alone_and_the_headers_count() -> None:
    server = Server()
    reply = server.send("POST", "/v1/batches/orders", {"orders": [order("A-1"), {"order_id": "A-2"}, order("A-3")]})
    headers = dict(reply.headers)
    operation = json.loads(reply.body)
    assert reply.status == 200
    assert operation["status"] == "completed_with_errors"
    assert [resource["status"] for resource in operation["resources"]] == ["completed", "failed", "completed"]
    assert operation["resources"][1]["errors"] == {
        "shipping_to": ["This field is required."],
        "line_items": ["This field is required."],
    }
    assert headers["ordermill-batch-id"] == operation["id"]
    assert (headers["ordermill-accepted"], headers["ordermill-rejected"]) == ("2", "1")
    assert headers["x-test-mode"] == "False"
    assert server.ask("GET", f"/v1/batches/operations/{operation['id']}") == operation


def test_a_batch_of_nothing_but_bad_orders_failed() -> None:
    operation = Server().ask("POST", "/v1/batches/orders", {"orders": [{}, 1, None]})
    assert operation["status"] == "failed"
    assert operation["resources"][1]["errors"] == {
        "non_field_errors": ["Invalid data. Expected a dictionary, but got int."]
    }
    assert len({resource["id"] for resource in operation["resources"]}) == 3


def test_all_or_nothing_names_every_fault_and_stores_nothing() -> None:
    server = Server(Settings(all_or_nothing=True))
    body = {"orders": [order(), order("A-2", line_items=[{"weight": "x", "weight_unit": "kgs"}])]}
    answer = server.ask("POST", "/v1/batches/orders", body, status=400)
    assert [error["details"] for error in answer["errors"]] == [
        {"orders[1].line_items[0].weight": ["A valid number is required."]},
        {"orders[1].line_items[0].weight_unit": ['"kgs" is not a valid choice. Did you mean "KG"?']},
    ]
    assert not server.store.orders


def test_too_many_orders_are_refused_whole() -> None:
    server = Server(limits=Limits(orders=2))
    assert server.send("POST", "/v1/batches/orders", {"orders": [order("1"), order("2")]}).status == 200
    answer = server.ask("POST", "/v1/batches/orders", {"orders": [order(str(n)) for n in range(3)]}, status=400)
    assert answer["errors"][0]["details"] == {"orders": ["Ensure this field has no more than 2 elements."]}


def test_repeating_a_batch_is_harmless_and_gives_the_same_ids() -> None:
    server = Server()
    body = {"orders": [order("A-1"), order("A-2"), order("A-1", source="POS"), order("A-1")]}
    first, second = (server.ask("POST", "/v1/batches/orders", body)["resources"] for _ in range(2))
    assert first == second
    assert first[0]["id"] == first[3]["id"] != first[2]["id"]
    assert len(server.store.orders) == 3


def test_an_order_taken_singly_twice_is_a_conflict_until_it_is_cancelled() -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    again = server.ask("POST", "/v1/orders", order(), status=409)
    assert again["errors"][0]["code"] == "duplicate_order_id"
    server.ask("POST", f"/v1/orders/{created['id']}/cancel")
    anew = server.ask("POST", "/v1/orders", order(), status=201)
    assert anew["id"] != created["id"]
    assert server.ask("GET", f"/v1/orders/{created['id']}")["status"] == "cancelled"


def test_a_single_order_is_shown_as_it_was_answered() -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201, request_id="mine-1")
    assert server.ask("GET", f"/v1/orders/{created['id']}") == created
    assert created["meta"] == {"request_id": "mine-1"}
    assert created["line_items"][0]["unfulfilled_quantity"] == 2
    assert created["created_at"] == "2024-07-29 15:51:28.071000+00:00"


def test_cancel_takes_the_request_id_and_works_once() -> None:
    server = Server()
    server.ask("POST", "/v1/orders", order(), status=201, request_id="mine-1")
    assert server.ask("POST", "/v1/orders/mine-1/cancel")["status"] == "cancelled"
    again = server.ask("DELETE", "/v1/orders/mine-1", status=409)
    assert again["errors"][0]["code"] == "state_error"
    assert server.ask("GET", "/v1/orders/mine-1", status=404)["errors"][0]["message"] == "Order not found"


def test_put_merges_removes_and_ignores() -> None:
    server = Server()
    sent = order(options={"currency": "EUR", "paid_by": "sender"}, metadata={"a": 1, "b": {"deep": [1]}})
    created = server.ask("POST", "/v1/orders", sent, status=201)
    change = (
        b'{"options": {"paid_by": null, "weight": 1.10}, "metadata": {"a": 123456789.1234567890123}, "order_id": "X"}'
    )
    reply = server.send("PUT", f"/v1/orders/{created['id']}", change)
    assert b"123456789.1234567890123" in reply.body
    changed = json.loads(reply.body)
    assert changed["options"] == {"currency": "EUR", "weight": 1.1}
    assert changed["metadata"]["b"] == {"deep": [1]}
    assert changed["order_id"] == "A-1"
    assert server.ask("GET", f"/v1/orders/{created['id']}") == changed


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"metadata": null}', "metadata"),
        (b'{"options": []}', "options"),
        (b"[]", "non_field_errors"),
        (b'{"metadata": 1.5}', "metadata"),
        (b'{"metadata": {"a": 1, "a": 2}}', "a"),
        (b'{"metadata": {"a": "\\u0000"}}', "metadata"),
    ],
)
def test_put_refuses_what_is_no_object(body: bytes, path: str) -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    answer = server.ask("PUT", f"/v1/orders/{created['id']}", body, status=400)
    assert list(answer["errors"][0]["details"]) == [path]


def test_a_number_with_a_point_is_called_a_float_wherever_it_stands() -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    faulty = order("A-2", shipping_to=1.5, line_items=1.5, options=1.5)
    refused = server.ask("POST", "/v1/orders", faulty, status=400)["errors"]
    refused += server.ask("PUT", f"/v1/orders/{created['id']}", {"metadata": 1.5}, status=400)["errors"]
    refused += server.ask("PUT", f"/v1/orders/{created['id']}", b"1.5", status=400)["errors"]
    assert [error["message"] for error in refused] == [
        "shipping_to.non_field_errors: Invalid data. Expected a dictionary, but got float.",
        'line_items.non_field_errors: Expected a list of items but got type "float".',
        'options: Expected a dictionary of items but got type "float".',
        'metadata: Expected a dictionary of items but got type "float".',
        "non_field_errors: Invalid data. Expected a dictionary, but got float.",
    ]


def test_put_does_not_revive_a_cancelled_order() -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    server.ask("DELETE", f"/v1/orders/{created['id']}")
    changed = server.ask("PUT", f"/v1/orders/{created['id']}", {"metadata": {"note": "x"}})
    assert (changed["status"], changed["metadata"]) == ("cancelled", {"note": "x"})
    assert next(iter(server.store.orders.values())).released


@pytest.mark.parametrize("status", ["fulfilled", "delivered"])
def test_put_on_a_fulfilled_order_takes_metadata_only(status: str) -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    (number,) = server.store.orders
    server.store.orders[number] = msgspec.structs.replace(server.store.orders[number], status=status)
    path = f"/v1/orders/{created['id']}"
    assert server.ask("PUT", path, {"options": {}, "metadata": {}}, status=409)["errors"][0]["code"] == "state_error"
    assert server.ask("PUT", path, {"metadata": {"a": 1}})["metadata"] == {"a": 1}
    assert server.ask("POST", f"{path}/cancel", status=409)["errors"][0]["code"] == "state_error"


def test_answers_are_remembered_as_they_are_given() -> None:
    server = Server()
    created = server.send("POST", "/v1/orders", order(), memo_key="k1")
    number = json.loads(created.body)["id"]
    changed = server.send("PUT", f"/v1/orders/{number}", {"metadata": {"a": 1}}, memo_key="k2")
    batch = server.send("POST", "/v1/batches/orders", {"orders": [order("B"), {}]}, memo_key="k3")
    assert server.store.answers == [created.body, changed.body, batch.body]


def test_other_modes_and_other_dialects_orders_are_not_there() -> None:
    server = Server()
    created = server.ask("POST", "/v1/orders", order(), status=201)
    operation = server.ask("POST", "/v1/batches/orders", {"orders": [order()]})
    for path in (f"/v1/orders/{created['id']}", f"/v1/batches/operations/{operation['id']}"):
        assert server.send("GET", path, mode=Mode.TEST).status == 404
    (number,) = server.store.orders
    server.store.orders[number] = msgspec.structs.replace(server.store.orders[number], dialect="brevo")
    server.store.batches[2] = msgspec.structs.replace(server.store.batches[2], dialect="brevo")
    assert server.send("GET", f"/v1/orders/{created['id']}").status == 404
    assert server.send("GET", f"/v1/batches/operations/{operation['id']}").status == 404
    assert server.ask("GET", "/v1/batches/operations")["count"] == 0


def test_test_keys_make_test_orders() -> None:
    server = Server()
    reply = server.send("POST", "/v1/orders", order(), mode=Mode.TEST)
    assert ("x-test-mode", "True") in reply.headers
    assert json.loads(reply.body)["test_mode"] is True


def listed(server: Server, query: str) -> list[str]:
    return [entry["order_id"] for entry in server.ask("GET", f"/v1/orders?{query}")["results"]]


def test_orders_are_filtered_by_everything_the_contract_names() -> None:
    server = Server()
    one = server.ask("POST", "/v1/orders", order("A-1", metadata={"shop": "x"}), status=201, request_id="r1")
    server.store.clock += 3_600_000_000
    server.ask("POST", "/v1/orders", order("A-2", source="POS", options={"paid_by": "sender"}), status=201)
    server.ask("DELETE", f"/v1/orders/{one['id']}")
    assert listed(server, "") == ["A-2", "A-1"]
    assert listed(server, f"id={one['id']},ord_{'0' * 32}") == ["A-1"]
    assert listed(server, "id=nonsense") == []
    assert listed(server, "order_id=A-1,A-9") == ["A-1"]
    assert listed(server, "source=POS,ERP") == ["A-2"]
    assert listed(server, "status=cancelled&status=partial") == ["A-1"]
    assert listed(server, "created_after=2024-07-29T16:51:28.071Z") == ["A-2"]
    assert listed(server, "created_before=2024-07-29T17:51:28.071+02:00") == ["A-1"]
    assert listed(server, "created_before=2024-07-29T15:51:28.071%2B00:00") == ["A-1"]
    assert listed(server, "keyword=anna") == ["A-2", "A-1"]
    assert listed(server, "keyword=pos") == ["A-2"]
    assert listed(server, "address=schmidt") == ["A-2", "A-1"]
    assert listed(server, "address=pos") == []
    assert listed(server, "option_key=paid_by") == ["A-2"]
    assert listed(server, "option_value=sender") == ["A-2"]
    assert listed(server, "metadata_key=shop") == ["A-1"]
    assert listed(server, "metadata_value=x") == ["A-1"]
    assert listed(server, "request_id=r1") == ["A-1"]
    assert listed(server, "is_archived=true") == []
    assert listed(server, "is_archived=false&source=") == ["A-2", "A-1"]


@pytest.mark.parametrize("query", ["created_after=yesterday", "status=open", "created_before=2024-13-01", "source=%00"])
def test_a_filter_that_cannot_be_read_is_refused(query: str) -> None:
    answer = Server().ask("GET", f"/v1/orders?{query}", status=400)
    assert answer["errors"][0]["code"] == "validation"
    assert list(answer["errors"][0]["details"]) == [query.partition("=")[0]]


def test_pages_link_to_each_other_and_keep_the_filters() -> None:
    server = Server()
    server.ask("POST", "/v1/batches/orders", {"orders": [order(str(number)) for number in range(5)]})
    first = server.ask("GET", "/v1/orders?source=API&limit=2")
    assert first["count"] == 5
    assert first["previous"] is None
    assert first["next"] == "https://mill.example/v1/orders?source=API&limit=2&offset=2"
    second = server.ask("GET", first["next"].removeprefix("https://mill.example"))
    assert second["previous"] == "https://mill.example/v1/orders?source=API&limit=2"
    last = server.ask("GET", second["next"].removeprefix("https://mill.example"))
    assert (last["next"], len(last["results"])) == (None, 1)
    assert server.ask("GET", "/v1/orders?offset=50")["results"] == []
    for odd in ("limit=0", "limit=x", "limit=-1", "offset=-3", "limit=99999999999999999999"):
        assert len(server.ask("GET", f"/v1/orders?{odd}")["results"]) == 5


def test_operations_are_listed_and_filtered() -> None:
    server = Server()
    good = server.ask("POST", "/v1/batches/orders", {"orders": [order()]})
    bad = server.ask("POST", "/v1/batches/orders", {"orders": [{}]})
    assert server.ask("GET", "/v1/batches/operations")["results"] == [bad, good]
    assert server.ask("GET", "/v1/batches/operations?status=completed&status=running")["results"] == [good]
    assert server.ask("GET", "/v1/batches/operations?resource_type=shipments")["count"] == 0
    assert server.ask("GET", "/v1/batches/operations?resource_type=shipments&resource_type=orders")["count"] == 2
    for query in ("status=done", "resource_type=people"):
        assert server.send("GET", f"/v1/batches/operations?{query}").status == 400
    assert server.send("GET", "/v1/batches/operations/batch_x").status == 404


def test_a_page_of_operations_ends_early_and_nothing_is_skipped_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "RESOURCES_MAX", 10)
    server = Server()
    made = [server.ask("POST", "/v1/batches/orders", {"orders": [{}] * size}) for size in (3, 9, 1, 20, 4, 5, 1, 1, 2)]
    made.reverse()
    walked: list[Any] = []
    path = "/v1/batches/operations?status=failed&limit=4"
    while path:
        page = server.ask("GET", path)
        results = page["results"]
        assert page["count"] == len(made)
        assert results, path
        assert len(results) <= 4
        assert len(results) == 1 or sum(len(operation["resources"]) for operation in results) <= 10
        walked += results
        last = path
        path = page["next"] and local(page["next"])
    assert walked == made
    assert "status=failed" in last
    found: list[str] = []
    last = f"/v1/batches/operations?limit=4&offset={len(made) + 1}"  # beyond the end, and back from there
    while last:
        page = server.ask("GET", last)
        found += [operation["id"] for operation in page["results"]]
        last = page["previous"] and local(page["previous"])
    assert set(found) == {operation["id"] for operation in made}
    assert len(server.ask("GET", "/v1/batches/operations?offset=5")["results"]) == 1, "an operation is shown whole"
    assert server.ask("GET", "/v1/batches/operations?offset=50")["results"] == []


def local(url: str) -> str:
    return url[url.index("/v1") :]


def test_an_operation_with_many_pages_of_items_is_shown_whole() -> None:
    server = Server()
    operation = server.ask("POST", "/v1/batches/orders", {"orders": [{}] * 2_500})
    assert server.ask("GET", f"/v1/batches/operations/{operation['id']}") == operation
    assert len(operation["resources"]) == 2_500


def test_keys_are_read_as_token_and_basic_and_never_as_bearer() -> None:
    def basic(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    assert read_key({"authorization": "Token abc"}) == "abc"
    assert read_key({"authorization": "TOKEN  abc "}) == "abc"
    assert read_key({"authorization": basic("abc:")}) == "abc"
    assert read_key({"authorization": basic("abc")}) == "abc"
    for text in ("Bearer abc", "abc", "Token", "Basic ???", basic("abc:secret"), basic(":"), "Basic /w=="):
        assert read_key({"authorization": text}) is None
    assert read_key({}) is None


@pytest.mark.parametrize(
    ("header", "code", "hinted"),
    [
        ({}, "not_authenticated", False),
        ({"authorization": "Bearer abc"}, "invalid_token", True),
        ({"authorization": "token abc"}, "invalid_token", False),
        ({"authorization": "Basic YWJjOg=="}, "invalid_token", False),
    ],
)
def test_a_key_in_another_form_is_told_the_right_one(header: dict[str, str], code: str, hinted: bool) -> None:
    request = Request("GET", "/v1/orders", b"", header, b"", "req_1", NOW)
    (error,) = json.loads(Server().dialect.write_refusal(Unauthorized("no"), request).body)["errors"]
    assert (error["code"], "Authorization: Token" in error["message"]) == (code, hinted)


def test_an_unknown_id_is_not_found() -> None:
    server = Server()
    unknown = ids.spell("ord", 1, Mode.LIVE, 99)
    assert server.ask("GET", f"/v1/orders/{unknown}", status=404)["errors"][0]["code"] == "not_found"
    with pytest.raises(NotFound):
        asyncio.run(Mill(server.store, Limits()).get_order(Sender(account_id=1, mode=Mode.LIVE, key_id="k"), 99))  # type: ignore[arg-type]
