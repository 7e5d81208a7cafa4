"""GET /api/v1/orders and what hangs off it."""

from __future__ import annotations

import json

import pytest
from speaking import Client, brevo, centra, karrio

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]


async def test_orders_of_all_contracts_are_listed_and_filtered(client: Client) -> None:
    await client.take("brevo", [brevo("1"), brevo("2", status="sent", createdAt="2026-03-01T00:00:00Z")])
    await client.take("karrio", [karrio("1", order_date="2026-02-01", source="POS"), karrio("1", source="ERP")])
    await client.take("centra", [centra(address={"email": "bob@example.com", "country": "SE"})])

    async def found(**filters: object) -> list[tuple[str, str]]:
        orders = await client.data("/api/v1/orders", order="oldest", **filters)
        return [(order["contract"], order["reference"]) for order in orders]

    everything = [("brevo", "1"), ("brevo", "2"), ("karrio", "1"), ("karrio", "1"), ("centra", "1")]
    assert await found() == everything
    assert await found(contract="karrio", source="POS") == [("karrio", "1")]
    assert await found(source=["POS", "ERP"]) == [("karrio", "1"), ("karrio", "1")]
    assert await found(reference="2") == [("brevo", "2")]
    assert await found(status=["sent", "pending"]) == [("brevo", "2"), ("centra", "1")]
    assert await found(placedSince="2026-02-01", placedUntil="2026-03-01") == [("karrio", "1")]
    assert await found(placedSince="2026-03-01T01:00:00+01:00", placedUntil="2026-04-01") == [("brevo", "2")]
    assert await found(updatedSince="2026-01-02T10:00:00Z", updatedUntil="2026-01-03") == everything[:2]
    assert await found(receivedUntil="2026-01-01") == []
    assert await found(email="ADA@example.COM") == everything[:4]
    (bob,) = await client.data("/api/v1/orders", email="bob@example.com")
    assert await found(contactId=bob["contactId"]) == [("centra", "1")]


async def test_pages_stay_where_they_were(client: Client) -> None:
    await client.take("brevo", [brevo(str(number)) for number in range(5)])
    first = (await client.get("/api/v1/orders", limit=2)).json()
    await client.take("brevo", [brevo("late")])
    second = (await client.get("/api/v1/orders", limit=2, cursor=first["next"])).json()
    third = (await client.get("/api/v1/orders", limit=2, cursor=second["next"])).json()
    seen = [order["reference"] for page in (first, second, third) for order in page["data"]]
    assert seen == ["4", "3", "2", "1", "0"]
    assert third["hasMore"] is False


async def test_one_order_says_everything_in_our_words_or_a_contracts(client: Client) -> None:
    taken = await client.take("brevo", [brevo("1", billing={"city": "Basel", "countryCode": "CH"}, coupons=["A"])])
    path = f"/api/v1/orders/{taken['orders'][0]['orderId']}"

    said = await client.data(path)

    assert said["amount"] == "10.5"
    assert said["placedAt"] == "2026-01-01T10:00:00.000Z"
    assert said["content"]["lines"][0]["unitPrice"] == "10.5"
    assert said["content"]["billTo"]["city"] == "Basel"
    assert said["content"]["identifiers"] == {"email": "Ada@Example.com"}
    as_brevo = (await client.get(path, **{"as": "brevo"})).json()
    assert as_brevo == (await client.get("/v3/orders")).json()["orders"][0]
    assert (await client.get(path, **{"as": "karrio"})).json()["object_type"] == "order"
    assert (await client.get(path, **{"as": "centra"})).json()["orderId"] == "1"
    assert (await client.get(path, **{"as": "ours"})).status_code == 422


async def test_an_order_is_found_by_the_merchants_id(client: Client) -> None:
    await client.take("karrio", [karrio("a/b c", source="POS"), karrio("a/b c", source="ERP"), karrio("2")])

    async def by(**query: str) -> tuple[int, str]:
        answer = await client.get("/api/v1/orders/by-reference", **query)
        return answer.status_code, answer.json().get("source", answer.json().get("hint", ""))

    assert await by(contract="karrio", reference="a/b c", source="ERP") == (200, "ERP")
    assert await by(contract="karrio", reference="2") == (200, "API")
    assert await by(contract="karrio", reference="a/b c") == (409, "name one: ERP, POS")
    assert (await by(contract="brevo", reference="2"))[0] == 404
    assert (await by(reference="2"))[0] == 422


