"""Looking for orders by what only they say, and doing things once more: retries, events, requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from speaking import brevo
from visiting import KARRIO, Seen, Visitor, karrio_order, sender, wrong_order

from ordermill.app import House
from ordermill.console import pages_orders
from ordermill.core.account import Scope
from ordermill.core.delivery_query import NewEndpoint
from ordermill.core.order import Mode

pytestmark = pytest.mark.anyio


def to(number: int, country: str) -> dict[str, Any]:
    order = karrio_order(number)
    order["shipping_to"]["country_code"] = country
    return order


async def shown(visitor: Visitor, path: str) -> list[str]:
    """The references of a page of orders."""
    return [entry["reference"] for entry in (await visitor.http.get(path)).json()["data"]]


async def test_orders_are_found_by_the_country_they_go_to(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    await visitor.send(KARRIO, {"orders": [to(1, "CH"), to(2, "DE"), to(3, "CH"), to(4, "FR")]})
    assert await shown(visitor, "/orders.json?country=ch") == ["SO-3", "SO-1"]
    assert await shown(visitor, "/orders.json?country=CH&contract=brevo") == []
    page = await visitor.get("/orders?country=chf")
    assert (page.status, "two letters" in page.text) == (422, True)
    monkeypatch.setattr(pages_orders, "LOOKED_INTO", 2)
    page = await visitor.get("/orders?country=CH")
    assert [row.text() for row in page.all("tbody tr td a.id")] == ["SO-3"]
    further = await visitor.get(page.link("Look further back"))
    assert [row.text() for row in further.all("tbody tr td a.id")] == ["SO-1"]
    rows = (await visitor.http.get("/orders.csv?country=CH")).text.splitlines()
    assert len(rows) == 3, "the file goes all the way back"


async def test_an_order_says_what_is_odd_about_it_and_is_found_by_that(visitor: Visitor) -> None:
    await visitor.send("/v3/orders/status", {**brevo("plain"), "identifiers": {"email_id": "ada@example.com"}})
    await visitor.send("/v3/orders/status", {**brevo("odd"), "identifiers": {}})
    assert await shown(visitor, "/orders.json?warnings=1") == ["odd"]
    found = (await visitor.http.get("/orders.json")).json()["data"]
    odd = next(entry["id"] for entry in found if entry["reference"] == "odd")
    page = await visitor.get(f"/orders/{odd}")
    assert "it belongs to no contact" in page.one("[aria-label=Warnings]").text()
    plain = next(entry["id"] for entry in found if entry["reference"] == "plain")
    assert not (await visitor.get(f"/orders/{plain}")).all("[aria-label=Warnings]")


async def test_the_failed_of_all_batches_that_match_are_retried_once(visitor: Visitor, house: House) -> None:
    for _ in range(2):
        await visitor.send(KARRIO, {"orders": [wrong_order(1), karrio_order(2)]})
    await visitor.send("/v3/orders/status/batch", {"orders": [brevo("fine")]})
    page = await visitor.get("/batches?contract=karrio")
    told = await visitor.post("/batches/retry?contract=karrio", page)
    assert "2 orders of 2 batches retried: 0 completed, 2 failed again." in told.text
    listed = (await visitor.http.get("/batches.json")).json()["data"]
    assert len(listed) == 5
    again = await visitor.post("/batches/retry?contract=karrio", await visitor.get("/batches?contract=karrio"))
    assert "2 orders of 2 batches retried" in again.text, "of the retries, not of what they have dealt with"
    csrf = (await visitor.get("/batches")).form("/batches/retry")
    none = await visitor.post("/batches/retry?contract=brevo", **csrf)
    assert "No batch that fits" in none.text
    assert "retried failed orders" in (await visitor.get("/system")).text


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Says 200 to everything; what it was sent."""
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        got.append(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", got
    server.close()
    await server.wait_closed()


async def test_all_events_of_an_order_are_sent_again_in_their_order(
    visitor: Visitor, house: House, receiver: tuple[str, list[bytes]]
) -> None:
    url, got = receiver
    await house.pipeline.endpoints.create(sender(), NewEndpoint(url=url))
    house.pipeline.start()
    made = (await visitor.send("/v1/orders", karrio_order(1))).json()["id"]
    await visitor.send(f"/v1/orders/{made}/cancel", b"")

    path = "/orders/" + (await visitor.http.get("/orders.json")).json()["data"][0]["id"]

    async def all_delivered() -> Seen:
        for _ in range(400):
            page = await visitor.get(f"{path}?tab=events")
            if "delivered" in page.text and "pending" not in page.text:
                return page
            await asyncio.sleep(0.05)
        raise AssertionError("the events did not arrive")

    page = await all_delivered()
    first = list(got)
    assert len(first) >= 2
    told = [" ".join(entry.text().split()) for entry in page.all("section[aria-labelledby=versions-title] li")]
    assert told[-1].startswith("Received")
    assert told[-2].startswith("order.created announced")
    assert "arrived at 1 of 1 after" in told[-2]
    after = await visitor.post(f"{path}/replay", page)
    assert f"{len(first)} deliveries are due again." in after.text
    await all_delivered()
    assert got[len(first) :] == first


async def test_a_request_is_sent_again_in_test_mode(stranger: Visitor) -> None:
    visitor = await stranger.by_link(Mode.LIVE)
    sent = await visitor.send(KARRIO, {"orders": [karrio_order(7)]}, mode=Mode.LIVE, **{"idempotency-key": "night-7"})
    path = f"/requests/{sent.headers['x-request-id']}"
    page = await visitor.get(path)
    again = await visitor.post(f"{path}/again", page)
    assert "Sent again in test mode: answered 200; before it was 200." in again.text
    assert again.html.css_first("html.test") is not None
    assert await shown(visitor, "/orders.json") == ["SO-7"]
    assert len((await visitor.http.get("/requests.json")).json()["data"]) == 1, "the live one is in live mode"


async def test_what_cannot_be_sent_again_says_why(stranger: Visitor, house: House) -> None:
    visitor = await stranger.by_key(Scope.ORDERS_READ, Scope.ORDERS_WRITE, mode=Mode.LIVE)
    sent = await visitor.send(KARRIO, {"orders": [karrio_order(1)]}, mode=Mode.LIVE)
    page = await visitor.get(f"/requests/{sent.headers['x-request-id']}")
    button = page.buttons("Send again in test mode")[0]
    assert "disabled" in button.attributes
    assert "live" in (button.attributes["title"] or "")
    refused = await visitor.post(f"/requests/{sent.headers['x-request-id']}/again", page)
    assert refused.status == 409
    large = await visitor.send(KARRIO, {"orders": [karrio_order(n) for n in range(60)]}, mode=Mode.LIVE)
    page = await visitor.get(f"/requests/{large.headers['x-request-id']}")
    assert "disabled" in page.buttons("Send again in test mode")[0].attributes
