"""Centra through the guard: what is refused before a handler sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from speaking import Client, centra

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/centra/orders", {"a": centra()}),
        ("POST", "/centra/order", centra()),
        ("POST", "/centra/order/1", {}),
        ("PUT", "/centra/orders", {"order": 1, "comment": "late"}),
    ],
)
@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
async def test_an_idempotency_key_that_cannot_be_one_is_a_fault_of_the_whole_request(
    client: Client, key: str, method: str, path: str, body: Any
) -> None:
    answer = await client.call(method, path, body, headers={"idempotency-key": key})
    assert answer.status_code == 400, "a batch that is answered with 200 has an answer under each of its names"
    assert (answer.json()["status"], answer.json()["code"]) == ("no", -7)
    assert (await client.get("/centra/orders")).json()["orders"] == []


@pytest.mark.parametrize(
    "path", ["/centra/order/1", "/centra/order/1/", "/centra/outlet/order/1", "/centra/orders/new"]
)
async def test_what_the_contract_does_not_offer_for_reading_is_404(client: Client, path: str) -> None:
    await client.post("/centra/order", centra())
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (404, "no")
    assert set(json.loads(answer.content)) == {"status", "msg"}


async def test_a_verb_that_a_path_does_not_have_is_405_and_told_which_it_has(client: Client) -> None:
    answer = await client.call("DELETE", "/centra/orders")
    assert (answer.status_code, answer.json()["status"]) == (405, "no")
    assert answer.headers["allow"] == "GET, POST, PUT"