async def test_raw_is_byte_for_byte_for_every_version(client: Client) -> None:
    sent = [
        b'{ "id":"1","createdAt":"2026-01-01T10:00:00Z","updatedAt":"2026-01-0%dT10:00:00Z","status":"\\u0070aid",'
        b'"amount":10.%d0,\n"products":[] , "unknown":1e2}' % (day, day)
        for day in (2, 4, 3)
    ]
    for document in sent:
        assert (await client.post("/v3/orders/status", document)).status_code == 204
    (order,) = await client.data("/api/v1/orders")
    path = f"/api/v1/orders/{order['id']}/raw"

    async def raw(**query: int) -> bytes:
        answer = await client.get(path, **query)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        return answer.content

    assert await raw() == sent[1]
    assert await raw(revision=1) == sent[0]
    assert await raw(revision=2) == sent[1]
    assert await raw(version=3) == sent[2]
    for query in ({"revision": 3}, {"version": 4}, {"revision": 1, "version": 2}):
        assert (await client.get(path, **query)).status_code == 404


async def test_history_tells_what_changed_and_keeps_what_came_too_late(client: Client) -> None:
    await client.take("brevo", [brevo("1")], historical=True)
    newer = brevo("1", amount=12.50, status="sent", updatedAt="2026-01-04T00:00:00Z", coupons=["A"])
    await client.take("brevo", [newer, brevo("1", amount=11, updatedAt="2026-01-03T00:00:00Z")])
    (order,) = await client.data("/api/v1/orders")

    first, second, late = await client.data(f"/api/v1/orders/{order['id']}/history")

    assert (first["version"], first["revision"], first["historical"], first["changes"]) == (1, 1, True, [])
    changes = {change["field"]: (change["before"], change["after"]) for change in second["changes"]}
    assert changes == {"status": ("paid", "sent"), "amount": ("10.5", "12.5"), "coupons[0]": (None, "A")}
    assert (second["revision"], second["status"]) == (2, "sent")
    assert (late["stale"], late["revision"], late["status"]) == (True, None, "paid")
    assert {change["field"] for change in late["changes"]} == {"status", "amount", "coupons[0]"}
    page = (await client.get(f"/api/v1/orders/{order['id']}/history", limit=2)).json()
    assert page["hasMore"]
    rest = await client.data(f"/api/v1/orders/{order['id']}/history", cursor=page["next"])
    assert [version["version"] for version in rest] == [3]


async def test_history_knows_the_states_that_no_document_tells(client: Client) -> None:
    order = (await client.post("/v1/orders", karrio("1"))).json()["id"]
    await client.call("PUT", f"/v1/orders/{order}", {"metadata": {"x": "1"}})
    await client.post(f"/v1/orders/{order}/cancel")
    await client.call("PUT", f"/v1/orders/{order}", {"metadata": {"x": "2"}})
    versions = await client.data(f"/api/v1/orders/{order}/history")
    assert [version["status"] for version in versions] == ["unfulfilled", "unfulfilled", "cancelled", "cancelled"]
    assert [[change["field"] for change in version["changes"]] for version in versions] == [
        [], ["metadata.x"], ["status"], ["metadata.x"],
    ]  # fmt: skip
    assert (await client.post("/centra/order", centra(createOnly=True))).json() == {"status": "ok", "order": 1}
    prepared = await client.data("/api/v1/orders/by-reference", contract="centra", reference="1")
    await client.post("/centra/order/1", {"comment": "done"})
    versions = await client.data(f"/api/v1/orders/{prepared['id']}/history")
    assert [version["status"] for version in versions] == ["incomplete", "pending"]
    changed = {change["field"] for change in versions[1]["changes"]}
    assert changed == {"status", "comment", "options.createOnly"}


async def test_a_freed_reference_finds_the_newest_holder(client: Client) -> None:
    first = (await client.post("/v1/orders", karrio("1"))).json()["id"]
    await client.post(f"/v1/orders/{first}/cancel")
    found = await client.data("/api/v1/orders/by-reference", contract="karrio", reference="1")
    assert (found["id"], found["released"]) == (first, True)
    second = (await client.post("/v1/orders", karrio("1"))).json()["id"]
    found = await client.data("/api/v1/orders/by-reference", contract="karrio", reference="1")
    assert (found["id"], found["released"]) == (second, False)


@pytest.mark.parametrize("name", ["ord_1", "x", "ord_" + "0" * 32, "ord_" + "g" * 32, json.dumps("ord"), "%00"])
async def test_what_is_no_order_is_not_found(client: Client, name: str) -> None:
    assert (await client.get(f"/api/v1/orders/{name}")).status_code == 404
