"""POST /api/v1/batches, retry and resubmit: what is stored, what is told, what is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from speaking import Client, brevo, centra, karrio

from ordermill.app import House, make_engine
from ordermill.config import Config
from ordermill.core.order import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]


@pytest.fixture
def strict_house(config: Config) -> Iterator[House]:
    """A house over the same ledger that wants a price on every Centra line, and takes few orders at once."""
    strict = msgspec.structs.replace(config, centra_missing_price="reject", orders_max=3)
    house = House(strict, make_engine(strict))
    yield house
    house.close()


@pytest.fixture
def strict(client: Client, strict_house: House) -> Client:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=strict_house.web), base_url="http://ordermill.test")
    return client.at(strict_house, http)


async def test_each_contract_is_taken_in_its_own_form(client: Client) -> None:
    of_brevo = await client.take("brevo", [brevo("1"), brevo("2")])
    of_karrio = await client.take("karrio", [karrio("1")], source="POS")
    of_centra = await client.take("centra", {"x": centra(), "y": centra(createOnly=True)}, source="outlet")

    assert [order["reference"] for order in of_brevo["orders"]] == ["1", "2"]
    assert [(order["key"], order["outcome"]) for order in of_centra["orders"]] == [("x", "created"), ("y", "created")]
    orders = await client.data("/api/v1/orders", order="oldest")
    assert [(order["contract"], order["source"]) for order in orders] == [
        ("brevo", ""), ("brevo", ""), ("karrio", "POS"), ("centra", "outlet"), ("centra", "outlet"),
    ]  # fmt: skip
    assert of_karrio["batch"]["source"] == "POS"
    # The contract's own calls show them as well.
    assert (await client.get("/v3/orders")).json()["count"] == 2
    assert len((await client.get("/centra/outlet/orders")).json()["orders"]) == 1


async def test_the_answer_tells_every_fate_in_the_order_of_the_request(client: Client) -> None:
    await client.take("brevo", [brevo("old", updatedAt="2026-01-05T00:00:00Z")])
    answer = await client.post(
        "/api/v1/batches",
        {
            "contract": "brevo",
            "orders": [brevo("new"), {}, brevo("new", status="sent"), brevo("new", status="sent"), brevo("old"), 7],
        },
    )
    said = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/batches/{said['batch']['id']}"
    assert answer.headers["ordermill-rejected"] == "2"
    outcomes = [order["outcome"] for order in said["orders"]]
    assert outcomes == ["created", "failed", "updated", "unchanged", "stale", "failed"]
    assert said["counts"] == said["batch"]["counts"]
    assert said["counts"] == {
        "received": 6, "created": 1, "updated": 1, "unchanged": 2, "failed": 2, "waiting": 0,
    }  # fmt: skip


async def test_reject_all_stores_nothing_and_places_every_problem(client: Client) -> None:
    refused = await client.post(
        "/api/v1/batches",
        {"contract": "brevo", "errorPolicy": "reject_all", "orders": [brevo("1"), brevo("2", amount="x", status=None)]},
    )
    assert refused.status_code == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"orders[1].amount", "orders[1].status"}
    named = {"contract": "centra", "errorPolicy": "reject_all", "orders": {"good": centra(), "bad": {}}}
    refused = await client.post("/api/v1/batches", named)
    assert refused.json()["field"].startswith("orders.bad.")
    assert await client.data("/api/v1/orders") == []
    assert await client.data("/api/v1/batches") == []


async def test_reject_all_places_what_only_the_ledger_knows(client: Client) -> None:
    await client.take("centra", [centra(orderNumber=7)])
    orders = {"a": centra(orderNumber=8), "b": centra(orderNumber=7)}
    for more in ({}, {"dryRun": True}):
        refused = await client.post(
            "/api/v1/batches", {"contract": "centra", "errorPolicy": "reject_all", "orders": orders, **more}
        )
        assert refused.status_code == 422
        assert [error["code"] for error in refused.json()["errors"]] == ["duplicate_reference"]
        assert refused.json()["field"].startswith("orders.b")
    assert len(await client.data("/api/v1/orders")) == 1


async def test_a_dry_run_says_the_same_and_writes_nothing(client: Client) -> None:
    await client.take("brevo", [brevo("known")])
    orders = [brevo("known"), brevo("known", amount=11, updatedAt="2026-01-03T00:00:00Z"), brevo("new"), {}]

    dry = await client.take("brevo", orders, dryRun=True)

    assert dry["batch"] is None
    assert [order["outcome"] for order in dry["orders"]] == ["unchanged", "updated", "created", "failed"]
    assert dry["orders"][2]["orderId"] is None
    assert len(await client.data("/api/v1/orders")) == 1
    assert len(await client.data("/api/v1/batches")) == 1
    numbered = await client.take("centra", [centra()], dryRun=True)
    assert (numbered["orders"][0]["reference"], numbered["orders"][0]["orderId"]) == ("", None)


async def test_a_dry_run_is_never_given_again_for_the_real_thing(client: Client) -> None:
    body = {"contract": "brevo", "orders": [brevo("1")]}
    key = {"idempotency-key": "once"}
    dry = await client.post("/api/v1/batches", body, headers={**key, "ordermill-dry-run": "true"})
    real = await client.post("/api/v1/batches", body, headers=key)
    again = await client.post("/api/v1/batches", body, headers=key)

    assert (dry.status_code, real.status_code, again.status_code) == (200, 201, 201)
    assert "idempotent-replayed" not in real.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == real.content
    other = await client.post("/api/v1/batches", {**body, "orders": [brevo("2")]}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    unsure = await client.post("/api/v1/batches", body, headers={"ordermill-dry-run": "maybe"})
    assert unsure.status_code == 422


async def test_a_name_that_is_sent_twice_names_no_order(client: Client) -> None:
    order = json.dumps(centra()).encode()
    body = b'{"contract":"centra","orders":{"a":' + order + b',"b":' + order + b',"a":' + order + b"}}"
    said = (await client.post("/api/v1/batches", body)).json()
    assert [(order["key"], order["outcome"]) for order in said["orders"]] == [
        ("a", "failed"), ("b", "created"), ("a", "failed"),
    ]  # fmt: skip
    assert said["orders"][0]["problems"][0]["code"] == "duplicate_name"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "unreadable"),
        (b"[]", 400, "unreadable"),
        (b"{", 400, "unreadable"),
        (b'{"contract":"brevo","orders":[],"orders":[]}', 400, "unreadable"),
        (b'\xff{"contract":"brevo"}', 400, "unreadable"),
        (b'{"contract":"brevo","orders":[NaN]}', 400, "unreadable"),
        (b'{"contract":"brevo","orders":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "unreadable"),
        (b'{"contract":"brevo","orders":[]}', 422, "invalid"),
        (b'{"contract":"brevo","orders":{}}', 422, "invalid"),
        (b'{"contract":"brevo","orders":null}', 422, "invalid"),
        (b'{"contract":"shopify","orders":[{}]}', 422, "invalid"),
        (b'{"orders":[{}]}', 422, "invalid"),
        (b'{"contract":"brevo","orders":[{}],"dryrun":true}', 422, "invalid"),
        (b'{"contract":"brevo","orders":[{}],"source":"\\u0000"}', 422, "invalid"),
        (b'{"contract":"brevo","orders":[{}],"notifyUrl":"ftp://x"}', 422, "invalid"),
        (b'{"contract":"brevo","orders":{"\\u0000":{}}}', 400, "unreadable"),
        (b'{"contract":"brevo","orders":{"\\ud800":{}}}', 400, "unreadable"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused_and_nothing_is_stored(
    client: Client, body: bytes, status: int, code: str
) -> None:
    answer = await client.post("/api/v1/batches", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await client.data("/api/v1/batches") == []


async def test_other_content_types_are_not_read(client: Client) -> None:
    for media in ("text/csv", "application/x-www-form-urlencoded"):
        answer = await client.post("/api/v1/batches", b"{}", headers={"content-type": media})
        assert answer.status_code == 415


async def test_every_problem_of_a_request_is_told_with_a_hint(client: Client) -> None:
    said = (await client.post("/api/v1/batches", {"contract": 1, "dryrun": True, "order": []})).json()
    told = {(error["code"], error["field"], error["hint"]) for error in said["errors"]}
    assert told == {
        ("wrong_type", "contract", ""),
        ("unknown_field", "dryrun", "did you mean dryRun?"),
        ("unknown_field", "order", "did you mean orders?"),
        ("required", "orders", ""),
    }


async def test_failed_orders_are_retried_as_they_were_sent_once_a_setting_has_changed(
    client: Client, strict: Client
) -> None:
    unpriced = {"products": [{"sku": "B-1", "qty": 1}]}
    batch = (await strict.take("centra", {"a": centra(), "b": centra(**unpriced), "c": {}}))["batch"]
    assert batch["counts"]["failed"] == 2
    path = f"/api/v1/batches/{batch['id']}"

    dry = await client.post(f"{path}/retry", {"dryRun": True})
    assert [order["outcome"] for order in dry.json()["orders"]] == ["created", "failed"]
    retried = await client.post(f"{path}/retry", {"code": "unpriced"})

    assert retried.status_code == 201
    said = retried.json()
    assert [(order["key"], order["outcome"]) for order in said["orders"]] == [("b", "created")]
    assert said["batch"]["parentBatchId"] == batch["id"]
    assert said["batch"]["origin"] == "retry"
    assert (await client.data(path))["childBatchIds"] == [said["batch"]["id"]]
    document = await client.get(f"/api/v1/orders/{said['orders'][0]['orderId']}/raw")
    assert document.content == json.dumps(centra(**unpriced)).encode()
    nothing = await client.post(f"{path}/retry", {"code": "no_such_code"})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")


async def test_corrected_orders_are_linked_to_the_batch_they_come_from(client: Client) -> None:
    batch = (await client.take("brevo", [brevo("1"), brevo("2", amount=None)], historical=True))["batch"]
    fixed = await client.post(f"/api/v1/batches/{batch['id']}/resubmit", {"orders": [brevo("2")]})
    said = fixed.json()
    assert fixed.status_code == 201
    assert said["batch"]["parentBatchId"] == batch["id"]
    assert said["batch"]["historical"] is True
    assert said["batch"]["contract"] == "brevo"
    assert len(await client.data("/api/v1/orders")) == 2


async def test_more_orders_than_the_limit_are_refused_whole(strict: Client) -> None:
    for orders in ([brevo(str(number)) for number in range(4)], {str(number): brevo("1") for number in range(4)}):
        answer = await strict.post("/api/v1/batches", {"contract": "brevo", "orders": orders})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_many")
    assert await strict.data("/api/v1/orders") == []


async def test_test_data_stays_with_test_keys(client: Client) -> None:
    test_key = await client.as_key(mode=Mode.TEST)
    taken = await test_key.take("brevo", [brevo("1")])
    assert taken["batch"]["mode"] == "test"
    assert await client.data("/api/v1/orders") == []
    assert (await client.take("brevo", [brevo("1")]))["orders"][0]["outcome"] == "created"
    assert len(await test_key.data("/api/v1/orders")) == 1
