"""Centra's view of orders that came in through another contract, and what it cannot carry."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.order import Address, Content, Line, Mode, Order
from ordermill.dialects.centra.content import read_content, write_order_request
from ordermill.dialects.centra.inbound import read_draft
from ordermill.dialects.centra.outbound import write_content

NOW = 1_795_167_000_000_000  # 2026-11-20T09:30:00Z

HEAD = Order(
    id=5, account_id=1, mode=Mode.LIVE, dialect="brevo", source="", reference="ab-1", revision=1, status="completed",
    placed_at=NOW, updated_at=NOW, received_at=NOW, changed_at=NOW, amount="30.5", currency="EUR", contact_id=9,
    content_hash=1, request_id=None, released=False,
)  # fmt: skip
FOREIGN = Content(
    dialect="brevo",
    source="",
    reference="ab-1",
    status="completed",
    placed_at=NOW,
    updated_at=NOW,
    lines=(
        Line(quantity=Decimal("1.5"), unit_price=Decimal("20.333"), product_id="P1", weight=Decimal(2), title="Tea"),
        Line(quantity=Decimal(1), product_id="77"),
    ),
    amount=Decimal("30.5"),
    currency="EUR",
    identifiers={"email": "a@b.se"},
    bill_to=Address(name="Ann de Vries", line1="Street", street_number="1", country="Germany", company="Co"),
    coupons=("EASTER",),
    payment_method="PayPal",
    metadata={"k": 1},
    extra={"x": 1},
)


def test_a_foreign_order_is_shown() -> None:
    row = json.loads(write_content(FOREIGN, HEAD))
    assert (row["orderId"], row["orderStatus"], row["orderCurrency"], row["customerId"]) == (
        "ab-1", "completed", "EUR", "9",
    )  # fmt: skip
    assert (row["billingName"], row["deliveryName"], row["billingAddress"]) == (
        "Ann de Vries", "Ann de Vries", "Street 1",
    )  # fmt: skip
    assert (row["billingEmail"], row["billingCountry"], row["billingCompany"]) == ("a@b.se", "Germany", "Co")
    assert row["grandTotalValue"] == 30.5
    assert [line["qty"] for line in row["products"]] == [1.5, 1]
    assert len({line["lineId"] for line in row["products"]}) == 2


def test_an_order_without_anything_is_shown() -> None:
    bare = msgspec.structs.replace(
        FOREIGN, lines=(), amount=None, currency=None, identifiers={}, bill_to=None, payment_method=None
    )
    row = json.loads(write_content(bare, HEAD))
    assert (row["grandTotalValue"], row["products"], row["deliveryName"]) == (0, [], "")


def test_what_cannot_be_carried_is_named() -> None:
    body, lost = write_order_request(FOREIGN)
    sent = json.loads(body)
    assert set(lost) == {
        "lines.quantity", "lines.unit_price", "lines.weight", "bill_to.country", "bill_to.company", "reference",
        "payment_method", "updated_at", "currency", "status", "extra",
    }  # fmt: skip
    assert sent["invoiceAddress"] == {
        "email": "a@b.se", "firstName": "Ann", "lastName": "de Vries", "address": "Street 1",
    }  # fmt: skip
    assert sent["products"] == [
        {"qty": 1, "sku": "P1", "unitPrice": 20.33, "itemText": {"product": "Tea"}},
        {"qty": 1, "id": 77},
    ]
    assert (sent["voucherCodes"], sent["extraAttributes"]) == (["EASTER"], {"k": 1})


def test_an_order_of_our_own_comes_round_whole() -> None:
    document: dict[str, Any] = {
        "invoiceAddress": {"country": "SE", "email": "x@example.com", "firstName": "John", "lastName": "Smith"},
        "deliveryAddress": {"country": "US", "state": "CA", "cell": "+1 5", "firstName": "Jane", "lastName": "Roe"},
        "products": [{"qty": 2, "ean": "E", "upc": "U", "unitPrice": 14.11, "itemText": {"product": "P"}}],
        "shippingValue": 5.9, "voucherValue": 1, "voucherCodes": ["A"], "orderNumber": 7, "comment": "c",
        "orderDate": "2026-11-20T09:30:00.000Z", "marketId": 2, "sendEmail": False, "extraAttributes": {"a_b": "1"},
        "payment": {"id": 1, "auth": {"status": 1, "amount": "33.12", "method": "cc"}},
    }  # fmt: skip
    new = read_draft("k", json.dumps(document).encode(), now=0).order
    assert new is not None
    head = msgspec.structs.replace(HEAD, dialect="centra", source="default", reference="7", document=new.document)
    body, lost = write_order_request(read_content(head))
    again = json.loads(body)
    assert lost == ("currency",)  # the head's, which Centra has no word for
    assert again == document


def test_an_order_past_its_retention_shows_what_its_head_knows() -> None:
    content = read_content(msgspec.structs.replace(HEAD, dialect="centra", source="default", document=None))
    assert (content.lines, content.amount, content.status) == ((), Decimal("30.5"), "completed")


def test_the_texts_that_replace_the_catalogues_are_shown_whatever_names_the_product() -> None:
    shown = {"sku": "OLD-1", "product": "Tea", "variant": "Green", "brand": "B", "size": "L"}
    for named in ({"sku": "A"}, {"ean": "E"}, {"id": 5}):
        document = {
            "address": {"country": "SE", "email": "x@example.com"},
            "products": [{"qty": 1, "unitPrice": 1, "itemText": shown, **named}],
        }
        new = read_draft("k", json.dumps(document).encode(), now=0).order
        assert new is not None
        head = msgspec.structs.replace(HEAD, dialect="centra", source="default", reference="7", document=new.document)
        (line,) = json.loads(write_content(read_content(head), head))["products"]
        assert [line[name] for name in ("sku", "name", "variant", "brand", "size")] == list(shown.values())
        assert read_content(head).lines[0].sku == named.get("sku", "OLD-1"), "which product it is stays as it was"
