"""GET /api/v1/overview and GET /api/v1/limits."""

from __future__ import annotations

import pytest
from speaking import Client, brevo, centra

from ordermill.core.order import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]

SUMS = ("batches", "received", "created", "updated", "unchanged", "failed")


async def test_the_overview_sums_up_what_came_in_hour_by_hour(client: Client) -> None:
    await client.take("brevo", [brevo("1"), brevo("1"), {}])
    await client.take("centra", [centra()])
    await client.post("/v3/orders/status", brevo("2"))
    test_key = await client.as_key(mode=Mode.TEST)
    await test_key.take("brevo", [brevo("1")])

    said = await client.data("/api/v1/overview")

    assert [said[name] for name in SUMS] == [2, 5, 3, 0, 1, 1]
    assert [sum(hour[name] for hour in said["hours"]) for name in SUMS] == [2, 5, 3, 0, 1, 1]
    assert said["orders"] == {"brevo": 2, "karrio": 0, "centra": 1}
    assert (said["unfinishedBatches"], said["oldestUnfinishedAt"]) == (0, None)
    assert (await client.data("/api/v1/overview", contract="centra"))["received"] == 1
    assert (await client.data("/api/v1/overview", keyId="nobody"))["received"] == 0
    assert (await client.data("/api/v1/overview", until="2026-01-02", since="2026-01-01"))["hours"] == []
    assert (await test_key.data("/api/v1/overview"))["received"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-01-02", "until": "2026-01-01"},
        {"since": "2020-01-01", "until": "2026-01-01"},
        {"since": "0001-01-01", "until": "9999-12-31"},
        {"since": "x"},
    ],
)
async def test_a_range_that_cannot_be_meant_is_refused(client: Client, query: dict[str, str]) -> None:
    assert (await client.get("/api/v1/overview", **query)).status_code == 422


async def test_limits_are_those_that_are_enforced(client: Client) -> None:
    said = await client.data("/api/v1/limits")
    assert said["contracts"]["brevo"] == {"ordersInRequest": 1000, "bodyBytes": 5_242_880}
    assert said["contracts"]["ordermill"] == {"ordersInRequest": 10_000, "bodyBytes": 16_777_216}
    assert said["requestsPerMinute"] is None
    assert said["pageEntries"] == 1000
