"""A verb that a path does not have: who asks is known before it is said which ones there are."""

from __future__ import annotations

import pytest
from speaking import Client

pytestmark = pytest.mark.anyio
WRONG = [
    ("PATCH", "/v1/orders"),
    ("DELETE", "/v1/batches/orders"),
    ("PUT", "/v1/webhooks"),
    ("DELETE", "/v3/orders/status"),
    ("PUT", "/centra/order"),
    ("DELETE", "/api/v1/orders"),
]


@pytest.mark.parametrize(("method", "path"), WRONG)
async def test_a_wrong_verb_is_told_which_ones_there_are(keeper: Client, method: str, path: str) -> None:
    answer = await keeper.call(method, path)
    assert answer.status_code == 405
    assert method not in answer.headers["allow"].split(", ")


@pytest.mark.parametrize(("method", "path"), WRONG)
async def test_a_stranger_is_told_nothing_but_that_he_is_one(keeper: Client, method: str, path: str) -> None:
    answer = await keeper.http.request(method, path)
    assert answer.status_code == 401
    assert "allow" not in answer.headers


async def test_karrio_tells_the_mode_of_the_key_with_a_wrong_verb_too(keeper: Client) -> None:
    answer = await keeper.call("PATCH", "/v1/orders")
    assert answer.headers["x-test-mode"] == "False"
