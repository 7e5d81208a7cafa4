"""Imports and streams over our own API."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from speaking import Client

from ordermill.core.importing import ImportState
from ordermill.examples import night
from ordermill.files.reading import Reading
from ordermill.store.imports import ImportLedger

pytestmark = pytest.mark.anyio
API = "/api/v1"


async def upload(client: Client, content: str | bytes, name: str = "night.csv") -> Any:
    body = content.encode() if isinstance(content, str) else content
    answer = await client.post(f"{API}/imports", body, params={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def finished(client: Client, import_id: str) -> Any:
    """Does the server's background work until nothing is left of this import."""
    while await client.house.importer.run_once():
        pass
    return (await client.get(f"{API}/imports/{import_id}")).json()


async def test_from_upload_to_errors_file(client: Client) -> None:
    found = await upload(client, night.text(1_500, {"state": 2, "weight_unit": 1}))
    assert (found["state"], found["file"]["contract"], found["file"]["columns"][0]["field"]) == (
        "ready", "karrio", "reference",
    )  # fmt: skip
    assert found["file"]["columns"][2]["samples"][0] == "Ada Lind"
    path = f"{API}/imports/{found['id']}"
    assert (await client.post(f"{path}/check")).status_code == 202
    checked = await finished(client, found["id"])
    assert (checked["state"], checked["report"]["failed"], checked["batchId"]) == ("ready", 3, None)
    assert [cause["count"] for cause in checked["report"]["causes"]] == [2, 1]
    assert (await client.post(f"{path}/start")).status_code == 202
    done = await finished(client, found["id"])
    assert (done["state"], done["counts"]["created"], done["counts"]["failed"]) == ("completed", 1_497, 3)
    errors = (await client.get(f"{path}/errors.csv")).text
    assert len(errors.splitlines()) == 1 + 3
    assert errors.startswith('\ufeff"order_no","date","name",')
    assert (await client.get(f"{API}/batches/{done['batchId']}")).json()["origin"] == "import"


async def test_a_plan_changes_how_the_file_is_read(client: Client) -> None:
    found = await upload(client, "kto;who\n1;Ann\n", "list.csv")
    assert found["state"] == "failed"
    assert "order's id" in found["message"]
    path = f"{API}/imports/{found['id']}/plan"
    answer = await client.call(
        "PUT", path, {"columns": {"kto": "reference", "who": "ship_to.name"}, "contract": "karrio"}
    )
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")
    answer = await client.call("PUT", path, {"columns": {"kto": "reference", "whoo": "ship_to.name"}})
    assert answer.status_code == 422
    assert "whoo" in answer.json()["detail"]
    assert (await client.call("PUT", path, {"colums": {}})).status_code == 422


async def test_a_file_is_looked_at_beside_the_loop_that_answers(client: Client, monkeypatch: Any) -> None:
    looked: list[bool] = []

    class Looking(Reading):
        def __init__(self, *args: Any, **more: Any) -> None:
            looked.append(threading.current_thread() is threading.main_thread())
            super().__init__(*args, **more)

    monkeypatch.setattr("ordermill.web.imports.Reading", Looking)
    found = await upload(client, night.text(3, {}))
    answer = await client.call("PUT", f"{API}/imports/{found['id']}/plan", {"contract": "karrio"})
    assert answer.status_code == 200
    assert looked == [False, False]


async def test_stop_and_start_again(client: Client) -> None:
    found = await upload(client, night.text(1_200, {}))
    path = f"{API}/imports/{found['id']}"
    await client.post(f"{path}/start")
    assert (await client.post(f"{path}/stop")).json()["state"] == "stopped"
    assert (await client.post(f"{path}/stop")).json()["state"] == "stopped"
    assert not await client.house.importer.run_once()
    await client.post(f"{path}/start")
    assert (await finished(client, found["id"]))["counts"]["created"] == 1_200
    assert (await client.post(f"{path}/start")).status_code == 409


async def test_imports_are_listed_and_forgotten(client: Client) -> None:
    ids = [(await upload(client, night.text(3, {}), f"n{number}.csv"))["id"] for number in range(3)]
    listed = (await client.get(f"{API}/imports", limit=2)).json()
    assert [entry["id"] for entry in listed["data"]] == ids[:0:-1]
    rest = (await client.get(f"{API}/imports", limit=2, cursor=listed["next"])).json()
    assert [entry["id"] for entry in rest["data"]] == ids[:1]
    assert (await client.call("DELETE", f"{API}/imports/{ids[0]}")).status_code == 204
    assert (await client.get(f"{API}/imports/{ids[0]}")).status_code == 404


