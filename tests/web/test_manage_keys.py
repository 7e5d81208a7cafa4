"""Keys and accounts through our own API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from speaking import Client, brevo

from ordermill.core.account import Scope
from ordermill.core.order import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]


def with_key(client: Client, key: str) -> Client:
    return Client(client.house, client.http, key, client.account_id)


async def test_a_new_key_works_and_its_secret_is_told_once(client: Client) -> None:
    made = await client.post("/api/v1/keys", {"name": "till", "rateLimit": 100, "expiresAt": "2999-01-01"})
    said = made.json()
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert said["scopes"] == ["orders:read", "orders:write", "webhooks"]
    assert said["key"].startswith(f"omk_live_{said['id']}_")
    assert said["key"].endswith(said["hint"])
    till = with_key(client, said["key"])
    assert (await till.take("brevo", [brevo("1")]))["batch"]["keyId"] == said["id"]
    assert (await till.get("/api/v1/keys")).status_code == 403

    listed = {key["id"]: key for key in await client.data("/api/v1/keys")}
    assert "key" not in listed[said["id"]]
    assert listed[said["id"]]["expiresAt"] == "2999-01-01T00:00:00.000Z"
    assert said["key"] not in str(await client.data("/api/v1/keys"))


async def test_a_secret_is_not_kept_for_an_idempotency_key(client: Client) -> None:
    key = {"idempotency-key": uuid4().hex}
    first = await client.post("/api/v1/keys", {"name": "a"}, headers=key)
    second = await client.post("/api/v1/keys", {"name": "a"}, headers=key)
    assert first.json()["key"] != second.json()["key"]
    assert await client.house.ledger.find_answer(client.account_id, f"0:{key['idempotency-key']}") is None


async def test_a_rotated_key_goes_on_until_the_overlap_ends(client: Client) -> None:
    old = (await client.post("/api/v1/keys", {"name": "till", "scopes": ["orders:read"]})).json()
    rotated = (await client.post(f"/api/v1/keys/{old['id']}/rotate", {"overlapHours": 2})).json()
    ends = datetime.fromisoformat(rotated["old"]["expiresAt"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert rotated["made"]["scopes"] == ["orders:read"]
    for key in (old["key"], rotated["made"]["key"]):
        assert (await with_key(client, key).get("/api/v1/orders")).status_code == 200

    again = (await client.post(f"/api/v1/keys/{rotated['made']['id']}/rotate", {"overlapHours": 0})).json()
    assert (await with_key(client, rotated["made"]["key"]).get("/api/v1/orders")).status_code == 401
    assert (await with_key(client, again["made"]["key"]).get("/api/v1/orders")).status_code == 200
    ended = await client.post(f"/api/v1/keys/{rotated['made']['id']}/rotate")
    assert (ended.status_code, ended.json()["code"]) == (409, "conflict")


async def test_a_revoked_key_is_over_at_once(client: Client) -> None:
    made = (await client.post("/api/v1/keys", {"name": "till"})).json()
    till = with_key(client, made["key"])
    assert (await till.get("/api/v1/orders")).status_code == 200
    assert (await client.call("DELETE", f"/api/v1/keys/{made['id']}")).status_code == 204
    assert (await till.get("/api/v1/orders")).status_code == 401
    assert (await client.call("DELETE", f"/api/v1/keys/{made['id']}")).status_code == 204
    listed = {key["id"]: key for key in await client.data("/api/v1/keys")}
    assert listed[made["id"]]["revokedAt"] is not None


async def test_a_test_key_neither_sees_nor_makes_live_keys(client: Client) -> None:
    test_key = await client.as_key(mode=Mode.TEST)
    live = (await client.data("/api/v1/keys"))[-1]
    assert [key["mode"] for key in await test_key.data("/api/v1/keys")] == ["test"]
    assert (await test_key.post("/api/v1/keys", {"name": "a"})).json()["mode"] == "test"
    assert (await test_key.post("/api/v1/keys", {"name": "a", "mode": "live"})).status_code == 403
    assert (await test_key.call("DELETE", f"/api/v1/keys/{live['id']}")).status_code == 404
    assert (await test_key.post(f"/api/v1/keys/{live['id']}/rotate")).status_code == 404
    assert (await client.post("/api/v1/keys", {"name": "a", "mode": "test"})).json()["mode"] == "test"


async def test_keys_of_another_account_are_not_there(client: Client) -> None:
    other = await client.as_key(account=f"other {uuid4().hex}")
    theirs = (await other.data("/api/v1/keys"))[0]["id"]
    assert (await client.call("DELETE", f"/api/v1/keys/{theirs}")).status_code == 404
    assert (await client.post(f"/api/v1/keys/{theirs}/rotate")).status_code == 404
    assert (await client.get("/api/v1/keys", account="default")).status_code == 403
    assert (await client.post("/api/v1/keys", {"name": "a", "account": "default"})).status_code == 403
    assert (await client.get("/api/v1/accounts")).status_code == 403
    assert (await client.post("/api/v1/accounts", {"name": "mine"})).status_code == 403


async def test_the_keeper_of_the_house_makes_accounts_and_their_first_keys(keeper: Client) -> None:
    name = f"shop {uuid4().hex}"
    made = await keeper.post("/api/v1/accounts", {"name": name})
    assert made.status_code == 201
    assert name in [account["name"] for account in await keeper.data("/api/v1/accounts")]
    assert (await keeper.post("/api/v1/accounts", {"name": name})).json()["code"] == "duplicate"
    key = (await keeper.post("/api/v1/keys", {"name": "first", "account": name, "scopes": ["admin"]})).json()
    shop = with_key(keeper, key["key"])
    assert [found["id"] for found in await shop.data("/api/v1/keys")] == [key["id"]]
    assert [found["id"] for found in await keeper.data("/api/v1/keys", account=name)] == [key["id"]]
    assert (await keeper.get("/api/v1/keys", account="nobody")).status_code == 404


async def test_scopes_decide_what_a_key_may_do(client: Client) -> None:
    reader = await client.as_key(scopes=(Scope.ORDERS_READ,))
    writer = await client.as_key(scopes=(Scope.ORDERS_WRITE,))
    body = {"contract": "brevo", "orders": [brevo("1")]}
    assert (await reader.get("/api/v1/orders")).status_code == 200
    assert (await reader.post("/api/v1/batches", body)).status_code == 403
    assert (await writer.post("/api/v1/batches", body)).status_code == 201
    assert (await writer.get("/api/v1/orders")).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "a\0"},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["everything"]},
        {"name": "a", "rateLimit": 0},
        {"name": "a", "expiresAt": "2020-01-01"},
        {"name": "a", "expiresAt": "soon"},
        {"name": "a", "mode": "LIVE"},
    ],
)
async def test_a_key_that_cannot_be_meant_is_not_made(client: Client, body: dict[str, object]) -> None:
    before = len(await client.data("/api/v1/keys"))
    assert (await client.post("/api/v1/keys", body)).status_code == 422
    assert len(await client.data("/api/v1/keys")) == before
