"""Brevo answers as written, and an order of any contract in Brevo's form."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordermill.core.batch import Batch, BatchStatus, Counts, Problem
from ordermill.core.errors import (
    REFUSALS,
    Duplicate,
    Forbidden,
    Invalid,
    KeyReused,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    Refusal,
    TooLarge,
    TooMany,
    TooOften,
    Unauthorized,
    Unreadable,
)
from ordermill.core.order import Address, Content, Line, Mode, Order
from ordermill.core.query import Page
from ordermill.dialects.brevo.inbound import read_draft
from ordermill.dialects.brevo.outbound import (
    ERRORS,
    read_content,
    throttle_headers,
    write_batch,
    write_content,
    write_order_request,
    write_orders,
    write_refusal,
)
from ordermill.web.http import Reply, Request

# The closed list of the contract's section 2; a hand-built error model of one SDK line raises on any other.
CODES = {
    *("invalid_parameter", "missing_parameter", "out_of_range", "campaign_processing", "campaign_sent"),
    *("document_not_found", "not_enough_credits", "permission_denied", "duplicate_parameter", "duplicate_request"),
    *("method_not_allowed", "unauthorized", "account_under_validation", "not_acceptable", "bad_request"),
    "unprocessable_entity",
}


def asked(**headers: str) -> Request:
    return Request("POST", "/v3/orders/status", b"", headers, b"", "req", 0)


def told(refusal: Refusal, **headers: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(write_refusal(refusal, asked(**headers)).body)
    return body


def header(reply: Reply, name: str) -> str | None:
    return dict(reply.headers).get(name)


def known(document: bytes, contact_id: int | None = 7) -> Order:
    """The order as the ledger would give it back."""
    new = read_draft("0", document).order
    assert new is not None
    assert new.reference is not None
    assert new.updated_at is not None
    return Order(
        id=1,
        account_id=1,
        mode=Mode.LIVE,
        dialect=new.dialect,
        source=new.source,
        reference=new.reference,
        revision=1,
        status=new.status,
        placed_at=new.placed_at,
        updated_at=new.updated_at,
        received_at=0,
        changed_at=0,
        amount=new.amount,
        currency=new.currency,
        contact_id=contact_id,
        content_hash=new.content_hash,
        request_id=None,
        released=False,
        document=new.document,
    )


def order_json(**fields: str) -> bytes:
    """An order with some of its fields given as raw JSON."""
    members = {
        "id": '"14"',
        "createdAt": '"2021-07-29T20:59:23.383Z"',
        "updatedAt": '"2021-07-30T10:59:23Z"',
        "status": '"completed"',
        "amount": "308.420",
        "products": '[{"productId":"P1","price":99.990,"quantity":3}]',
    } | fields
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def listed(document: bytes, contact_id: int | None = 7) -> dict[str, Any]:
    order = known(document, contact_id)
    shown: dict[str, Any] = json.loads(write_content(read_content(order), order), parse_float=Decimal)
    return shown


class TestRefusals:
    @pytest.mark.parametrize("kind", REFUSALS)
    def test_each_one_has_a_status_a_code_of_the_contract_and_words(self, kind: type[Refusal]) -> None:
        assert kind in ERRORS
        reply = write_refusal(kind(), asked())
        body = json.loads(reply.body)
        assert reply.content_type == "application/json"
        assert 400 <= reply.status < 600
        assert reply.status != 409
        assert body["code"] in CODES | ({"too_many_requests"} if kind is TooOften else set())
        assert body["message"]

    @pytest.mark.parametrize(
        ("refusal", "status", "code"),
        [
            (Unreadable(), 400, "invalid_parameter"),
            (TooLarge(), 413, "invalid_parameter"),
            (TooMany(), 400, "out_of_range"),
            (Invalid(), 400, "invalid_parameter"),
            (Unauthorized(), 401, "unauthorized"),
            (Forbidden(), 403, "permission_denied"),
            (NotFound(), 404, "document_not_found"),
            (MethodNotAllowed(), 405, "method_not_allowed"),
            (Duplicate(), 400, "duplicate_parameter"),
            (KeyReused(), 400, "duplicate_request"),
            (TooOften(), 429, "too_many_requests"),
            (Overloaded(), 503, "unprocessable_entity"),
            (Refusal(), 400, "invalid_parameter"),
        ],
    )
    def test_the_table_of_the_contract(self, refusal: Refusal, status: int, code: str) -> None:
        reply = write_refusal(refusal, asked())
        assert (reply.status, json.loads(reply.body)["code"]) == (status, code)

    def test_a_call_without_a_key_is_told_so_in_the_words_clients_know(self) -> None:
        assert told(Unauthorized()) == {"code": "unauthorized", "message": "authentication not found in headers"}
        assert told(Unauthorized(), **{"api-key": "x"})["message"] == "Key not found"

    def test_the_code_follows_the_first_problem_and_all_are_listed(self) -> None:
        problems = (
            Problem(code="required", message="missing", field="orders[3].id", contract_code="missing_parameter"),
            Problem(code="wrong_type", message="a list", field="orders[4].status", hint="send a text"),
        )
        assert told(Invalid("missing", field="orders[3].id", problems=problems)) == {
            "code": "missing_parameter",
            "message": "orders[3].id: missing",
            "errors": [
                {"field": "orders[3].id", "code": "required", "message": "missing"},
                {"field": "orders[4].status", "code": "wrong_type", "message": "a list; send a text"},
            ],
        }

    def test_the_list_of_problems_has_an_end(self) -> None:
        problems = (Problem(code="required", message="missing"),) * 500
        assert len(told(Invalid(problems=problems))["errors"]) == 100

    def test_who_comes_too_often_hears_when_to_come_back(self) -> None:
        reply = write_refusal(TooOften(retry_after_s=17), asked())
        assert header(reply, "retry-after") == "17"
        assert header(write_refusal(TooOften(), asked()), "retry-after") == "1"
        assert header(write_refusal(Overloaded(retry_after_s=2), asked()), "retry-after") == "2"

    def test_the_state_of_the_limit_is_told_in_the_contracts_headers(self) -> None:
        assert dict(throttle_headers(10, 4, 1)) == {
            "x-sib-ratelimit-limit": "10",
            "x-sib-ratelimit-remaining": "4",
            "x-sib-ratelimit-reset": "1",
        }


class TestAListedOrder:
    def test_has_the_fields_of_the_request_and_more(self) -> None:
        document = order_json(
            identifiers='{"email_id":"A@b.example","ext_id":"e","loyalty_subscription_id":"l","phone_id":"01"}',
            storeId='"S1"',
            billing='{"address":"15 Road","city":"Basel","paymentMethod":"PayPal","postCode":4052,"countryCode":"CH"}',
            coupons='["EASTER","easter","B"]',
            metaInfo='{"a":true,"b":3,"c":"x","d":null}',
        )
        assert listed(document) == {
            "id": "14",
            "createdAt": "2021-07-29T20:59:23.383Z",
            "updatedAt": "2021-07-30T10:59:23.000Z",
            "status": "completed",
            "amount": Decimal("308.420"),
            "products": [{"productId": "P1", "price": Decimal("99.990"), "quantity": 3, "quantityFloat": 0}],
            "storeId": "S1",
            "identifiers": {
                "email_id": "A@b.example",
                "ext_id": "e",
                "loyalty_subscription_id": "l",
                "phone_id": "01",
            },
            "email": "A@b.example",
            "contact_id": 7,
            "billing": {
                "address": "15 Road",
                "city": "Basel",
                "countryCode": "CH",
                "postCode": "4052",
                "paymentMethod": "PayPal",
            },
            "coupons": ["EASTER", "B"],
            "metaInfo": {"a": True, "b": 3, "c": "x"},
        }

    def test_without_a_contact_has_no_contact_id(self) -> None:
        assert "contact_id" not in listed(order_json(email='"a@b.example"'), contact_id=None)

    def test_a_version_that_names_nobody_has_no_contact_id(self) -> None:
        assert "contact_id" not in listed(order_json(), contact_id=7)
        assert listed(order_json(billing='{"phone":"041 22"}'), contact_id=7)["contact_id"] == 7

    def test_the_older_email_is_shown_like_the_newer(self) -> None:
        shown = listed(order_json(email='"a@b.example"'))
        assert shown["email"] == "a@b.example"
        assert shown["identifiers"] == {"email_id": "a@b.example"}

    @pytest.mark.parametrize(
        ("quantities", "shown"),
        [
            ('"quantity":10', (10, 0)),
            ('"quantity":10.0', (10, 0)),
            ('"quantity":-2', (-2, 0)),
            ('"quantityFloat":20.52', (0, Decimal("20.52"))),
            ('"quantityFloat":20', (0, 20)),
            ('"quantity":0,"quantityFloat":20.0', (0, Decimal("20.0"))),
            ('"quantity":10,"quantityFloat":0', (10, 0)),
            ('"quantity":10,"quantityFloat":null', (10, 0)),
            ('"variantId":"V"', (0, 0)),
        ],
    )
    def test_both_quantities_are_always_there(self, quantities: str, shown: tuple[Any, Any]) -> None:
        line = listed(order_json(products='[{"productId":"P","price":1,' + quantities + "}]"))["products"][0]
        assert (line["quantity"], line["quantityFloat"]) == shown

    def test_what_was_read_can_be_sent_again(self) -> None:
        document = order_json(
            products='[{"productId":1,"price":1.50,"quantity":2.0},{"productId":"P","price":0,"quantityFloat":2.5}]',
            identifiers='{"email_id":"a@b.example"}',
        )
        order = known(document)
        again = read_draft("0", write_content(read_content(order), order)).order
        assert again is not None
        assert again.warnings == ()
        once_more = known(again.document.encode())
        assert listed(again.document.encode()) == listed(document)
        assert read_content(once_more).lines == read_content(order).lines

    def test_numbers_are_exact_to_the_last_digit(self) -> None:
        document = order_json(
            amount="123456789012345.678", products='[{"productId":"P","price":0.12345678901234567890,"quantity":1}]'
        )
        shown = listed(document)
        assert shown["amount"] == Decimal("123456789012345.678")
        assert shown["products"][0]["price"] == Decimal("0.12345678901234567890")

    def test_an_order_whose_document_is_gone_shows_its_head(self) -> None:
        order = msgspec.structs.replace(known(order_json()), document=None)
        shown = json.loads(write_content(read_content(order), order))
        assert (shown["id"], shown["amount"], shown["products"]) == ("14", 308.42, [])

    def test_the_list_counts_all_matches(self) -> None:
        page = Page(entries=(known(order_json()),), count=12, more=True)
        body = json.loads(write_orders(page))
        assert body["count"] == 12
        assert [order["id"] for order in body["orders"]] == ["14"]
        assert json.loads(write_orders(Page(entries=(), count=0))) == {"count": 0, "orders": []}


FOREIGN = Content(
    dialect="karrio",
    source="web",
    reference="A-1",
    status="unfulfilled",
    placed_at=1_627_592_363_383_000,
    updated_at=1_627_592_363_383_000,
    lines=(
        Line(quantity=Decimal(2), unit_price=Decimal("9.90"), sku="SKU-1", title="Pot", weight=Decimal("0.5")),
        Line(quantity=Decimal("1.5"), unit_price=Decimal("2.00"), title="Ribbon"),
    ),
    currency="EUR",
    shipping=Decimal("4.90"),
    discount=Decimal("1.00"),
    identifiers={"email": "a@b.example", "other": "x"},
    ship_to=Address(name="Jo", line1="Road", street_number="15", line2="c/o B", city="Basel", mobile="0155"),
    metadata={"gift": True, "rate": 1.5, "nested": {"a": 1}, "none": None},
    options={"fast": True},
)


class TestAnOrderOfAnotherContract:
    def test_is_shown_with_what_this_one_has_a_word_for(self) -> None:
        shown = json.loads(write_content(FOREIGN, known(order_json(), contact_id=None)))
        assert shown == {
            "id": "A-1",
            "createdAt": "2021-07-29T20:59:23.383Z",
            "updatedAt": "2021-07-29T20:59:23.383Z",
            "status": "unfulfilled",
            "products": [
                {"productId": "SKU-1", "price": 9.9, "quantity": 2, "quantityFloat": 0},
                {"productId": "Ribbon", "price": 2.0, "quantity": 0, "quantityFloat": 1.5},
            ],
            "identifiers": {"email_id": "a@b.example"},
            "email": "a@b.example",
            "billing": {"address": "Road 15, c/o B", "city": "Basel", "phone": "0155"},
            "metaInfo": {"gift": True, "rate": "1.5"},
        }

    def test_can_be_sent_and_what_gets_lost_is_named(self) -> None:
        body, lost = write_order_request(FOREIGN)
        draft = read_draft("0", body)
        assert draft.problems == ()
        assert draft.order is not None
        assert draft.order.amount == "26.700"  # 2 * 9.90 + 1.5 * 2.00 + 4.90 - 1.00
        assert set(lost) == {
            *("currency", "shipping", "discount", "options", "metadata.nested", "identifiers.other"),
            *("ship_to.name", "lines.sku", "lines.title", "lines.weight"),
        }

    def test_without_prices_the_amount_counts_as_lost(self) -> None:
        content = Content(
            dialect="centra",
            source="",
            reference="1",
            status="pending",
            placed_at=0,
            updated_at=0,
            lines=(Line(quantity=Decimal(1), ean="4006381333931"),),
        )
        body, lost = write_order_request(content)
        assert read_draft("0", body).problems == ()
        assert set(lost) == {"amount", "lines.unit_price", "lines.ean"}

    def test_an_order_of_this_contract_loses_nothing_when_sent_again(self) -> None:
        document = order_json(
            identifiers='{"email_id":"a@b.example","phone_id":"01"}',
            storeId='"S"',
            billing='{"address":"15 Road","phone":"01","paymentMethod":"PayPal"}',
            coupons='["A"]',
            metaInfo='{"a":1}',
        )
        body, lost = write_order_request(read_content(known(document)))
        assert lost == ()
        again, before = read_draft("0", body).order, read_draft("0", document).order
        assert again is not None
        assert before is not None
        assert again.content_hash == before.content_hash


def test_a_batch_is_answered_under_both_names() -> None:
    batch = Batch(
        id=42,
        account_id=1,
        mode=Mode.LIVE,
        dialect="brevo",
        source="",
        key_id="k",
        request_id="r",
        status=BatchStatus.COMPLETED,
        historical=True,
        notify_url=None,
        origin="",
        parent_batch_id=None,
        counts=Counts(received=3, created=3),
        created_at=0,
        updated_at=0,
        finished_at=0,
    )
    assert json.loads(write_batch(batch, ())) == {"batchId": 42, "batch_id": 42, "count": 3}