async def test_the_batch_of_an_import_that_is_deleted_half_way_is_ended(client: Client) -> None:
    house = client.house
    found = await upload(client, night.text(2_500, {}))
    path = f"{API}/imports/{found['id']}"
    await client.post(f"{path}/start")
    leaving = asyncio.Event()
    leaving.set()
    assert await house.importer.run_once(leaving)  # one chunk
    assert (await client.post(f"{path}/stop")).json()["state"] == "stopped"
    stopped = (await client.get(path)).json()
    assert (await client.call("DELETE", path)).status_code == 204
    batch = (await client.get(f"{API}/batches/{stopped['batchId']}")).json()
    assert (batch["status"], batch["counts"]["created"]) == ("cancelled", 1_000)
    assert batch["finishedAt"] is not None
    events = await client.data(f"{API}/events", type="batch.completed_with_errors")
    assert stopped["batchId"] in json.dumps(events)


async def test_an_import_whose_worker_has_not_noticed_the_stop_is_not_deleted(client: Client) -> None:
    imports = client.house.importer.imports
    found = await upload(client, night.text(3, {}))
    path = f"{API}/imports/{found['id']}"
    await client.post(f"{path}/start")
    job = next(job for job in await imports.find_due() if f"imp_{job.id}" == found["id"])
    claimed = await imports.claim(job, "busy")
    assert claimed is not None
    await client.post(f"{path}/stop")
    answer = await client.call("DELETE", path)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "2")
    assert not await imports.renew(claimed, 0)  # this is how it notices
    await imports.leave(msgspec.structs.replace(claimed, state=ImportState.STOPPED))
    assert (await client.call("DELETE", path)).status_code == 204


async def test_nobody_sees_the_imports_of_another_account(client: Client) -> None:
    found = await upload(client, night.text(3, {}))
    other = await client.as_key(account=f"other {found['id']} {id(client)}")
    assert (await other.get(f"{API}/imports/{found['id']}")).status_code == 404
    assert (await other.post(f"{API}/imports/{found['id']}/start")).status_code == 404
    assert (await other.data(f"{API}/imports")) == []


@pytest.mark.parametrize("bad", ["x", "imp_x", "imp_99999999999999999999", "imp_"])
async def test_an_id_that_is_none(client: Client, bad: str) -> None:
    assert (await client.get(f"{API}/imports/{bad}")).status_code == 404


async def test_a_gzipped_upload_is_unpacked(client: Client) -> None:
    body = gzip.compress(night.text(20, {}).encode())
    answer = await client.post(f"{API}/imports", body, params={"name": "n.csv"}, headers={"content-encoding": "gzip"})
    assert answer.json()["sizeBytes"] == len(night.text(20, {}).encode())


# -- streams


def order(number: int, **more: Any) -> dict[str, Any]:
    return {
        "order_id": f"S-{number}", "shipping_to": {"country_code": "CH"},
        "line_items": [{"weight": 1, "weight_unit": "KG", **more}],
    }  # fmt: skip


