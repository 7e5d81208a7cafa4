"""Pushing to servers that refuse, ask to wait, break off and forget."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ordermill.client.contracts import WIRES, Sent
from ordermill.client.pushing import Done, Journal, Pace, Push, chunks
from ordermill.client.steps import Refused, Unreachable

pytestmark = pytest.mark.anyio


class Vendor:
    """A Brevo server of the vendor's kind: all or nothing, and with moods. `bad`: ids it does not like."""

    def __init__(self) -> None:
        self.bad: set[int] = set()
        self.names_them = True
        self.moods: list[Any] = []  # what the next requests meet, before anything else
        self.orders_max = 1_000
        self.requests: list[list[int]] = []
        self.at: list[float] = []
        self.taken: list[int] = []
        self.keys: set[str] = set()
        self.url = ""

    async def batch(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        ids = [order["id"] for order in body["orders"]]
        self.requests.append(ids)
        self.at.append(time.monotonic())
        mood = self.moods.pop(0) if self.moods else None
        if mood == "drop":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if mood == "take and drop":
            self.take(request, ids)
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if mood is not None:
            status, headers = mood
            return web.json_response({"code": "x", "message": "mood"}, status=status, headers=headers)
        if len(ids) > self.orders_max:
            return web.json_response({"code": "invalid_parameter", "message": "too large"}, status=413)
        wrong = [index for index, number in enumerate(ids) if number in self.bad]
        if wrong:
            message = f"orders[{wrong[0]}].amount: no" if self.names_them else "bad input"
            errors = [{"field": f"orders[{index}].amount", "code": "no", "message": "no"} for index in wrong]
            said = {"code": "invalid_parameter", "message": message} | ({"errors": errors} if self.names_them else {})
            return web.json_response(said, status=400)
        self.take(request, ids)
        return web.json_response({"batchId": 1, "batch_id": 1, "count": len(ids)}, status=202)

    def take(self, request: web.Request, ids: list[int]) -> None:
        key = request.headers["Idempotency-Key"]
        if key not in self.keys:
            self.keys.add(key)
            self.taken += ids


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/v3/orders/status/batch", vendor.batch)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


def orders(count: int, size: int = 0) -> Iterator[Sent]:
    return (Sent(str(number), json.dumps({"id": number, "x": "y" * size}).encode()) for number in range(count))


async def push(vendor: Vendor, count: int, *, journal: Journal | None = None, pace: Pace | None = None) -> list[Done]:
    told: list[Done] = []
    pushing = Push(
        vendor.url, WIRES["brevo"], "key", identity="i", pace=pace or Pace(orders=10), journal=journal, told=told.append
    )
    assert await pushing.run(orders(count))
    return told


def failed_of(told: list[Done]) -> set[int]:
    return {position for done in told for position in done.failed}


async def test_everything_is_sent_once_in_chunks(vendor: Vendor) -> None:
    told = await push(vendor, 95)
    assert sorted(vendor.taken) == list(range(95))
    assert sorted(map(len, vendor.requests)) == [5] + [10] * 9
    assert sum(done.orders for done in told) == 95


def test_chunks_keep_both_limits() -> None:
    pace = Pace(orders=1_000, size_bytes=10_000)
    found = list(chunks(orders(500, size=200), pace, 2))
    assert all(sum(len(order.document) + 2 for order in chunk.orders) <= 10_000 for chunk in found)
    assert sum(len(chunk.orders) for chunk in found) == 500
    assert [chunk.first for chunk in found] == [sum(len(c.orders) for c in found[:i]) for i in range(len(found))]


@pytest.mark.parametrize("names_them", [True, False])
async def test_orders_that_a_server_refuses_do_not_keep_the_others_out(vendor: Vendor, names_them: bool) -> None:
    vendor.bad, vendor.names_them = {3, 17, 18, 40}, names_them
    told = await push(vendor, 50)
    assert failed_of(told) == vendor.bad
    assert sorted(vendor.taken) == [number for number in range(50) if number not in vendor.bad]


async def test_what_is_too_large_is_halved(vendor: Vendor) -> None:
    vendor.orders_max = 3
    assert failed_of(await push(vendor, 40)) == set()
    assert sorted(vendor.taken) == list(range(40))


async def test_it_waits_when_it_is_asked_to(vendor: Vendor) -> None:
    vendor.moods = [(429, {"Retry-After": "1"}), (503, {"Retry-After": "0"})]
    await push(vendor, 30, pace=Pace(orders=10, parallel=1))
    assert vendor.at[1] - vendor.at[0] >= 0.9
    assert sorted(vendor.taken) == list(range(30))


async def test_it_waits_when_nothing_remains(vendor: Vendor) -> None:
    vendor.moods = [(429, {"x-sib-ratelimit-remaining": "0", "x-sib-ratelimit-reset": "1"})]
    await push(vendor, 10, pace=Pace(orders=10, parallel=1))
    assert vendor.at[1] - vendor.at[0] >= 0.9


async def test_it_keeps_the_pace_it_is_told(vendor: Vendor) -> None:
    await push(vendor, 50, pace=Pace(orders=10, per_second=10))
    assert vendor.at[-1] - vendor.at[0] >= 0.35


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(vendor: Vendor) -> None:
    vendor.moods = ["take and drop", "drop"]
    await push(vendor, 30, pace=Pace(orders=10, parallel=1))
    assert sorted(vendor.taken) == list(range(30))
    assert len(vendor.requests) == 5


async def test_a_key_that_is_no_good_ends_it(vendor: Vendor) -> None:
    vendor.moods = [(401, {})]
    with pytest.raises(Refused) as error:
        await push(vendor, 30, pace=Pace(orders=10, parallel=1))
    assert error.value.status == 401


async def test_it_goes_on_where_it_was(vendor: Vendor, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "i")
    journal.begin()
    vendor.bad = {4}
    vendor.moods = [None, None, None, (403, {})]  # order 4 is refused, the rest of its chunk sent again, one more chunk
    with pytest.raises(Refused):
        await push(vendor, 60, journal=journal, pace=Pace(orders=10, parallel=1))
    sent = len(vendor.requests)
    again = Journal(tmp_path / "j", "i")
    assert again.read()
    told = await push(vendor, 60, journal=again, pace=Pace(orders=10, parallel=1))
    assert sorted(vendor.taken) == [number for number in range(60) if number != 4]
    assert failed_of(told) == {4}
    assert len(vendor.requests) - sent == 4


async def test_a_journal_of_another_push_or_cut_off_is_no_harm(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "i")
    assert not journal.read()
    journal.begin()
    journal.note(Done(chunk=0, orders=5))
    journal.path.write_bytes(journal.path.read_bytes() + b'{"chunk":1,"ord')
    assert not Journal(tmp_path / "j", "other").read()
    again = Journal(tmp_path / "j", "i")
    assert again.read()
    assert set(again.done) == {0}


async def test_asked_to_stop_it_ends_behind_what_is_in_hand(vendor: Vendor) -> None:
    stopping = asyncio.Event()
    pushing = Push(
        vendor.url, WIRES["brevo"], "key", identity="i", pace=Pace(orders=10, parallel=1),
        told=lambda done: stopping.set(),
    )  # fmt: skip
    assert not await pushing.run(orders(1_000), stopping)
    assert 10 <= len(vendor.taken) <= 30


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordermill.client.steps.WAIT_FIRST_S", 0.01)
    pushing = Push("http://127.0.0.1:9", WIRES["brevo"], "key", identity="i")
    with pytest.raises(Unreachable):
        await pushing.run(orders(1))
