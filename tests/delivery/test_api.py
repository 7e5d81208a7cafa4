"""Events out as clients see it: our own API, Karrio's webhooks, Brevo's notifyUrl, through the whole of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from asgi_caller import Called, call
from delivery.house import until
from delivery.receiver import OK, Receiver, answering, status
from jsonschema import Draft202012Validator
from standardwebhooks.webhooks import Webhook

from ordermill import app
from ordermill.config import BadConfig, Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key

pytestmark = pytest.mark.anyio
BREVO_ORDER = {
    "id": "14", "createdAt": "2021-07-29T10:59:23.383Z", "updatedAt": "2021-07-30T10:59:23.383Z",
    "status": "completed", "amount": 308.42, "products": [{"productId": "21", "quantity": 2, "price": 99.99}],
}  # fmt: skip
KARRIO_ORDER = {
    "order_id": "1073459962", "shipping_to": {"country_code": "US", "person_name": "John"},
    "line_items": [{"weight": 1, "weight_unit": "KG"}],
}  # fmt: skip


class Client:
    """Calls the application of a house with one key, in the header each contract wants."""

    def __init__(self, house: app.House, key: str, account_id: int) -> None:
        self.house = house
        self.key = key
        self.account_id = account_id

    async def __call__(self, method: str, path: str, body: Any = None) -> Called:
        header = {"/v1": f"Token {self.key}", "/v3": f"Bearer {self.key}", "/ap": f"Bearer {self.key}"}[path[:3]]
        sent = b"" if body is None else json.dumps(body).encode()
        return await call(self.house.web, method, path, sent, {"authorization": header})

    async def ok(self, method: str, path: str, body: Any = None, expected: int = 200) -> Any:
        answer = await self(method, path, body)
        assert answer.status == expected, answer.body
        return json.loads(answer.body) if answer.body else None


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    postgres = request.param == "postgres"
    return Config(
        data=str(tmp_path_factory.mktemp("data")),
        database_url=request.getfixturevalue("postgres_database") if postgres else "",
        access_log=False,
        webhook_allow="127.0.0.0/8",
        webhook_retries="0s,0.2s,1h",
        karrio_event_id=True,
    )


@pytest.fixture
async def house(config: Config) -> AsyncIterator[app.House]:
    engine = app.make_engine(config)
    app.prepare(engine, config)
    house = app.House(config, engine)
    house.pipeline.start()
    yield house
    await house.pipeline.stop()
    house.close()


async def make_client(house: app.House, account_id: int, mode: Mode = Mode.LIVE, scope: Scope = Scope.ADMIN) -> Client:
    key, secret = new_key(account_id, "tests", mode, (scope,), rate_limit=None, expires_at=None)
    await house.ledger.save_key(key)
    return Client(house, secret, account_id)


@pytest.fixture
async def client(house: app.House) -> Client:
    """Of an account that nobody else uses."""
    account = await house.ledger.create_account(f"shop {uuid4().hex[:8]}")
    return await make_client(house, account.id)


async def test_an_endpoint_from_its_creation_to_its_end(client: Client) -> None:
    async with Receiver() as receiver:
        asked = {"url": receiver.url, "events": ["order.*"], "description": "ERP", "ordering": "strict"}
        made = await client.ok("POST", "/api/v1/endpoints", asked, 201)
        path = f"/api/v1/endpoints/{made['id']}"
        assert {name: made[name] for name in asked} == asked
        assert (made["kind"], made["state"], made["mode"]) == ("ordermill", "active", "live")
        tested = await client.ok("POST", f"{path}/test")
        assert (tested["delivered"], tested["status"], tested["error"]) == (True, 200, "")
        Webhook(made["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)
        shown = await client.ok("GET", path)
        assert shown["stats"]["delivered"] == 1
        assert "secret" not in shown
        assert (await client.ok("GET", f"{path}/secret"))["secret"] == made["secret"]
        rotated = await client.ok("POST", f"{path}/rotate-secret")
        assert rotated["secret"] != made["secret"]
        assert rotated["oldSecretUntil"]
        changed = await client.ok("PATCH", path, {"state": "paused", "events": [], "format": "cloudevents"})
        assert (changed["state"], changed["events"], changed["format"]) == ("paused", [], "cloudevents")
        await client.ok("POST", "/v3/orders/status/batch", {"orders": [BREVO_ORDER], "historical": False}, 202)
        assert (await client.ok("GET", path))["stats"]["pending"] == 2
        await client.ok("PATCH", path, {"state": "active"})
        await receiver.wait_for(3)
        await client.ok("DELETE", path, expected=204)
        for method, rest in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/secret")):
            await client.ok(method, path + rest, {} if method == "PATCH" else None, 404)
        assert (await client.ok("GET", "/api/v1/endpoints"))["data"] == []


async def test_a_receiver_that_was_down_gets_everything_and_both_logs_agree(client: Client) -> None:
    async with Receiver(answering(status(503), status(503), status(503), OK)) as receiver:
        made = await client.ok("POST", "/api/v1/endpoints", {"url": receiver.url}, 201)
        orders = [{**BREVO_ORDER, "id": str(number)} for number in range(5)]
        notify = f"http://127.0.0.1:{receiver.port}/done"
        body = {"orders": orders, "historical": False, "notifyUrl": notify}
        batch = await client.ok("POST", "/v3/orders/status/batch", body, 202)

        async def all_delivered() -> bool:
            found = await client.ok("GET", "/api/v1/deliveries?state=delivered")
            return len(found["data"]) == 7

        await until(all_delivered)
        found = (await client.ok("GET", f"/api/v1/deliveries?batchId={batch['batchId']}"))["data"]
        assert len(found) == 7
        ours = []
        for entry in found:
            detail = await client.ok("GET", f"/api/v1/deliveries/{entry['id']}")
            ours += [(detail["messageId"], attempt["status"]) for attempt in detail["log"]]
        assert sorted(message for message, _ in ours) == sorted(got.headers["webhook-id"] for got in receiver.got)
        assert [code for _, code in ours].count(503) == 3
        secrets = {"/hook": made["secret"], "/done": (await client.ok("GET", "/api/v1/notify-secret"))["secret"]}
        for got in receiver.got:
            Webhook(secrets[got.path]).verify(got.body, got.headers)
        rotated = await client.ok("POST", "/api/v1/notify-secret/rotate")
        assert rotated["secret"] != secrets["/done"]
        assert rotated["oldSecretUntil"]
        assert await client.ok("GET", "/api/v1/notify-secret") == rotated
        listed = (await client.ok("GET", "/api/v1/endpoints"))["data"]
        assert [(entry["kind"], entry["url"]) for entry in listed] == [
            ("ordermill", receiver.url), ("notify", f"http://127.0.0.1:{receiver.port}"),
        ]  # fmt: skip
        (notified,) = [entry for entry in found if entry["url"]]
        assert notified["url"] == notify


async def test_karrio_webhooks_speak_their_contract(client: Client) -> None:
    async with Receiver() as receiver:
        asked = {"url": receiver.url, "enabled_events": ["all"], "description": "shop"}
        made = await client.ok("POST", "/v1/webhooks", asked, 201)
        assert {name: made[name] for name in asked} == asked
        assert set(made) == {
            "id", "object_type", "url", "enabled_events", "description", "disabled", "last_event_at", "secret",
            "test_mode",
        }  # fmt: skip
        path = f"/v1/webhooks/{made['id']}"
        assert await client.ok("GET", path) == made
        assert (await client.ok("POST", f"{path}/test", {"payload": {"a": 1}}))["success"] is True
        operation = await client.ok("POST", "/v1/batches/orders", {"orders": [KARRIO_ORDER, {}]})
        await client.ok("POST", "/v3/orders/status", BREVO_ORDER, 204)  # another contract's: not told here
        order_id = operation["resources"][0]["id"]
        await receiver.wait_for(3)
        await client.ok("PUT", f"/v1/orders/{order_id}", {"metadata": {"x": "1"}})
        await receiver.wait_for(4)
        cancelled = await client.ok("POST", f"/v1/orders/{order_id}/cancel")
        await receiver.wait_for(5)
        bodies = [json.loads(got.body) for got in receiver.got]
        assert bodies[0]["event"] == "ping"
        assert sorted(body["event"] for body in bodies[1:3]) == ["batch_completed", "order_created"]
        assert [body["event"] for body in bodies[3:]] == ["order_updated", "order_cancelled"]
        by_event = {body["event"]: body["data"] for body in bodies}
        assert by_event["batch_completed"] == operation
        assert by_event["order_created"]["order_id"] == KARRIO_ORDER["order_id"]
        assert (by_event["order_created"]["metadata"], by_event["order_updated"]["metadata"]) == ({}, {"x": "1"})
        assert by_event["order_created"]["status"] == "unfulfilled"
        assert by_event["order_cancelled"] == cancelled
        for got in receiver.got:
            Webhook(made["secret"]).verify(got.body, got.headers)
            assert got.headers["x-event-id"] == made["secret"]
        await asyncio.sleep(0.1)
        assert len(receiver.got) == 5
        only = await client.ok("PATCH", path, {"enabled_events": ["batch_failed"], "disabled": False})
        assert only["enabled_events"] == ["batch_failed"]
        await client.ok("POST", "/v1/batches/orders", {"orders": [{}]})
        await receiver.wait_for(6)
        assert json.loads(receiver.got[-1].body)["event"] == "batch_failed"
        assert (await client.ok("GET", "/v1/webhooks"))["count"] == 1
        gone = await client.ok("DELETE", path)
        assert (gone["success"], gone["id"], gone["url"]) == (True, None, receiver.url)
        assert (await client("GET", path)).status == 404


async def test_karrio_says_no_in_its_own_words(client: Client) -> None:
    for body, fields in (
        ({}, {"url", "enabled_events"}),
        ({"url": "x", "enabled_events": ["nope"]}, {"enabled_events"}),
        ({"url": 5, "enabled_events": [], "disabled": "x", "description": ["x"]},
         {"url", "enabled_events", "disabled", "description"}),
        ({"url": "http://10.0.0.1/", "enabled_events": ["all"]}, {"url"}),
    ):  # fmt: skip
        answer = await client("POST", "/v1/webhooks", body)
        errors = json.loads(answer.body)["errors"]
        assert answer.status == 400
        assert {next(iter(error["details"])) for error in errors} == fields
    for body in ([], "x", None):
        assert (await client("POST", "/v1/webhooks", body)).status == 400
    unknown = "weh_" + "0" * 32
    for method in ("GET", "PATCH", "DELETE"):
        assert (await client(method, f"/v1/webhooks/{unknown}", {})).status == 404


REQUIRED, NULL = "This field is required.", "This field may not be null."
NO_LIST = 'Expected a list of items but got type "{}".'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, {"url": REQUIRED, "enabled_events": REQUIRED}),
        ({"url": None, "enabled_events": None}, {"url": NULL, "enabled_events": NULL}),
        ({"url": " ", "enabled_events": []},
         {"url": "This field may not be blank.", "enabled_events": "This list may not be empty."}),
        ({"url": 5, "enabled_events": "all"}, {"url": "Enter a valid URL.", "enabled_events": NO_LIST.format("str")}),
        ({"url": "http://x.example/", "enabled_events": {}}, {"enabled_events": NO_LIST.format("dict")}),
        ({"url": "http://x.example/", "enabled_events": ["all", "x", 1]},
         {"enabled_events": '"x" is not a valid choice. "1" is not a valid choice.'}),
        ({"url": "http://x.example/", "enabled_events": ["all"], "description": [], "disabled": "perhaps"},
         {"description": "Not a valid string.", "disabled": "Must be a valid boolean."}),
        ({"url": "http://x.example/", "enabled_events": ["all"], "description": "x" * 201},
         {"description": "Ensure this field has no more than 200 characters."}),
        ([], {"non_field_errors": "Invalid data. Expected a dictionary, but got list."}),
        ("x", {"non_field_errors": "Invalid data. Expected a dictionary, but got str."}),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_karrio_webhook_is_said_as_of_an_order(
    client: Client, body: Any, said: dict[str, str]
) -> None:
    refused = await client.ok("POST", "/v1/webhooks", body, 400)
    assert {path: text for error in refused["errors"] for path, (text,) in error["details"].items()} == said
    assert [error["message"] for error in refused["errors"]] == [f"{path}: {text}" for path, text in said.items()]


async def test_what_an_order_is_forgiven_a_karrio_webhook_is_too(client: Client) -> None:
    asked = {"url": " http://127.0.0.1:1024/x ", "enabled_events": ["all"], "description": 7, "disabled": "true"}
    made = await client.ok("POST", "/v1/webhooks", asked, 201)
    assert (made["url"], made["description"], made["disabled"]) == ("http://127.0.0.1:1024/x", "7", True)
    path = f"/v1/webhooks/{made['id']}"
    changed = await client.ok("PATCH", path, {"disabled": 0, "description": None, "secret": "mine", "id": "x"})
    assert changed == made | {"disabled": False, "description": None}
    assert await client.ok("PATCH", path, {}) == changed


@pytest.mark.parametrize(
    ("path", "body", "status_", "field"),
    [
        ("/api/v1/endpoints", {}, 422, "url"),
        ("/api/v1/endpoints", {"url": "http://127.0.0.1:22/"}, 422, "url"),
        ("/api/v1/endpoints", {"url": "http://192.168.0.1/"}, 422, "url"),
        ("/api/v1/endpoints", {"url": "http://x.example/", "events": ["order.shipped"]}, 422, "events[0]"),
        ("/api/v1/endpoints", {"url": "http://x.example/", "description": "x" * 1001}, 422, "description"),
        ("/api/v1/endpoints", {"url": "http://x.example/", "secret": "mine"}, 422, "secret"),
        ("/api/v1/endpoints", {"url": "nats:orders"}, 422, "url"),
        ("/api/v1/deliveries/replay", {"type": "x"}, 422, "type"),
        ("/api/v1/deliveries/replay", {"since": "yesterday"}, 422, "since"),
        ("/api/v1/deliveries/replay", {"endpointId": "12"}, 422, "endpointId"),
        ("/v3/orders/status/batch", {"orders": [BREVO_ORDER], "notifyUrl": "http://10.0.0.1/"}, 400, ""),
    ],
)
async def test_what_is_refused_names_the_field(client: Client, path: str, body: Any, status_: int, field: str) -> None:
    answer = await client("POST", path, body)
    assert answer.status == status_
    if field:
        assert json.loads(answer.body)["field"] == field
    else:
        assert b"notifyUrl" in answer.body
        assert b"ORDERMILL_WEBHOOK_ALLOW" in answer.body


async def test_nobody_sees_what_belongs_to_another_mode_or_scope(house: app.House, client: Client) -> None:
    made = await client.ok("POST", "/api/v1/endpoints", {"url": "http://x.example/"}, 201)
    test = await make_client(house, client.account_id, Mode.TEST)
    assert (await test("GET", f"/api/v1/endpoints/{made['id']}")).status == 404
    assert (await test.ok("GET", "/api/v1/endpoints"))["data"] == []
    reader = await make_client(house, client.account_id, scope=Scope.ORDERS_READ)
    assert (await reader("GET", "/api/v1/endpoints")).status == 403
    hooks = await make_client(house, client.account_id, scope=Scope.WEBHOOKS)
    assert len((await hooks.ok("GET", "/api/v1/endpoints"))["data"]) == 1


async def test_the_catalogue_describes_what_is_sent(client: Client) -> None:
    found = (await client.ok("GET", "/api/v1/event-types"))["data"]
    assert len(found) == 9
    for entry in found:
        Draft202012Validator.check_schema(entry["schema"])
        Draft202012Validator(entry["schema"]).validate(entry["example"])
        assert entry["example"]["type"] == entry["type"]


async def test_events_can_be_listed_read_and_recovered(client: Client) -> None:
    async with Receiver() as receiver:
        made = await client.ok("POST", "/api/v1/endpoints", {"url": receiver.url, "events": ["order.*"]}, 201)
        await client.ok("POST", "/v3/orders/status", BREVO_ORDER, 204)
        await receiver.wait_for(1)
        (event,) = (await client.ok("GET", "/api/v1/events?type=order.created"))["data"]
        assert event["id"] == receiver.got[0].headers["webhook-id"]
        assert event["body"] == json.loads(receiver.got[0].body)
        assert await client.ok("GET", f"/api/v1/events/{event['id']}") == event
        assert (await client("GET", "/api/v1/events/msg_nothing")).status == 404
        late = await client.ok("POST", "/api/v1/endpoints", {"url": f"{receiver.url}2"}, 201)
        owed = await client.ok("POST", f"/api/v1/endpoints/{late['id']}/recover", {"since": event["createdAt"]}, 202)
        assert owed == {"deliveries": 1}
        await receiver.wait_for(2)
        assert receiver.got[1].path == "/hook2"
        assert made["id"] != late["id"]


async def test_metrics_tell_of_deliveries(client: Client) -> None:
    async with Receiver() as receiver:
        made = await client.ok("POST", "/api/v1/endpoints", {"url": receiver.url}, 201)
        await client.ok("POST", "/v3/orders/status", BREVO_ORDER, 204)
        await receiver.wait_for(1)
        shown = (await call(client.house.web, "GET", "/metrics")).body.decode()
        assert 'ordermill_webhook_deliveries_total{result="delivered"}' in shown
        assert "ordermill_webhook_oldest_pending_seconds" in shown
        assert made["id"] not in shown


@pytest.mark.parametrize(
    "setting", [{"webhook_allow": "10.0.0.0/99"}, {"webhook_retries": "soon"}, {"webhook_retries": ""}]
)
def test_a_setting_that_cannot_be_used_is_said_at_start(tmp_path: Path, setting: dict[str, str]) -> None:
    config = msgspec.structs.replace(Config(data=str(tmp_path)), **setting)
    engine = app.make_engine(config)
    app.prepare(engine, config)
    with pytest.raises(BadConfig):
        app.House(config, engine)
