"""Idempotency-Key on every write of every contract: one effect, one answer, however often and however close."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from postgres_server import drop_database, fresh_database
from trust.test_isolation import BREVO, CENTRA, KARRIO, headers

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key

NATIVE = {"contract": "karrio", "orders": [KARRIO]}
WRITES = (
    ("POST", "/v3/orders/status", BREVO, 204),
    ("POST", "/v3/orders/status/batch", {"orders": [BREVO]}, 202),
    ("POST", "/v1/batches/orders", {"orders": [KARRIO]}, 200),
    ("POST", "/v1/orders", KARRIO, 201),
    ("PUT", "/v1/orders/{karrio}", {"metadata": {"a": "b"}}, 200),
    ("POST", "/v1/orders/{karrio}/cancel", None, 200),
    ("DELETE", "/v1/orders/{karrio}", None, 200),
    ("POST", "/centra/order", CENTRA, 200),
    ("POST", "/centra/orders", {"a": CENTRA, "b": {}}, 200),
    ("POST", "/centra/other/orders/", {"a": CENTRA}, 200),
    ("PUT", "/centra/orders", {"order": "{centra}", "comment": "again"}, 200),
    ("POST", "/api/v1/batches/{failed}/retry", None, None),
)
CREATING = (
    ("/v3/orders/status", BREVO),
    ("/v3/orders/status/batch", {"orders": [BREVO]}),
    ("/v1/batches/orders", {"orders": [KARRIO]}),
    ("/v1/orders", KARRIO),
    ("/centra/order", CENTRA),
    ("/centra/orders", {"a": CENTRA, "b": CENTRA}),
)


class Two:
    """Two processes' worth of Ordermill on one PostgreSQL (one, on SQLite), and a key that both know."""

    def __init__(self, houses: list[House], key: str) -> None:
        self.houses = houses
        self.key = key
        self.clients = [
            httpx.AsyncClient(transport=httpx.ASGITransport(app=house.web), base_url="http://mill.test")
            for house in houses
        ]

    async def call(self, place: int, method: str, path: str, body: Any, memo: str = "") -> httpx.Response:
        more = {"idempotency-key": memo} if memo else {}
        content = json.dumps(body).encode() if body is not None else None
        client = self.clients[place % len(self.clients)]
        return await client.request(method, path, content=content, headers={**headers(path, self.key), **more})

    def count(self, select: str) -> int:
        connection: Any = self.houses[0].engine.connect()
        try:
            with connection.transaction() as tx:
                return int(tx.raw.execute(select).fetchone()[0])
        finally:
            connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    server: str = request.getfixturevalue("postgres_url")
    url = fresh_database(server)
    yield url
    drop_database(server, url)


@pytest.fixture
async def two(database_url: str, tmp_path: Path) -> AsyncIterator[Two]:
    config = Config(data=str(tmp_path), database_url=database_url, access_log=False)
    engines = [make_engine(config) for _ in range(2 if database_url else 1)]
    prepare(engines[0], config)
    houses = [House(config, engine) for engine in engines]
    key, secret = new_key(1, "tests", Mode.LIVE, (Scope.ADMIN,), rate_limit=None, expires_at=None)
    await houses[0].ledger.save_key(key)
    made = Two(houses, secret)
    yield made
    for client in made.clients:
        await client.aclose()
    for house in houses:
        house.close()


def fresh(body: Any) -> Any:
    """The same kind of order under names that nobody has used."""
    text = json.dumps(body)
    return json.loads(text.replace("canary7c1", f"c{uuid4().hex[:12]}"))


def told_of(answer: httpx.Response) -> dict[str, str]:
    """The headers that tell of the effect: which batch it was, how many orders were taken."""
    return {name: value for name, value in answer.headers.items() if name.startswith(("ordermill-", "location"))}


