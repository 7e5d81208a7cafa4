"""GET /api/v1/batches and what hangs off it, and cancelling."""

from __future__ import annotations

import pytest
from speaking import Client, brevo, centra, karrio

from ordermill.core.batch import Draft, Problem, Sender, Submission
from ordermill.core.order import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]


async def test_a_batch_accounts_for_every_order_under_any_of_its_names(client: Client) -> None:
    accepted = await client.post("/v3/orders/status/batch", {"orders": [brevo("1"), brevo("2")], "historical": False})
    number = accepted.json()["batchId"]

    said = await client.data(f"/api/v1/batches/{number}")

    assert said["id"] == f"bch_{number}"
    assert said["contract"] == "brevo"
    assert said["status"] == "completed"
    assert said["historical"] is False
    assert said["counts"] == {
        "received": 2, "created": 2, "updated": 0, "unchanged": 0, "failed": 0, "waiting": 0,
    }  # fmt: skip
    assert await client.data(f"/api/v1/batches/bch_{number}") == said
    assert said["finishedAt"].endswith("Z")
    operation = (await client.post("/v1/batches/orders", {"orders": [karrio("1")]})).json()["id"]
    assert (await client.data(f"/api/v1/batches/{operation}"))["contract"] == "karrio"


async def test_a_batch_says_whether_its_notify_url_was_told(client: Client) -> None:
    url = "http://93.184.215.14/told?batch=7"
    batch = (await client.take("brevo", [brevo("1")], notifyUrl=url))["batch"]
    said = await client.data(f"/api/v1/batches/{batch['id']}")
    assert said["notifyUrl"] == url
    assert said["notification"] == {"state": "pending"}
    silent = (await client.take("brevo", [brevo("1")]))["batch"]
    assert (await client.data(f"/api/v1/batches/{silent['id']}"))["notification"] is None
    inward = {"contract": "brevo", "orders": [brevo("2")], "notifyUrl": "http://127.0.0.1/"}
    refused = await client.post("/api/v1/batches", inward)
    assert (refused.status_code, refused.json()["field"]) == (422, "notifyUrl")


