"""What is announced of what is settled, to whom it is owed, and that a receiver gets it and can verify it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from delivery.house import House
from delivery.receiver import Receiver
from jsonschema import Draft202012Validator
from ledgers import SECOND, Clock, bad, order, put, put_one, sender, submission
from standardwebhooks.webhooks import Webhook

from ordermill.core.batch import Problem, Sender
from ordermill.core.delivery import DeliveryState, Endpoint, EndpointState, Format
from ordermill.core.delivery_query import DeliveryQuery, EventQuery
from ordermill.core.event import BODY_BYTES_MAX, ERRORS_TOLD_MAX, Event, EventType, facts_of, parse_message
from ordermill.core.memo import Answer, Memo
from ordermill.core.order import Mode, Order
from ordermill.delivery.signing import verify
from ordermill.store.ledger import Ledger
from ordermill.web.event_types import schema_of

pytestmark = pytest.mark.anyio


async def events(ledger: Ledger, who: Sender, **query: Any) -> list[Event]:
    """Oldest first."""
    page = await ledger.outbox.find_events(who, EventQuery(limit=1000, **query))
    return sorted(page.entries, key=lambda event: event.id)


async def types(ledger: Ledger, who: Sender) -> list[str]:
    return [event.type.value for event in await events(ledger, who)]


async def listening(ledger: Ledger, who: Sender, **facts: Any) -> Endpoint:
    house = House(ledger)
    return await house.endpoint(who, "https://receiver.example/hook", **facts)


async def test_orders_and_batches_reach_a_receiver_that_can_verify_them(ledger: Ledger) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url)
        await put(ledger, who, order("A"), order("B"), bad("2"))
        await house.turn()
        assert sorted(json.loads(got.body)["type"] for got in receiver.got) == [
            "batch.completed_with_errors",
            "order.created",
            "order.created",
        ]
        for got in receiver.got:
            assert got.headers["content-type"] == "application/json"
            assert Webhook(endpoint.secret).verify(got.body, got.headers) == json.loads(got.body)
        done = await house.deliveries(who)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        written = {event.message_id: event.body for event in await events(ledger, who)}
        assert {got.headers["webhook-id"]: got.body for got in receiver.got} == written


async def test_what_an_update_announces(ledger: Ledger) -> None:
    who = sender()
    await listening(ledger, who)
    await put_one(ledger, who, order("A", at=1, status="open", amount="10.00"))
    await put_one(ledger, who, order("A", at=2, status="open", amount="11.00"))
    await put_one(ledger, who, order("A", at=3, status="paid", amount="11.00"))
    found = await events(ledger, who)
    assert [event.type.value for event in found] == [
        "order.created", "order.updated", "order.updated", "order.status_changed",
    ]  # fmt: skip
    facts = [facts_of(event) for event in found]
    assert facts[1]["changes"] == ["amount", "content"]
    assert facts[2]["changes"] == ["status", "content"]
    assert facts[3]["previousStatus"] == "open"
    assert [fact["version"] for fact in facts] == [1, 2, 3, 3]
    assert {fact["orderId"] for fact in facts} == {facts[0]["orderId"]}
    assert facts[0]["batchId"] is None


async def test_what_announces_nothing(ledger: Ledger) -> None:
    who = sender()
    await listening(ledger, who)
    await put_one(ledger, who, order("A", at=5), announce=False)
    assert await types(ledger, who) == []
    await put_one(ledger, who, order("A", at=5))
    await put_one(ledger, who, order("A", at=4, content=9))
    assert await types(ledger, who) == []
    await put(ledger, who, order("B"), order("C"), announce=False)
    assert await types(ledger, who) == ["batch.completed"]
    await put_one(ledger, who, order("A", at=6, content=10))
    assert (await types(ledger, who))[-1] == "order.updated"


async def test_versions_of_one_order_in_one_batch_are_announced_in_their_order(ledger: Ledger) -> None:
    who = sender()
    await listening(ledger, who)
    await put(ledger, who, order("A", at=1), order("A", at=2, status="paid"), order("A", at=1, content=3))
    found = await events(ledger, who, order_id=(await events(ledger, who))[0].order_id)
    assert [facts_of(event)["version"] for event in found] == [1, 2, 2]


async def test_an_amendment_is_an_update(ledger: Ledger) -> None:
    who = sender()
    await listening(ledger, who)
    item = await put_one(ledger, who, order("A"))

    def cancel(current: Order) -> Any:
        return order("A", at=None, status="cancelled", released=True, content=77)

    assert item.order_id is not None
    await ledger.amend(who, item.order_id, cancel)
    assert await types(ledger, who) == ["order.created", "order.updated", "order.status_changed"]


async def test_without_an_endpoint_only_batches_are_announced(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order("A"))
    await put_one(ledger, who, order("B"))
    assert await types(ledger, who) == ["batch.completed"]


async def test_a_disabled_endpoint_misses_deliveries_but_no_event_is_lost(ledger: Ledger) -> None:
    who = sender()
    house = House(ledger)
    endpoint = await listening(ledger, who)
    await ledger.outbox.change_endpoint(
        who, endpoint.id, lambda known: msgspec.structs.replace(known, state=EndpointState.DISABLED)
    )
    await put(ledger, who, order("A"))
    assert await house.deliveries(who) == ()
    assert await types(ledger, who) == ["order.created", "batch.completed"]


async def test_accounts_and_modes_hear_only_of_their_own(ledger: Ledger) -> None:
    live = sender()
    test = Sender(account_id=live.account_id, mode=Mode.TEST, key_id="k")
    house = House(ledger)
    endpoint = await house.endpoint(live, "https://receiver.example/")
    in_test = await house.endpoint(test, "https://receiver.example/")
    await put(ledger, sender(), order("A"))
    await put_one(ledger, test, order("A"))
    assert await house.deliveries(live) == ()
    (owed,) = await house.deliveries(test)
    assert (owed.endpoint_id, owed.mode) == (in_test.id, Mode.TEST)
    assert facts_of((await events(ledger, test))[0])["test_mode"] is True
    assert await ledger.outbox.find_endpoint(test, endpoint.id) is None
    assert await ledger.outbox.find_delivery(live, owed.id) is None
    assert await ledger.outbox.find_attempts(live, owed.id) == ()
    assert await ledger.outbox.find_event(live, owed.event_id) is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((order("A"), order("B")), "batch.completed"),
        ((order("A"), bad("1")), "batch.completed_with_errors"),
        ((bad("0"), bad("1")), "batch.failed"),
    ],
)
async def test_a_batch_is_announced_once_when_it_is_final(
    ledger: Ledger, entries: tuple[Any, ...], expected: str
) -> None:
    who = sender()
    settled = await put(ledger, who, *entries)
    (event,) = await events(ledger, who)
    assert settled.batch is not None
    assert (event.type.value, event.batch_id) == (expected, settled.batch.id)
    facts = facts_of(event)
    assert facts["count"] == 2 == facts["succeeded"] + facts["failed"]


async def test_a_batch_in_chunks_is_announced_with_the_errors_of_all_of_them(ledger: Ledger) -> None:
    who = sender()
    first = await ledger.settle(who, submission(order("A"), bad("1")), last=False)
    assert first.batch is not None
    assert await types(ledger, who) == []
    chunk = submission(bad("2"), order("B"))
    await ledger.settle(who, chunk, into=(first.batch.id, 2), last=True)
    (event,) = await events(ledger, who)
    assert event.type is EventType.BATCH_COMPLETED_WITH_ERRORS
    assert [error["index"] for error in facts_of(event)["errors"]] == [1, 2]


async def test_a_batch_event_stays_small_however_much_went_wrong(ledger: Ledger) -> None:
    who = sender()
    long = Problem(code="too_long", message="€" * 2_000, field="f" * 500)
    await put(ledger, who, *(bad(str(place), long, reference="r" * 255) for place in range(ERRORS_TOLD_MAX + 50)))
    (event,) = await events(ledger, who)
    facts = facts_of(event)
    assert len(event.body) <= BODY_BYTES_MAX
    assert facts["errorsTruncated"] is True
    assert 5 < len(facts["errors"]) < ERRORS_TOLD_MAX
    await put(ledger, who, *(bad(str(place)) for place in range(ERRORS_TOLD_MAX)))
    facts = facts_of((await events(ledger, who))[-1])
    assert (len(facts["errors"]), facts["errorsTruncated"]) == (ERRORS_TOLD_MAX, False)


async def test_every_body_is_as_its_schema_says(ledger: Ledger) -> None:
    who = sender()
    await listening(ledger, who)
    await put(ledger, who, order("A", at=1), bad("1"), notify_url="https://a.example/x")
    await put(ledger, who, order("A", at=2, status="paid", amount=None, currency=None))
    for event in await events(ledger, who):
        Draft202012Validator(schema_of(event.type)).validate(json.loads(event.body))
        assert len(event.body) <= BODY_BYTES_MAX
        assert parse_message(event.message_id, who.account_id) == event.id


async def test_the_secret_of_notify_urls_is_changed_with_an_overlap_of_a_day(ledger: Ledger, clock: Clock) -> None:
    who = sender(1)
    before = (await ledger.outbox.find_account(1)).notify_secret
    account = await ledger.outbox.rotate_notify_secret(1)
    assert account.notify_secret != before
    assert account.old_notify_secret_until == clock.now + 86_400 * SECOND
    async with Receiver() as receiver, House(ledger) as house:
        url = f"http://127.0.0.1:{receiver.port}/"
        for _ in range(2):
            await put(ledger, who, order("N1"), notify_url=url)
            await house.turn()
            clock.advance(86_400)
        signatures = [len(got.headers["webhook-signature"].split()) for got in receiver.got]
        assert signatures == [2, 1]
        for got, secret in zip(receiver.got * 2, (before, account.notify_secret, account.notify_secret), strict=False):
            verify([secret], got.headers, got.body, int(got.headers["webhook-timestamp"]))


async def test_notify_url_is_called_once_with_its_path_and_query_as_sent(ledger: Ledger) -> None:
    who = sender(1)
    async with Receiver() as receiver, House(ledger) as house:
        url = f"http://127.0.0.1:{receiver.port}/hooks/%7Bid%7d?a=1&b=%20&c=/../x"
        settled = await put(ledger, who, order("N1"), bad("1", reference="15"), notify_url=url, announce=False)
        assert settled.batch is not None
        assert await ledger.outbox.find_notification(who, settled.batch.id) is DeliveryState.PENDING
        await house.turn()
        (got,) = receiver.got
        assert got.path == "/hooks/%7Bid%7d?a=1&b=%20&c=/../x"
        Webhook((await ledger.outbox.find_account(1)).notify_secret).verify(got.body, got.headers)
        body = json.loads(got.body)
        top = {"batchId": settled.batch.id, "count": 2}
        assert {name: body[name] for name in ("type", "status", *top)} == {
            "type": "batch.completed", "status": "completed_with_errors", **top,
        }  # fmt: skip
        assert body["data"]["errors"] == [
            {"index": 1, "id": "15", "code": "invalid_parameter", "message": "must be a number"}
        ]
        assert {name: body["data"][name] for name in ("succeeded", "failed", "errorsTruncated", *top)} == {
            "succeeded": 1, "failed": 1, "errorsTruncated": False, **top,
        }  # fmt: skip
        # The names of the contract page, for a receiver that knows nothing of `data`.
        assert {name: body[name] for name in ("batch_id", "successCount", "failedCount", "historical")} == {
            "batch_id": settled.batch.id, "successCount": 1, "failedCount": 1, "historical": True,
        }  # fmt: skip
        assert (body["errors"], body["completedAt"]) == (body["data"]["errors"], body["data"]["completedAt"])
        assert body["createdAt"] <= body["completedAt"]
        assert await ledger.outbox.find_notification(who, settled.batch.id) is DeliveryState.DELIVERED


async def test_the_call_to_a_notify_url_stays_small_although_it_tells_the_errors_twice(ledger: Ledger) -> None:
    who = sender(1)
    async with Receiver() as receiver, House(ledger) as house:
        failed = [bad(str(place), reference=f"{place}-{'x' * 150}") for place in range(ERRORS_TOLD_MAX)]
        await put(ledger, who, *failed, notify_url=f"{receiver.url}/n", announce=False)
        await house.turn()
        (got,) = receiver.got
        body = json.loads(got.body)
        assert len(got.body) <= BODY_BYTES_MAX
        assert 0 < len(body["errors"]) < ERRORS_TOLD_MAX == body["failedCount"]
        assert body["errors"] == body["data"]["errors"]
        assert body["data"]["errorsTruncated"] is True


async def test_cloud_events_are_what_their_own_library_reads(ledger: Ledger) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url, format=Format.CLOUDEVENTS)
        await put_one(ledger, who, order("A"))
        await house.turn()
        (got,) = receiver.got
        (event,) = await events(ledger, who)
        Webhook(endpoint.secret).verify(got.body, got.headers)
        read = from_http_event(HTTPMessage(headers=got.headers, body=got.body), JSONFormat())
        assert read.get_id() == got.headers["webhook-id"] == event.message_id
        assert read.get_type() == "com.ordermill.order.created"
        assert read.get_source() == f"/accounts/{who.account_id}"
        assert read.get_subject() == facts_of(event)["orderId"]
        assert read.get_data() == facts_of(event)
        assert got.headers["content-type"] == "application/cloudevents+json"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((), {"order.created", "batch.completed"}),
        (("order.*",), {"order.created"}),
        (("batch.completed",), {"batch.completed"}),
        (("order.updated",), set()),
    ],
)
async def test_an_endpoint_is_owed_what_it_asked_for(
    ledger: Ledger, wanted: tuple[str, ...], expected: set[str]
) -> None:
    who = sender()
    house = House(ledger)
    await listening(ledger, who, events=wanted)
    await put(ledger, who, order("A"))
    assert {entry.event_type.value for entry in await house.deliveries(who)} == expected


async def test_events_and_what_they_tell_of_are_there_together_or_not_at_all(ledger: Ledger) -> None:
    """The transaction fails after the events were written."""
    who = sender()
    await listening(ledger, who)

    def broken(_settled: object) -> Answer:
        raise RuntimeError("here")

    with pytest.raises(RuntimeError, match="here"):
        await ledger.settle(who, submission(order("A")), Memo("key", b"", broken))
    assert await types(ledger, who) == []
    assert await House(ledger).deliveries(who) == ()


async def test_a_page_of_events_or_deliveries_goes_on_where_it_ended(ledger: Ledger) -> None:
    who = sender()
    house = House(ledger)
    await listening(ledger, who)
    await put(ledger, who, *(order(f"O{number}") for number in range(7)))
    whole = [event.id for event in (await ledger.outbox.find_events(who, EventQuery(limit=100))).entries]
    assert len(whole) == 8
    seen: list[int] = []
    behind = None
    while True:
        page = await ledger.outbox.find_events(who, EventQuery(limit=3, behind=behind))
        seen += [event.id for event in page.entries]
        if not page.more:
            break
        behind = page.entries[-1].id
    assert seen == whole
    everything = [entry.id for entry in await house.deliveries(who)]
    half = await ledger.outbox.find_deliveries(who, DeliveryQuery(limit=4))
    rest = await ledger.outbox.find_deliveries(who, DeliveryQuery(limit=100, behind=half.entries[-1].id))
    assert [entry.id for entry in (*half.entries, *rest.entries)] == everything