def differs(body: Any) -> Any:
    other = copy.deepcopy(body) if body is not None else {}
    return {**other, "zz": "different"}


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES)
async def test_the_same_answer_is_given_again(two: Two, method: str, path: str, body: Any, status: int | None) -> None:
    made = await two.call(0, "POST", "/v1/orders", fresh(KARRIO))
    placed = await two.call(0, "POST", "/centra/order", CENTRA)
    await two.call(0, "POST", "/v1/batches/orders", {"orders": [{}]})
    failed = (await two.call(0, "GET", "/api/v1/batches", None)).json()["data"][0]["id"]
    path = path.format(karrio=made.json()["id"], failed=failed)
    if isinstance(body, dict) and body.get("order") == "{centra}":
        body = {**body, "order": int(placed.json()["orders"][0])}
    body = fresh(body) if body is not None else None
    first = await two.call(0, method, path, body, "once")
    assert first.status_code < 300, first.text
    assert status in (None, first.status_code)
    assert "idempotent-replayed" not in first.headers
    if method == "POST" and path in ("/v3/orders/status/batch", "/v1/batches/orders", "/centra/orders"):
        assert "ordermill-batch-id" in told_of(first)
    for place in (1, 0):
        again = await two.call(place, method, path, body, "once")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert told_of(again) == told_of(first)
    if method == "DELETE":  # whose body means nothing
        return
    other = await two.call(1, method, path, differs(body), "once")
    if path.startswith("/v3"):
        assert (other.status_code, other.json()["code"]) == (400, "duplicate_request")
    else:
        assert other.status_code == 422, other.text


@pytest.mark.anyio
async def test_a_refused_request_leaves_its_key_free(two: Two) -> None:
    for path, body in CREATING[:4]:
        memo = uuid4().hex
        bad = await two.call(0, "POST", path, [], memo)
        assert 400 <= bad.status_code < 500
        assert (await two.call(1, "POST", path, fresh(body), memo)).status_code < 300


async def repeat(two: Two, times: int) -> None:
    """Keys of every kind, each sent many times at once by everybody."""
    requests = [(path, fresh(body), uuid4().hex) for path, body in CREATING for _ in range(max(2, times // 300))]
    each = times // len(requests)
    before = two.count("SELECT count(*) FROM item")
    gate = asyncio.Semaphore(200)

    async def one(place: int, path: str, body: Any, memo: str) -> tuple[int, bytes, bool]:
        async with gate:
            answer = await two.call(place, "POST", path, body, memo)
            return answer.status_code, answer.content, "idempotent-replayed" in answer.headers

    calls = [one(place, *request) for place in range(each) for request in requests]
    answers = await asyncio.gather(*calls)
    for number, (path, _, _) in enumerate(requests):
        mine = answers[number :: len(requests)]
        assert {answer[:2] for answer in mine} == {mine[0][:2]}, f"{path} was answered in two ways"
        assert mine[0][0] < 300
        assert sum(not replayed for _, _, replayed in mine) == 1, f"{path} was done more than once"
    orders = sum(2 if path == "/centra/orders" else 1 for path, _, _ in requests)
    assert two.count("SELECT count(*) FROM item") - before == orders
    assert two.count("SELECT count(*) FROM memo") == len(requests)
    print(f"\n{len(answers)} repeats of {len(requests)} keys")


@pytest.mark.anyio
async def test_a_thousand_repeats_at_once(two: Two) -> None:
    await repeat(two, 1_000)


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ten_thousand_repeats_at_once(two: Two) -> None:
    await repeat(two, 10_000)


@pytest.mark.anyio
async def test_repeats_of_a_cancellation_meet_no_conflict(two: Two) -> None:
    for _ in range(5):
        made = (await two.call(0, "POST", "/v1/orders", fresh(KARRIO))).json()["id"]
        memo = uuid4().hex
        calls = [two.call(place, "POST", f"/v1/orders/{made}/cancel", None, memo) for place in range(10)]
        answers = await asyncio.gather(*calls)
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.anyio
async def test_who_comes_while_the_first_is_in_hand_waits_for_it(two: Two) -> None:
    """And is never told 409: the SDKs of one contract would send it again."""
    release = asyncio.Event()
    for house in two.houses:
        settle = house.ledger.settle

        async def slow(*args: Any, settle: Any = settle, **kwargs: Any) -> Any:
            await release.wait()
            return await settle(*args, **kwargs)

        house.ledger.settle = slow  # type: ignore[method-assign]
    tasks = [
        asyncio.create_task(two.call(place, "POST", "/v3/orders/status/batch", {"orders": [BREVO]}, "slow"))
        for place in range(10)
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in tasks)
    release.set()
    answers = await asyncio.gather(*tasks)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
