"""What the answers of each contract say of single orders; ours and the vendors'."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordermill.client.contracts import WIRES, Sent, base_url, call_of
from ordermill.client.steps import Answer

ORDERS = [Sent(str(index), json.dumps({"n": index}).encode()) for index in range(3)]


def read(contract: str, status: int, body: Any) -> Any:
    return WIRES[contract].read(ORDERS, Answer(status, {}, json.dumps(body).encode()))


def test_bodies_are_what_the_contracts_ask_for() -> None:
    assert json.loads(WIRES["brevo"].write(ORDERS, True)) == {
        "historical": True,
        "orders": [{"n": 0}, {"n": 1}, {"n": 2}],
    }
    assert json.loads(WIRES["karrio"].write(ORDERS, True)) == {"orders": [{"n": 0}, {"n": 1}, {"n": 2}]}
    assert list(json.loads(WIRES["centra"].write(ORDERS, True)).values()) == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("contract", "header"), [("brevo", "api-key"), ("karrio", "Authorization"), ("centra", "API-Authorization")]
)
def test_keys_travel_in_the_contracts_header(contract: str, header: str) -> None:
    call = call_of(WIRES[contract], ORDERS, "secret", historical=True, memo="m", timeout_s=1)
    headers = dict(call.headers)
    assert headers[header].endswith("secret")
    assert headers["Idempotency-Key"] == "m"


@pytest.mark.parametrize(
    ("contract", "told", "url"),
    [
        ("brevo", "https://api.brevo.com", "https://api.brevo.com/v3"),
        ("brevo", "https://api.brevo.com/v3/", "https://api.brevo.com/v3"),
        ("karrio", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("centra", "https://shop.example/api/order-api", "https://shop.example/api/order-api"),
        ("centra", "http://127.0.0.1:8080", "http://127.0.0.1:8080/centra"),
    ],
)
def test_addresses(contract: str, told: str, url: str) -> None:
    assert base_url(WIRES[contract], told) == url


def test_brevo_takes_all_or_none() -> None:
    assert read("brevo", 202, {"batchId": 7, "batch_id": 7, "count": 3}).batch == "7"
    named = read("brevo", 400, {"code": "invalid_parameter", "message": "…", "errors": [
        {"field": "orders[1].products[0].price", "code": "wrong_type", "message": "expected a number"}]})  # fmt: skip
    assert named.whole
    assert {index: troubles[0].field for index, troubles in named.failed.items()} == {1: "products[0].price"}
    in_words = read("brevo", 400, {"code": "invalid_parameter", "message": "orders[2].id: required"})
    assert set(in_words.failed) == {2}
    unnamed = read("brevo", 400, {"code": "invalid_parameter", "message": "Input must be valid"})
    assert (unnamed.failed, unnamed.whole[0].code) == ({}, "invalid_parameter")


def test_karrio_answers_each_order() -> None:
    resources = [
        {"id": "a", "status": "completed"},
        {"id": "b", "status": "failed", "errors": {"order_id": ["no", "no!"]}},
    ]
    found = read("karrio", 200, {"id": "batch_1", "resources": resources})
    assert (found.batch, found.whole) == ("batch_1", ())
    assert [(t.field, t.message) for t in found.failed[1]] == [("order_id", "no no!")]
    assert found.failed[2][0].code == "unanswered"
    bare = read("karrio", 200, {"id": "x", "resources": [{"status": "failed"}]})
    assert bare.failed[0][0].code == "failed"
    refused = read(
        "karrio", 400, {"errors": [{"code": "validation", "message": "…", "details": {"orders[0].order_id": ["no"]}}]}
    )
    assert set(refused.failed) == {0}
    assert refused.whole


def test_centra_answers_each_name() -> None:
    found = read(
        "centra", 200, {"o0": {"status": "ok", "orders": [5]}, "o1": {"status": "no", "msg": "products: required"}}
    )
    assert found.failed[1][0].message == "products: required"
    assert found.failed[2][0].code == "unanswered"
    whole = read("centra", 200, {"status": "no", "msg": "closed"})
    assert "closed" in whole.whole[0].message


@pytest.mark.parametrize("contract", WIRES)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"errors":5}', b'{"resources":5}'])
def test_an_answer_that_makes_no_sense_is_no_success_for_a_refusal(contract: str, body: bytes) -> None:
    assert WIRES[contract].read(ORDERS, Answer(400, {}, body)).whole
