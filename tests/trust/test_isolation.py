"""Two accounts, two modes, every route, every scope: nobody sees or changes what belongs to somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.http import Route
from ordermill.web.manage_keys import new_key

CANARY = "canary7c1"
PRESET = "night"
ALL = tuple(Scope)


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    url = request.getfixturevalue("postgres_database") if request.param == "postgres" else ""
    config = Config(data=str(tmp_path), database_url=url, access_log=False, failed_keys_max=0)
    engine = make_engine(config)
    prepare(engine, config)
    made = House(config, engine)
    yield made
    made.close()


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=house.web)
    async with httpx.AsyncClient(transport=transport, base_url="http://ordermill.test") as client:
        yield client


def routes(house: House) -> list[tuple[Any, Route]]:
    return [(face, route) for face, _ in house.web.faces for route in face.routes]


async def key_of(house: House, account_id: int, mode: Mode, scopes: tuple[Scope, ...] = ALL) -> str:
    key, secret = new_key(account_id, f"{CANARY} key", mode, scopes, rate_limit=None, expires_at=None)
    await house.ledger.save_key(key)
    return secret


def headers(path: str, key: str) -> dict[str, str]:
    scheme = "Token" if path.startswith("/v1/") else "Bearer"
    return {
        "authorization": f"{scheme} {key}",
        "api-key": key,
        "api-authorization": key,
        "content-type": "application/json",
    }


async def call(http: httpx.AsyncClient, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
    content = json.dumps(body).encode() if body is not None else None
    return await http.request(method, path, content=content, headers=headers(path, key))


BREVO = {
    "id": f"{CANARY}-1", "createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z",
    "status": "completed", "amount": 1, "products": [{"productId": CANARY, "price": 1}],
    "identifiers": {"email_id": f"{CANARY}@example.com"},
}  # fmt: skip
KARRIO = {
    "order_id": f"{CANARY}-2", "source": CANARY,
    "shipping_to": {"person_name": CANARY, "address_line1": "1 Road", "city": "Basel", "postal_code": "4052",
                    "country_code": "CH"},
    "line_items": [{"weight": 1.5, "weight_unit": "KG", "title": CANARY, "quantity": 1}],
}  # fmt: skip
CENTRA = {
    "address": {"country": "SE", "firstName": CANARY, "lastName": "B", "address": "1 Road", "zipcode": "1", "city": "C",
                "email": f"{CANARY}@example.com"},
    "products": [{"qty": 1, "sku": CANARY, "unitPrice": 14.11}],
}  # fmt: skip


async def fill(http: httpx.AsyncClient, key: str) -> set[str]:
    """Orders through every contract, good and bad; every id that the answers name."""
    answers = [
        await call(http, "POST", "/v3/orders/status", key, BREVO),
        await call(http, "POST", "/v3/orders/status/batch", key, {"orders": [BREVO]}),
        await call(http, "POST", "/v1/batches/orders", key, {"orders": [KARRIO, {"order_id": CANARY}]}),
        await call(http, "POST", "/centra/orders", key, {CANARY: CENTRA, "bad": {}}),
        await call(http, "POST", f"/centra/{CANARY}/orders", key, {CANARY: CENTRA}),
        await call(http, "PUT", f"/api/v1/presets/{PRESET}", key, {"source": CANARY}),
    ]
    for path in ("/api/v1/orders", "/api/v1/batches", "/api/v1/keys", "/v1/orders", "/v1/batches/operations",
                 "/api/v1/webhooks", "/api/v1/endpoints"):  # fmt: skip
        answers.append(await call(http, "GET", path, key))
    text = "".join(answer.text for answer in answers)
    found = set(re.findall(r'"((?:ord|bch|batch|key|we|evt|dlv|msg)_[A-Za-z0-9]+)"', text)) | {f"{CANARY}-1", CANARY}
    keys = [entry["id"] for entry in (await call(http, "GET", "/api/v1/keys", key)).json().get("data", [])]
    return found | set(keys) | {"1", "2", "3", PRESET}


def everything_of(house: House, account_id: int) -> dict[str, list[Any]]:
    """Every row of the account, in every table that has one; when a key was last used does not count."""
    connection: Any = house.engine.connect()
    try:
        with connection.transaction() as tx:
            held: dict[str, list[Any]] = {}
            for table in ("orders", "item", "batch", "contact_identifier", "tally", "order_count", "memo", "event",
                          "endpoint", "delivery", "attempt", "import_preset"):  # fmt: skip
                select = f"SELECT * FROM {table} WHERE account_id = {account_id}"
                held[table] = sorted(map(repr, tx.raw.execute(select).fetchall()))
            select = f"SELECT id, revoked_at, expires_at, scopes FROM api_key WHERE account_id = {account_id}"
            held["api_key"] = sorted(map(repr, tx.raw.execute(select).fetchall()))
            return held
    finally:
        connection.close()


BODIES: tuple[Any, ...] = (
    None, {}, {"orders": [{"id": f"{CANARY}-1"}]}, {"order": 1, "comment": "mine now"}, {"metadata": {"mine": "now"}},
)  # fmt: skip


def paths(house: House, named: set[str], reading: bool) -> Iterator[tuple[str, str, str]]:
    """Verb, path and the id in it, for every route and every id."""
    for face, route in routes(house):
        if (route.method == "GET") is reading:
            for value in sorted(named) if "{" in route.pattern else [""]:
                yield route.method, face.prefix + re.sub(r"\{[a-z_]+\}", value, route.pattern), value


async def read_as(http: httpx.AsyncClient, key: str, house: House, named: set[str]) -> int:
    """Nothing of the victim is in any answer, and what has an id is not found. How many were asked."""
    asked = 0
    for method, path, value in paths(house, named, reading=True):
        answer = await call(http, method, path, key)
        asked += 1
        told = answer.text.replace(value, "") if value else answer.text.replace(f"{CANARY} key", "")
        assert answer.status_code < 500, f"{path} {answer.text[:300]}"
        assert CANARY not in told, f"{path} tells {answer.text[:300]}"
        if value and not path.startswith("/centra"):
            assert answer.status_code in (400, 404, 422), f"{path} {answer.text[:300]}"
    return asked


async def write_as(http: httpx.AsyncClient, key: str, house: House, named: set[str]) -> int:
    asked = 0
    for method, path, _ in paths(house, named, reading=False):
        for body in BODIES:
            answer = await call(http, method, path, key, body)
            asked += 1
            assert answer.status_code < 500, f"{method} {path} {answer.text[:300]}"
            own = f"{json.dumps(body)} {path}"
            assert CANARY in own or CANARY not in answer.text, f"{method} {path} tells {answer.text[:300]}"
    return asked


@pytest.mark.anyio
@pytest.mark.parametrize("thief", ["other account", "other account, test", "same account, test"])
async def test_nothing_is_seen_or_changed_across(house: House, http: httpx.AsyncClient, thief: str) -> None:
    victim = (await house.ledger.create_account(f"victim {thief}")).id
    other = (await house.ledger.create_account(f"thief {thief}")).id
    key = await key_of(house, victim, Mode.LIVE)
    named = await fill(http, key)
    assert len(named) > 10
    before = everything_of(house, victim)
    assert all(before[table] for table in ("orders", "item", "batch", "tally", "import_preset"))
    mode = Mode.TEST if "test" in thief else Mode.LIVE
    stolen = await key_of(house, victim if thief.startswith("same") else other, mode)
    asked = [await read_as(http, stolen, house, named), await write_as(http, stolen, house, named)]
    assert min(asked) > 100
    after = everything_of(house, victim)
    if thief.startswith("same"):  # what the thief itself wrote in test mode is its own
        after = {table: [row for row in rows if row in before[table]] for table, rows in after.items()}
    assert after == before


@pytest.mark.anyio
async def test_each_route_asks_for_its_scope_and_no_other_opens_it(house: House, http: httpx.AsyncClient) -> None:
    account = (await house.ledger.create_account("scopes")).id
    keys = {scope: await key_of(house, account, Mode.TEST, (scope,)) for scope in ALL}
    for face, route in routes(house):
        path = face.prefix + re.sub(r"\{[a-z_]+\}", "1", route.pattern)
        assert (await http.request(route.method, path)).status_code == 401, f"{path} is open"
        wrong = "omk_live_testtest_" + "x" * 43
        assert (await call(http, route.method, path, wrong)).status_code == 401
        for scope, key in keys.items():
            answer = await call(http, route.method, path, key)
            allowed = scope is Scope.ADMIN or not route.scope or scope.value == route.scope
            if not allowed:
                assert answer.status_code == 403, f"{route.method} {path} with {scope}: {answer.status_code}"
            elif "/accounts" not in path:
                assert answer.status_code != 403, f"{route.method} {path} with {scope}: {answer.text[:200]}"


@pytest.mark.anyio
async def test_every_route_that_writes_says_so(house: House) -> None:
    for face, route in routes(house):
        if route.method == "GET":
            assert not route.write, route
            assert route.scope != "orders:write", route
        elif "/keys" not in route.pattern and face.name != "ordermill":
            assert route.write, f"{route.method} {face.prefix}{route.pattern} would ignore Idempotency-Key"
