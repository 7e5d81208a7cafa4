"""Karrio's orders in normal form and back, and the orders of other contracts as Karrio shows them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.limits import Limits
from ordermill.core.mill import Mill
from ordermill.core.order import Address, Content, Line, Mode, NewOrder, Order
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.karrio.normal import read_content, write_content, write_order, write_order_request
from ordermill.dialects.karrio.routes import Settings, build

NOW = 1_722_268_288_071_000  # 2024-07-29T15:51:28.071Z

SENT: dict[str, Any] = {
    "order_id": "A-1",
    "order_date": "2024-07-28",
    "source": "POS",
    "shipping_to": {
        "postal_code": "10115", "city": "Berlin", "federal_tax_id": "DE1", "state_tax_id": "BE1", "person_name": "Anna",
        "company_name": "Acme", "country_code": "DE", "email": "Anna@example.com", "phone_number": "+49 30 1",
        "state_code": "BE", "residential": True, "street_number": "1", "address_line1": "Weg 1", "address_line2": "HH",
        "validate_location": True,
    },
    "shipping_from": {"country_code": "NL", "residential": None, "validate_location": None},
    "billing_address": {"country_code": "FR"},
    "line_items": [
        {
            "weight": 1.5, "weight_unit": "LB", "title": "Cup", "description": "A cup", "quantity": 2, "sku": "C-1",
            "hs_code": "6912", "value_amount": 4.95, "value_currency": "EUR", "origin_country": "CN",
            "parent_id": "P-1", "metadata": {"part": 1.10},
        },
        {"weight": 0, "weight_unit": "G"},
    ],
    "options": {"currency": "EUR", "nested": {"a": [1, 2.5]}},
    "metadata": {"a": None},
}  # fmt: skip


def dialect(settings: Settings | None = None) -> Dialect:
    return build(Mill(None, Limits()), Limits(), settings or Settings())  # type: ignore[arg-type]


def stored(new: NewOrder) -> Order:
    return Order(
        id=7, account_id=1, mode=Mode.TEST, dialect=new.dialect, source=new.source, reference=new.reference or "",
        revision=1, status=new.status, placed_at=new.placed_at, updated_at=NOW, received_at=NOW, changed_at=NOW,
        amount=new.amount, currency=new.currency, contact_id=None, content_hash=new.content_hash, request_id=None,
        released=False, document=new.document,
    )  # fmt: skip


def received(sent: Any, settings: Settings | None = None) -> Order:
    draft = dialect(settings).read_draft("0", json.dumps(sent).encode(), now=NOW)
    assert draft.order is not None, draft.problems
    return stored(draft.order)


def foreign(**changes: Any) -> tuple[Content, Order]:
    content = msgspec.structs.replace(
        Content(
            dialect="brevo",
            source="",
            reference="14",
            status="completed",
            placed_at=1_627_647_600_000_000,
            updated_at=1_627_647_600_000_000,
            lines=(Line(quantity=Decimal(1), unit_price=Decimal("99.99"), product_id="21"),),
            amount=Decimal("308.42"),
            identifiers={"email": "a@example.com"},
            bill_to=Address(city="Basel", postal_code="4052", country="CA", country_code="CA", mobile="01559 032133"),
            coupons=("EASTER15OFF",),
            payment_method="PayPal",
        ),
        **changes,
    )
    order = Order(
        id=9, account_id=1, mode=Mode.LIVE, dialect="brevo", source="", reference="14", revision=1, status="completed",
        placed_at=content.placed_at, updated_at=content.updated_at, received_at=NOW, changed_at=NOW, amount="308.42",
        currency=None, contact_id=None, content_hash=0, request_id=None, released=False, document='{"not": "ours"}',
    )  # fmt: skip
    return content, order


def test_normal_form_holds_what_was_said() -> None:
    content = read_content(received(SENT))
    assert (content.reference, content.source, content.amount, content.currency) == ("A-1", "POS", None, "EUR")
    assert content.placed_at == 1_722_124_800_000_000
    assert content.lines[0] == Line(
        quantity=Decimal(2), unit_price=Decimal("4.95"), sku="C-1", title="Cup", description="A cup", currency="EUR",
        weight=Decimal("1.5"), weight_unit="LB", origin_country="CN", hs_code="6912",
    )  # fmt: skip
    assert content.ship_to is not None
    assert (content.ship_to.name, content.ship_to.region, content.ship_to.country_code) == ("Anna", "BE", "DE")
    assert content.bill_to == Address(country_code="FR", residential=False)
    assert content.identifiers == {"email": "Anna@example.com", "phone": "+49 30 1"}
    assert content.options["nested"] == {"a": [1, Decimal("2.5")]}


def test_every_field_comes_back() -> None:
    shown = json.loads(write_order(received(SENT)))
    for place in ("shipping_to", "shipping_from", "billing_address"):
        for name, value in SENT[place].items():
            assert shown[place][name] == value
        assert shown[place]["id"].startswith("adr_")
    for line, sent in zip(shown["line_items"], SENT["line_items"], strict=True):
        assert {name: line[name] for name in sent} == sent
    assert {name: shown[name] for name in ("options", "metadata", "order_id", "order_date", "source")} == {
        name: SENT[name] for name in ("options", "metadata", "order_id", "order_date", "source")
    }
    assert (shown["test_mode"], shown["shipments"], shown["meta"]) == (True, [], {})


def test_what_was_sent_blank_or_empty_is_shown_so() -> None:
    sent = json.loads(json.dumps(SENT))
    sent["shipping_to"] |= {"federal_tax_id": "", "state_tax_id": "", "city": ""}
    sent["line_items"][1]["metadata"] = {}
    order = received(sent)
    for shown in (json.loads(write_order(order)), json.loads(write_order_request(read_content(order))[0])):
        assert [shown["shipping_to"][name] for name in ("federal_tax_id", "state_tax_id", "city")] == ["", "", ""]
        assert shown["line_items"][1]["metadata"] == {}


def test_parts_have_ids_that_stay_and_differ() -> None:
    first, second = (json.loads(write_order(received(SENT))) for _ in range(2))
    assert first == second
    parts = [first[place]["id"] for place in ("shipping_to", "shipping_from", "billing_address")]
    parts += [line["id"] for line in first["line_items"]]
    assert len(set(parts)) == 5
    assert all(len(part) == 16 for part in parts)


def test_what_was_accepted_is_read_whatever_the_rules_are_now() -> None:
    sent = SENT | {"shipping_to": {"country_code": "PS", "city": " " + "x" * 50}}
    wide = received(sent, Settings(limits="2025", codes="extended"))
    assert json.loads(write_order(wide))["shipping_to"]["city"] == "x" * 50


def test_an_order_sent_as_its_normal_form_says_is_the_same_order() -> None:
    original = received(SENT)
    document, lost = write_order_request(read_content(original))
    again = dialect().read_draft("0", document, now=NOW).order
    assert lost == ()
    assert again is not None
    assert write_order(stored(again)) == write_order(original)


def test_a_foreign_order_is_shown_with_null_for_what_is_not_known() -> None:
    shown = json.loads(write_content(*foreign()))
    ours = json.loads(write_order(received(SENT)))
    assert shown.keys() == ours.keys()
    assert shown["line_items"][0].keys() == ours["line_items"][0].keys()
    assert shown["billing_address"].keys() == ours["billing_address"].keys()
    assert (shown["order_id"], shown["source"], shown["status"]) == ("14", "brevo", "fulfilled")
    assert shown["shipping_to"] is None
    line = shown["line_items"][0]
    assert (line["weight"], line["weight_unit"], line["value_amount"], line["quantity"]) == (None, None, 99.99, 1)
    assert line["metadata"] == {"product_id": "21"}


def test_a_foreign_order_as_a_request_names_what_it_cannot_carry() -> None:
    document, lost = write_order_request(foreign()[0])
    sent = json.loads(document)
    assert set(lost) == {"coupons", "payment_method", "lines.weight", "ship_to", "bill_to.mobile"}
    assert sent["line_items"] == [
        {"weight": 0, "weight_unit": "KG", "quantity": 1, "value_amount": 99.99, "metadata": {"product_id": "21"}}
    ]
    assert "shipping_to" not in sent


def test_a_foreign_order_with_an_address_can_be_sent() -> None:
    address = Address(country_code="CA", name="Ann", city="Basel")
    document, lost = write_order_request(foreign(ship_to=address, source="shop", currency="EUR")[0])
    draft = dialect().read_draft("0", document, now=NOW)
    assert draft.order is not None
    assert (draft.order.source, draft.order.currency, draft.order.amount) == ("shop", "EUR", "99.99")
    assert "ship_to" not in lost


def test_fractional_quantities_are_shown_and_named() -> None:
    content, order = foreign(lines=(Line(quantity=Decimal("1.5")),))
    assert json.loads(write_content(content, order))["line_items"][0]["quantity"] == 1.5
    assert "lines.quantity" in write_order_request(content)[1]
