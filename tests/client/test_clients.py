"""Both clients against a real server; the examples of docs/client.md, run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from server_process import ServerProcess

from ordermill.client import AsyncOrdermill, Ordermill, Refused
from ordermill.examples import night
from ordermill.web.import_shapes import ImportPlan, Line, StreamEnd

DOCS = Path(__file__).resolve().parents[2] / "docs" / "client.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("data"), access_log="false", log_level="error") as server:
        yield server


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Ordermill]:
    with Ordermill(server.url, server.key) as client:
        yield client


def order(reference: str, **line: Any) -> dict[str, Any]:
    return {
        "order_id": reference, "shipping_to": {"country_code": "CH"},
        "line_items": [{"weight": 1, "weight_unit": "KG", **line}],
    }  # fmt: skip


def some(count: int) -> list[dict[str, Any]]:
    mark = uuid4().hex[:8]
    return [order(f"{mark}-{number}") for number in range(count)]


def test_orders_go_in_by_the_thousand_and_each_is_accounted_for(client: Ordermill) -> None:
    orders = some(2_300)
    orders[1_500] = order("bad", weight_unit="kgs")
    taken = list(client.send(orders, "karrio"))
    assert [part.counts.received for part in taken] == [1_000, 1_000, 300]
    assert sum(part.counts.created for part in taken) == 2_299
    failed = list(client.items(taken[1].batch.id if taken[1].batch else "", outcome="failed"))
    assert [(item.position, item.problems[0].code) for item in failed] == [(500, "invalid_choice")]


def test_sending_again_under_the_same_key_does_nothing_again(client: Ordermill) -> None:
    orders, key = some(10), uuid4().hex
    first = [part.batch.id for part in client.send(orders, "karrio", key=key) if part.batch]
    assert [part.batch.id for part in client.send(orders, "karrio", key=key) if part.batch] == first


def test_pages_are_walked_through(client: Ordermill) -> None:
    orders = some(250)
    list(client.send(orders, "karrio"))
    references = [entry["order_id"] for entry in orders]
    assert [found.reference for found, _ in zip(client.orders(limit=100), range(250), strict=False)] == references[::-1]
    batch = next(iter(client.batches(limit=1)))
    assert len(list(client.items(batch.id, limit=100))) == 250


def test_one_order_in_all_its_forms(client: Ordermill) -> None:
    (sent,) = some(1)
    list(client.send([sent], "karrio"))
    found = client.order_by_reference("karrio", sent["order_id"])
    assert found.content is not None
    assert client.order(found.id).reference == sent["order_id"]
    assert client.order_as(found.id, "brevo")["id"] == sent["order_id"]
    assert json.loads(client.raw(found.id)) == sent
    assert len(client.history(found.id)) == 1
    exported = b"".join(client.export(reference=sent["order_id"]))
    assert json.loads(exported)["reference"] == sent["order_id"]


def test_a_refusal_says_what_is_wrong(client: Ordermill, server: ServerProcess) -> None:
    with pytest.raises(Refused) as refused:
        list(client.send([order("")], "karrio", error_policy="reject_all"))
    assert refused.value.errors
    with Ordermill(server.url, "wrong") as stranger, pytest.raises(Refused) as refused:
        next(stranger.batches())
    assert refused.value.status == 401


def test_a_file_is_imported_over_http(client: Ordermill, tmp_path: Path) -> None:
    path = tmp_path / "night.csv"
    path.write_text(night.text(1_200, {"state": 3}), encoding="utf-8")
    found = client.upload(path)
    client.plan_import(found.id, ImportPlan(source=uuid4().hex[:8]))
    client.start_import(found.id)
    while (found := client.get_import(found.id)).state in ("queued", "running"):
        pass
    assert found.state == "completed"
    assert found.counts is not None
    assert (found.counts.created, found.counts.failed) == (1_197, 3)
    assert len(b"".join(client.import_errors(found.id)).splitlines()) == 4
    assert [cause.count for cause in client.causes(found.batch_id or "")] == [3]


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(server: ServerProcess) -> None:
    orders = some(1_100)
    async with AsyncOrdermill(server.url, server.key) as client:
        taken = [part async for part in client.send(orders, "karrio")]
        assert [part.counts.created for part in taken] == [1_000, 100]
        batch = await client.batch(taken[0].batch.id if taken[0].batch else "")
        assert batch.status == "completed"
        assert (await client.order_by_reference("karrio", orders[0]["order_id"])).revision == 1
        assert len([item async for item in client.items(batch.id, limit=100)]) == 1_000


@pytest.mark.anyio
async def test_a_stream_of_any_length(server: ServerProcess) -> None:
    orders, key = some(6_000), uuid4().hex
    async with AsyncOrdermill(server.url, server.key) as client:
        answers = [answer async for answer in client.stream(iter(orders), "karrio", key=key)]
        *lines, end = answers
        assert isinstance(end, StreamEnd)
        assert (end.done, end.counts.created if end.counts else 0) == (True, 6_000)
        assert [line.line for line in lines if isinstance(line, Line)] == list(range(1, 6_001))
        again = [answer async for answer in client.stream(iter(orders), "karrio", key=key, only_failed=True)]
        assert len(again) == 1
        assert isinstance(again[0], StreamEnd)
        assert again[0].batch_id == end.batch_id


def test_the_examples_of_the_documentation_run(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night.csv").write_text(night.text(20, {"state": 1}), encoding="utf-8")
    for number, block in enumerate(blocks):
        code = block.replace("http://127.0.0.1:8080", server.url).replace("omk_live_…", server.key)
        exec(compile(code, f"docs/client.md, block {number + 1}", "exec"), {"__name__": "__main__"})
