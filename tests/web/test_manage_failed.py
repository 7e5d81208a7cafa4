"""The failed orders as files: complete, in the form they were sent, safe to open, fit to be sent again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from speaking import Client, brevo, centra, karrio

from ordermill.web import manage_failed

pytestmark = pytest.mark.anyio


async def rows_of(client: Client, batch: Any, **params: Any) -> list[dict[str, str]]:
    answer = await client.get(f"/api/v1/batches/{batch['id']}/failed.csv", **params)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def lines_of(client: Client, batch: Any, **params: Any) -> list[Any]:
    answer = await client.get(f"/api/v1/batches/{batch['id']}/failed.ndjson", **params)
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.decode().splitlines()]


async def test_a_row_has_the_fields_as_sent_and_what_was_wrong(client: Client) -> None:
    sent = karrio("7", shipping_to={"country_code": "UK", "city": "Leeds"})
    batch = (await client.take("karrio", [karrio("1"), sent]))["batch"]

    (row,) = await rows_of(client, batch)

    assert list(row)[:3] == ["order_id", "shipping_to.country_code", "shipping_to.city"]
    assert row["order_id"] == "7"
    assert row["shipping_to.city"] == "Leeds"
    assert json.loads(row["line_items"]) == sent["line_items"]
    assert (row["ordermill_row"], row["ordermill_key"]) == ("2", "1")
    assert row["ordermill_field"] == "shipping_to.country_code"
    assert row["ordermill_value"] == "UK"
    assert "GB" in row["ordermill_hint"]
    assert row["ordermill_error"].startswith("shipping_to.country_code: ")


async def test_a_line_is_the_order_as_sent_number_for_number(client: Client) -> None:
    body = b'{"contract":"centra","orders":{"n\\u00e4me":{ "products" : [{"sku":"\\u0041","qty":1,"unitPrice":1.50e0}],\n "x":10000000000000001 }}}'  # noqa: E501
    batch = (await client.post("/api/v1/batches", body)).json()["batch"]

    answer = await client.get(f"/api/v1/batches/{batch['id']}/failed.ndjson")

    sent = b'{"products":[{"sku":"\\u0041","qty":1,"unitPrice":1.50e0}],"x":10000000000000001,"ordermill_row":1,'
    assert answer.content.startswith(sent)
    assert answer.content.count(b"\n") == 1
    assert (await lines_of(client, batch))[0]["ordermill_key"] == "näme"


async def test_cells_that_a_spreadsheet_would_run_are_quoted_unless_raw(client: Client) -> None:
    order = brevo("=1+1", amount="-5", billing={"city": "@SUM(A1)", "phone": "+41"}, **{"=evil": "\t"})
    batch = (await client.take("brevo", [order]))["batch"]

    (row,) = await rows_of(client, batch)
    assert row["id"] == "'=1+1"
    assert row["billing.city"] == "'@SUM(A1)"
    assert row["'=evil"] == "'\t"
    assert row["amount"] == "-5"
    (raw,) = await rows_of(client, batch, raw="true")
    assert (raw["id"], raw["billing.phone"], raw["=evil"]) == ("=1+1", "+41", "\t")
    answer = await client.get(f"/api/v1/batches/{batch['id']}/failed.csv", raw="true")
    assert not answer.content.startswith(manage_failed.BOM)


async def test_rows_come_page_by_page_and_none_is_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manage_failed, "ROWS_AT_ONCE", 2)
    orders = [brevo(str(number), **{} if number % 2 else {"amount": None, f"own{number}": "x"}) for number in range(15)]
    batch = (await client.take("brevo", orders))["batch"]
    rows = await rows_of(client, batch)
    assert [row["ordermill_row"] for row in rows] == ["1", "3", "5", "7", "9", "11", "13", "15"]
    assert [row["own14"] for row in rows] == [""] * 7 + ["x"]
    assert len(await lines_of(client, batch)) == 8


async def test_too_many_columns_leave_objects_whole(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manage_failed, "COLUMNS_MAX", 20)
    meta = {f"m{number}": number for number in range(30)}
    batch = (await client.take("brevo", [brevo("1", amount=None, metaInfo=meta)]))["batch"]
    (row,) = await rows_of(client, batch)
    assert json.loads(row["metaInfo"]) == meta
    assert "metaInfo.m1" not in row


async def test_what_is_no_object_is_kept_as_a_text(client: Client) -> None:
    batch = (await client.take("centra", {"a": 5, "b": [1, "x"], "c": {}, "d": None}))["batch"]
    rows = await rows_of(client, batch)
    assert [row["ordermill_document"] for row in rows] == ["5", '[1, "x"]', "", "null"]
    lines = await lines_of(client, batch)
    assert [line.get("ordermill_document") for line in lines] == ["5", '[1, "x"]', None, "null"]


async def test_files_can_be_asked_for_one_cause(client: Client) -> None:
    batch = (await client.take("karrio", [{}, karrio("1", line_items=[])]))["batch"]
    (row,) = await rows_of(client, batch, code="required")
    assert row["ordermill_row"] == "1"
    assert len(await lines_of(client, batch, field="order_id")) == 1
    assert (await client.get(f"/api/v1/batches/{batch['id']}/failed.csv", cod="x")).status_code == 422


async def test_a_file_that_was_mended_is_taken_as_it_is(client: Client) -> None:
    batch = (await client.take("centra", {"a": centra(), "b": centra(address={"country": "CH"})}))["batch"]
    (line,) = await lines_of(client, batch)
    line["address"]["email"] = "ada@example.com"
    fixed = await client.post(f"/api/v1/batches/{batch['id']}/resubmit", {"orders": {line["ordermill_key"]: line}})
    assert [(order["key"], order["outcome"]) for order in fixed.json()["orders"]] == [("b", "created")]


async def test_a_batch_without_failures_gives_an_empty_file(client: Client) -> None:
    batch = (await client.take("brevo", [brevo("1")]))["batch"]
    assert await rows_of(client, batch) == []
    assert await lines_of(client, batch) == []