@pytest.mark.parametrize("name", ["0", "99999999", "bch_", "bch_x", "-1", "bch_9999999999999999", "batch_00", "%00"])
async def test_what_is_no_batch_is_not_found(client: Client, name: str) -> None:
    answer = await client.get(f"/api/v1/batches/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_a_foreign_batch_is_not_found_whoever_asks_however(client: Client, keeper: Client) -> None:
    taken = await client.take("brevo", [brevo("1"), {}])
    mine, order = taken["batch"]["id"], taken["orders"][0]["orderId"]
    test_key = await client.as_key(mode=Mode.TEST)
    for stranger in (keeper, test_key):
        for call in ("", "/items", "/causes", "/failed.csv", "/failed.ndjson"):
            assert (await stranger.get(f"/api/v1/batches/{mine}{call}")).status_code == 404
        for call in ("retry", "cancel"):
            assert (await stranger.post(f"/api/v1/batches/{mine}/{call}")).status_code == 404
        corrected = {"orders": [brevo("2")]}
        assert (await stranger.post(f"/api/v1/batches/{mine}/resubmit", corrected)).status_code == 404
        for call in ("", "/history", "/raw"):
            assert (await stranger.get(f"/api/v1/orders/{order}{call}")).status_code == 404
        by_reference = {"contract": "brevo", "reference": "1"}
        assert (await stranger.get("/api/v1/orders/by-reference", **by_reference)).status_code == 404
        assert mine not in [batch["id"] for batch in await stranger.data("/api/v1/batches")]


async def test_batches_are_listed_page_by_page_and_nothing_moves_in_between(client: Client) -> None:
    ids = [(await client.take("brevo", [brevo(str(number))]))["batch"]["id"] for number in range(5)]
    first = (await client.get("/api/v1/batches", limit=2)).json()
    await client.take("brevo", [brevo("late")])
    second = (await client.get("/api/v1/batches", limit=2, cursor=first["next"])).json()
    third = (await client.get("/api/v1/batches", limit=2, cursor=second["next"])).json()

    seen = [batch["id"] for page in (first, second, third) for batch in page["data"]]
    assert seen == ids[::-1]
    assert (third["next"], third["hasMore"]) == (None, False)
    oldest = await client.data("/api/v1/batches", order="oldest", limit=5)
    assert [batch["id"] for batch in oldest] == ids


async def test_batches_are_filtered(client: Client) -> None:
    good = (await client.take("brevo", [brevo("1")]))["batch"]
    bad = (await client.take("karrio", [{}]))["batch"]
    mixed = (await client.take("centra", {"a": centra(), "b": {}}))["batch"]

    async def found(**filters: object) -> list[str]:
        return [batch["id"] for batch in await client.data("/api/v1/batches", order="oldest", **filters)]

    assert await found(contract="karrio") == [bad["id"]]
    assert await found(status=["failed", "completed_with_errors"]) == [bad["id"], mixed["id"]]
    assert await found(hasFailures="true") == [bad["id"], mixed["id"]]
    assert await found(hasFailures="false") == [good["id"]]
    assert await found(keyId="nobody") == []
    assert await found(origin="api", contract="brevo") == [good["id"]]
    assert await found(createdSince=bad["createdAt"]) == [bad["id"], mixed["id"]]
    assert await found(createdUntil=bad["createdAt"]) == [good["id"]]


async def test_items_are_found_by_outcome_code_and_field(client: Client) -> None:
    batch = (await client.take("karrio", [karrio("1"), {"order_id": "2"}, karrio("3"), karrio("4", line_items=[])]))[
        "batch"
    ]
    path = f"/api/v1/batches/{batch['id']}/items"

    async def positions(**filters: object) -> list[int]:
        return [item["position"] for item in await client.data(path, **filters)]

    assert await positions() == [0, 1, 2, 3]
    assert await positions(outcome="failed") == [1, 3]
    assert await positions(outcome=["created", "failed"]) == [0, 1, 2, 3]
    assert await positions(code="required") == [1]
    assert await positions(field="line_items.non_field_errors") == [3]
    page = (await client.get(path, limit=3)).json()
    assert [item["position"] for item in page["data"]] == [0, 1, 2]
    assert await positions(cursor=page["next"]) == [3]
    failed = (await client.data(path, outcome="failed"))[0]
    assert failed["reference"] == "2"
    assert {problem["field"] for problem in failed["problems"]} == {"shipping_to", "line_items"}


async def test_causes_are_grouped_with_counts_and_an_example(client: Client) -> None:
    wrong = {"country_code": "UK"}
    orders = [karrio("1"), karrio("2", shipping_to=wrong), karrio("3", shipping_to=wrong), {"order_id": "4"}]
    batch = (await client.take("karrio", orders))["batch"]

    first, second = await client.data(f"/api/v1/batches/{batch['id']}/causes")

    assert (first["field"], first["count"]) == ("shipping_to.country_code", 2)
    assert first["example"] == {"position": 1, "key": "1", "value": first["example"]["value"]}
    assert (second["code"], second["count"]) == ("required", 1)


async def test_a_complete_batch_cannot_be_cancelled(client: Client) -> None:
    batch = (await client.take("brevo", [brevo("1")]))["batch"]
    answer = await client.post(f"/api/v1/batches/{batch['id']}/cancel")
    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"


async def test_a_batch_that_is_under_way_can_be_cancelled_once(client: Client) -> None:
    sender = Sender(account_id=client.account_id, mode=Mode.LIVE, key_id="k")
    bad = Draft("0", None, (Problem(code="required", message="no"),), "{}")
    settled = await client.house.ledger.settle(sender, Submission(dialect="brevo", drafts=(bad,)), last=False)
    path = f"/api/v1/batches/{settled.batch_id}"
    assert (await client.data(path))["status"] == "running"

    cancelled = await client.post(f"{path}/cancel")

    assert cancelled.status_code == 200
    assert cancelled.json()["status"] == "cancelled"
    counts = cancelled.json()["counts"]
    assert counts["received"] == counts["failed"] == 1
    assert (await client.post(f"{path}/cancel")).status_code == 409


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"stauts": "failed"}, "did you mean status?"),
        ({"status": "done"}, ""),
        ({"limit": "0"}, ""),
        ({"limit": "1001"}, ""),
        ({"cursor": "x"}, ""),
        ({"createdSince": "yesterday"}, ""),
        ({"contract": ["brevo", "karrio"]}, ""),
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(client: Client, query: dict[str, str], hint: str) -> None:
    answer = await client.get("/api/v1/batches", **query)
    assert answer.status_code == 422
    assert answer.json()["field"] in query
    assert answer.json()["hint"] == hint


async def test_a_key_needs_the_scope_and_says_so_in_problem_details(client: Client) -> None:
    answer = await client.http.get("/api/v1/batches", headers={"x-request-id": "mine"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    said = answer.json()
    assert said["type"] == "urn:ordermill:problem:unauthorized"
    assert (said["status"], said["request_id"], said["errors"]) == (401, "mine", [])
    assert answer.headers["x-request-id"] == "mine"