def ndjson(orders: list[Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in orders)


async def stream(client: Client, body: Any, *, key: str | None = None, **params: Any) -> list[Any]:
    headers = {"authorization": f"Bearer {client.key}"} | ({"idempotency-key": key} if key else {})
    answer = await client.http.post(
        f"{API}/orders/stream", content=body, params={"contract": "karrio", **params}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_every_line_is_answered_and_the_sum_comes_last(client: Client) -> None:
    orders = [order(number) for number in range(1_200)]
    orders[7] = order(7, weight_unit="kgs")
    *lines, end = await stream(client, ndjson(orders))
    assert [line["line"] for line in lines] == list(range(1, 1_201))
    assert lines[7]["outcome"] == "failed"
    assert lines[7]["problems"][0]["field"] == "line_items[0].weight_unit"
    assert (end["done"], end["counts"]["created"], end["counts"]["failed"]) == (True, 1_199, 1)
    batch = (await client.get(f"{API}/batches/{end['batchId']}")).json()
    assert (batch["origin"], batch["status"]) == ("stream", "completed_with_errors")


async def test_outcomes_come_back_while_lines_are_sent(client: Client) -> None:
    """A sender that waits for the outcome of a line before it sends the next one is not kept waiting."""
    told = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield ndjson([order(1)])
        await asyncio.wait_for(told.wait(), 10)
        yield ndjson([order(2)])

    chunks: list[bytes] = []
    messages = body()
    more = True

    async def receive() -> Any:
        nonlocal more
        async for piece in messages:
            return {"type": "http.request", "body": piece, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message.get("body"):
            chunks.append(message["body"])
            told.set()

    scope = {
        "type": "http", "method": "POST", "path": f"{API}/orders/stream", "query_string": b"contract=karrio",
        "headers": [(b"authorization", f"Bearer {client.key}".encode())], "scheme": "http", "root_path": "",
        "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await client.house.web(scope, receive, send)
    assert [json.loads(line).get("line") for line in b"".join(chunks).splitlines()] == [1, 2, None]


async def test_a_stream_that_broke_off_is_sent_again_and_doubles_nothing(client: Client) -> None:
    orders = [order(number) for number in range(1_500)]

    async def broken() -> AsyncIterator[bytes]:
        yield ndjson(orders[:1_100])
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await stream(client, broken(), key="night-1")
    *lines, end = await stream(client, ndjson(orders), key="night-1")
    assert end["counts"]["received"] == 1_500
    assert end["counts"]["created"] == 1_500
    assert sum(line.get("replayed", False) for line in lines) >= 500
    *again, end = await stream(client, ndjson(orders), key="night-1")
    assert all(line["replayed"] for line in again)
    assert end["counts"]["created"] == 1_500


async def test_a_stream_that_is_sent_again_while_the_first_one_still_waits_is_not_doubled(
    client: Client, monkeypatch: Any
) -> None:
    """The first has no batch yet: its first lines wait for their turn in the ledger."""
    waits, goes_on = asyncio.Event(), asyncio.Event()
    open_batch = ImportLedger.open_batch

    async def waiting(self: ImportLedger, *words: Any) -> int:
        waits.set()
        await goes_on.wait()
        return await open_batch(self, *words)

    monkeypatch.setattr(ImportLedger, "open_batch", waiting)
    orders = [order(number) for number in range(5)]
    first = asyncio.ensure_future(stream(client, ndjson(orders), key="again"))
    await asyncio.wait_for(waits.wait(), 10)
    headers = {"authorization": f"Bearer {client.key}", "idempotency-key": "again"}
    second = asyncio.ensure_future(
        client.http.post(f"{API}/orders/stream?contract=karrio", content=ndjson(orders), headers=headers)
    )
    await asyncio.wait({second}, timeout=0.5)
    goes_on.set()
    answer = await second
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "60")
    assert (await first)[-1]["counts"]["created"] == 5
    *lines, end = await stream(client, ndjson(orders), key="again")
    assert all(line["replayed"] for line in lines)
    jobs = (await client.get(f"{API}/imports")).json()["data"]
    assert [job["batchId"] for job in jobs if job["name"] == "stream"] == [end["batchId"]]


async def test_a_stream_without_lines_is_no_obstacle_to_one_with_lines(client: Client) -> None:
    assert (await stream(client, b"", key="night"))[-1]["done"] is True
    assert (await stream(client, ndjson([order(1)]), key="night"))[-1]["counts"]["created"] == 1


async def test_another_stream_under_the_same_key_is_refused(client: Client) -> None:
    await stream(client, ndjson([order(1)]), key="k")
    said = await stream(client, ndjson([order(2)]), key="k")
    assert said[-1]["done"] is False
    assert "S-2" in said[-1]["message"]


async def test_a_gzipped_stream(client: Client) -> None:
    headers = {"authorization": f"Bearer {client.key}", "content-encoding": "gzip"}
    answer = await client.http.post(
        f"{API}/orders/stream?contract=karrio&outcomes=failed",
        content=gzip.compress(ndjson([order(1), {}])),
        headers=headers,
    )
    first, end = [json.loads(line) for line in answer.text.splitlines()]
    assert (first["line"], first["outcome"], end["counts"]["created"]) == (2, "failed", 1)


async def test_an_empty_stream_is_done(client: Client) -> None:
    assert (await stream(client, b"\n\n"))[-1]["done"] is True


@pytest.mark.parametrize(
    ("params", "status"), [({}, 422), ({"contract": "none"}, 422), ({"contract": "karrio", "x": "1"}, 422)]
)
async def test_a_stream_must_say_what_it_is(client: Client, params: Any, status: int) -> None:
    answer = await client.post(f"{API}/orders/stream", b"", params=params)
    assert answer.status_code == status


# -- exports


async def test_orders_are_exported_and_go_in_again_as_the_same(client: Client) -> None:
    await stream(client, ndjson([order(number, sku="=1+1", quantity=2) for number in range(700)]))
    exported = (await client.get(f"{API}/orders/export")).content
    assert len(exported.splitlines()) == 700
    assert json.loads(exported.splitlines()[0])["reference"] == "S-0"
    found = await upload(client, exported, "orders.ndjson")
    await client.post(f"{API}/imports/{found['id']}/start")
    assert (await finished(client, found["id"]))["counts"]["unchanged"] == 700
    table = (await client.get(f"{API}/orders/export", format="csv")).text
    assert "'=1+1" in table
    found = await upload(client, table, "orders.csv")
    await client.call("PUT", f"{API}/imports/{found['id']}/plan", {"contract": "karrio"})
    await client.post(f"{API}/imports/{found['id']}/start")
    assert (await finished(client, found["id"]))["counts"]["unchanged"] == 700


async def test_an_export_is_filtered(client: Client) -> None:
    await stream(client, ndjson([order(number) for number in range(5)]))
    exported = (await client.get(f"{API}/orders/export", reference="S-3")).content
    assert [json.loads(line)["reference"] for line in exported.splitlines()] == ["S-3"]
    as_karrio = (await client.get(f"{API}/orders/export", **{"as": "karrio", "reference": "S-3"})).content
    assert json.loads(as_karrio)["order_id"] == "S-3"
