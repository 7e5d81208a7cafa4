"""Reading Centra: both passes, every lenience, and whatever strangers may send."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordermill.core.batch import Draft
from ordermill.core.errors import Invalid, TooMany, Unreadable
from ordermill.core.limits import Limits
from ordermill.core.order import Mode, OnExisting, Order
from ordermill.core.query import OrderSort
from ordermill.dialects.centra import lenient, wire
from ordermill.dialects.centra.content import read_content, write_order_request
from ordermill.dialects.centra.inbound import (
    facts_of,
    read_batch,
    read_clean,
    read_draft,
    read_envelope,
    read_pairs,
    read_single,
)
from ordermill.dialects.centra.outbound import was_prepared, write_content
from ordermill.dialects.centra.queries import read_order_query
from ordermill.dialects.centra.settings import DEFAULT_RULES, Settings, rules_of
from ordermill.dialects.reading import hash_of

NOW = 1_795_167_000_000_000  # 2026-11-20T09:30:00Z
STOCKHOLM = rules_of(Settings(timezone="Europe/Stockholm"), Limits())
ADDRESS = {"country": "SE", "email": "x@example.com"}


def order(**changes: Any) -> dict[str, Any]:
    return {"address": ADDRESS, "products": [{"qty": 2, "sku": "A", "unitPrice": 10.5}]} | changes


def draft(document: Any, **options: Any) -> Draft:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_draft("k", data, now=NOW, **options)


def codes(document: Any, **options: Any) -> list[tuple[str, str]]:
    found = draft(document, **options)
    assert found.order is None
    return [(problem.field, problem.contract_code) for problem in found.problems]


def stored(given: Draft) -> Order:
    new = given.order
    assert new is not None
    return Order(
        id=12, account_id=1, mode=Mode.LIVE, dialect=new.dialect, source=new.source, reference=new.reference or "1",
        revision=1, status=new.status, placed_at=new.placed_at, updated_at=NOW, received_at=NOW, changed_at=NOW,
        amount=new.amount, currency=None, contact_id=3, content_hash=new.content_hash, request_id=None,
        released=False, document=new.document,
    )  # fmt: skip


# -- what the ledger is told ------------------------------------------------------------------------------------------


def test_an_order_is_read() -> None:
    data = json.dumps(order(deliveryAddress={"country": "us", "cell": "+46 (0)70-123"}), separators=(",", ":")).encode()
    new = draft(data).order
    assert new is not None
    assert (new.dialect, new.source, new.reference, new.status) == ("centra", "default", None, "pending")
    assert (new.placed_at, new.updated_at, new.amount, new.currency) == (NOW, None, "21.00", None)
    assert new.identifiers == (("email", "x@example.com"), ("phone", "+46070123"))
    assert new.on_existing is OnExisting.REFUSE
    assert new.document == data.decode()
    assert new.warnings == ("unverified",)


def test_the_hash_is_that_of_the_canonical_json_and_heeds_no_layout() -> None:
    plain = json.dumps(order(), separators=(",", ":")).encode()
    wide = json.dumps(dict(reversed(order().items())), indent=3).encode()
    facts = read_clean(plain, DEFAULT_RULES)
    assert facts is not None
    hashes = {found.order.content_hash for found in map(draft, (plain, wide)) if found.order}
    assert hashes == {hash_of(wire.ENCODER.encode(facts.order))}


def test_the_grand_total_is_exact() -> None:
    lines = [
        {"qty": 3, "sku": "A", "unitPrice": 0.1},
        {"qty": 1, "ean": "B", "originalPrice": 0.7},
        {"qty": 9, "id": 1},
    ]
    new = draft(order(products=lines, shippingValue=5.9, voucherValue=6.85)).order
    assert new is not None
    assert new.amount == "0.05"
    assert new.warnings == ("unverified", "unpriced: products[2]")
    larger = draft(order(voucherValue=100)).order
    assert larger is not None
    assert larger.amount == "-79.00"


@pytest.mark.parametrize(
    ("price", "amount"),
    [("1.005", "1.01"), ("1.00499999999999999999", "1.00"), ("2.675", "2.68"), ('"2.675"', "2.68"), ("0.004", "0.00"),
     ("14", "14.00"), ("1e2", "100.00"), ("-0.0", "0.00"), ("999999999999.99", "999999999999.99"), ('"7"', "7.00")],
)  # fmt: skip
def test_prices_are_rounded_half_up_from_the_digits_sent(price: str, amount: str) -> None:
    data = json.dumps(order(products=[{"qty": 1, "sku": "A", "unitPrice": "P"}])).replace('"P"', price).encode()
    new = draft(data).order
    assert new is not None
    assert new.amount == amount
    assert price in new.document


@settings(deadline=None)
@given(st.decimals(0, 999_999_999_999, places=2) | st.decimals(0, 10**6, allow_nan=False), st.integers(1, 1_000_000))
def test_no_price_is_off_by_a_cent(price: Decimal, quantity: int) -> None:
    data = json.dumps(order(products=[{"qty": quantity, "sku": "A", "unitPrice": "P"}]))
    found = draft(data.replace('"P"', f"{price:f}"[:60]).encode())
    cents = Decimal(f"{price:f}"[:60]).quantize(Decimal("0.01"), ROUND_HALF_UP)
    if found.order is None:
        assert found.problems[0].code in ("out_of_range", "unreadable")
    else:
        assert Decimal(found.order.amount or "") == cents * quantity


@pytest.mark.parametrize(
    ("date", "utc"),
    [("2026-11-20", "2026-11-19T23:00:00"), ("2026-11-20 10:30:00", "2026-11-20T09:30:00"),
     ("2026-11-20T10:30:00Z", "2026-11-20T10:30:00"), ("2026-11-20T10:30+02:00", "2026-11-20T08:30:00"),
     ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00")],
)  # fmt: skip
def test_dates_without_a_zone_are_the_stores(date: str, utc: str) -> None:
    new = draft(order(orderDate=date), rules=STOCKHOLM).order
    assert new is not None
    assert new.placed_at == int(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize("date", ["", "junk", "20261120", "2026-W47-5", "2026-02-30", "0000-00-00 00:00:00", "2026-1-1",
                                  "0001-01-01T00:00:00+14:00", 5, True])  # fmt: skip
def test_what_is_no_date_is_refused(date: object) -> None:
    assert codes(order(orderDate=date)) == [("orderDate", "-7")]


# -- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"products": []}, [("products", "-3")]),
        ({"products": {}}, [("products", "-3")]),
        ({"products": None}, [("products", "-4")]),
        ({"products": "A"}, [("products", "-7")]),
        ({"products": [{"qty": 1}]}, [("products[0]", "-4")]),
        ({"products": [{"qty": 1, "sku": ""}]}, [("products[0]", "-4")]),
        (
            {"products": [{"sku": "A"}, {"qty": None, "sku": "A"}]},
            [("products[0].qty", "-4"), ("products[1].qty", "-4")],
        ),
        ({"products": {"a": {"qty": 0, "sku": "A"}}}, [("products.a.qty", "-7")]),
        ({"products": [{"qty": 1_000_001, "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": 1.5, "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": True, "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": "abc", "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": " 1", "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": "٣", "sku": "A"}]}, [("products[0].qty", "-7")]),
        ({"products": [{"qty": 1, "sku": "A", "unitPrice": -0.01}]}, [("products[0].unitPrice", "-7")]),
        ({"products": [{"qty": 1, "sku": "A", "unitPrice": True}]}, [("products[0].unitPrice", "-7")]),
        ({"products": [{"qty": 1, "sku": "A", "unitPrice": "NaN"}]}, [("products[0].unitPrice", "-7")]),
        ({"products": [{"qty": 1, "sku": "A", "unitPrice": "1e5"}]}, [("products[0].unitPrice", "-7")]),
        ({"products": [{"qty": 1, "sku": "A", "unitPrice": 10**12}]}, [("products[0].unitPrice", "-7")]),
        ({"products": [{"qty": 10**6, "sku": "A", "unitPrice": 10**11}]}, [("", "-7")]),
        ({"address": {"email": "x@example.com"}}, [("address.country", "-4")]),
        ({"address": {"country": "SE"}}, [("address.email", "-4")]),
        ({"address": {"country": "SE", "email": ""}}, [("address.email", "-4")]),
        ({"address": {"country": "SE", "email": "junk"}}, [("address.email", "-7")]),
        ({"address": None}, [("invoiceAddress.email", "-4")]),
        ({"address": "x"}, [("address", "-7")]),
        ({"deliveryAddress": {}}, [("deliveryAddress.country", "-4")]),
        ({"createdFromOrigin": {}}, [("createdFromOrigin.type", "-4"), ("createdFromOrigin.id", "-4")]),
        ({"createdFromOrigin": {"type": "return", "id": "x"}}, [("createdFromOrigin.id", "-7")]),
        ({"payment": {"capture": {}}}, [("payment.capture.status", "-4"), ("payment.capture.amount", "-4")]),
        ({"orderNumber": 2**31}, [("orderNumber", "-7")]),
        ({"orderNumber": "01"}, [("orderNumber", "-7")]),
        ({"orderNumber": -1}, [("orderNumber", "-7")]),
        ({"createOnly": 2}, [("createOnly", "-7")]),
        ({"createOnly": "yes"}, [("createOnly", "-7")]),
        ({"extraAttributes": "x"}, [("extraAttributes", "-7")]),
        ({"voucherCodes": ["a", 1]}, [("voucherCodes[1]", "-7")]),
        ({"comment": 1}, [("comment", "-7")]),
        ({"comment": "x" * 10_001}, [("comment", "-7")]),
        ({"products": [{"qty": 1, "sku": "A"}] * 1_001}, [("products", "-7")]),
        ({"extraAttributes": {str(number): 1 for number in range(101)}}, [("extraAttributes", "-7")]),
    ],
)
def test_each_problem_has_its_field_and_code(changes: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    assert codes(order(**changes)) == problems


@pytest.mark.parametrize("country", ["Sweden", "SWE", "UK", "XX", "ß", "", " SE", "S"])
def test_only_iso_countries_are_taken(country: str) -> None:
    assert codes(order(address={"country": country, "email": "a@b"})) == [("address.country", "-7")]


@pytest.mark.parametrize("country", ["XK", "xk", "gB", "Se"])
def test_countries_are_taken_in_any_case(country: str) -> None:
    given_order = stored(draft(order(address={"country": country, "email": "a@b"})))
    address = read_content(given_order).ship_to
    assert address is not None
    assert address.country_code == country.upper()


def test_long_orders_with_short_texts_stay_on_the_fast_pass() -> None:
    lines = [{"qty": 1, "sku": f"SKU{number}", "comment": "x" * 100, "unitPrice": 1.25} for number in range(1_000)]
    assert read_clean(json.dumps(order(products=lines)).encode(), DEFAULT_RULES) is not None


def test_no_order_makes_an_endless_answer() -> None:
    found = draft(order(products=[{}] * 1_000))
    assert len(found.problems) == 100


# -- both passes ------------------------------------------------------------------------------------------------------

FLAG = st.sampled_from([True, False, 0, 1, "0", "1", "true", "false", None])
MONEY = st.integers(0, 10**6) | st.floats(0, 10**6) | st.decimals(0, 10**6, places=2).map(str) | st.none()
TEXT = st.text(max_size=12)
LINES = st.lists(
    st.fixed_dictionaries(
        {"qty": st.integers(1, 9) | st.sampled_from(["2", 0, None, 1.5])},
        optional={"sku": TEXT, "ean": TEXT, "id": st.integers(-1, 9), "unitPrice": MONEY, "originalPrice": MONEY,
                  "comment": TEXT, "itemText": st.fixed_dictionaries({}, optional={"product": TEXT, "size": TEXT})},
    ),
    max_size=3,
)  # fmt: skip
ADDRESSES = st.fixed_dictionaries(
    {"country": st.sampled_from(["SE", "us", "UK", None])},
    optional={
        "email": st.sampled_from(["a@b", "A@B.se", "", "junk"]),
        "cell": TEXT,
        "firstName": TEXT,
        "zipcode": TEXT,
    },
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CHARGES = st.fixed_dictionaries({"status": st.sampled_from([0, "1", 5]), "amount": MONEY})
ORDERS = st.fixed_dictionaries(
    {"products": LINES},
    optional={
        "invoiceAddress": ADDRESSES, "deliveryAddress": ADDRESSES, "address": ADDRESSES, "createOnly": FLAG,
        "orderNumber": st.integers(1, 99) | st.just("7"), "orderDate": st.dates().map(str), "shippingValue": MONEY,
        "voucherValue": MONEY, "accountId": st.integers(0, 9), "extraAttributes": st.dictionaries(TEXT, ANYTHING),
        "payment": st.fixed_dictionaries({}, optional={"auth": CHARGES}),
        "comment": TEXT, "unknown": ANYTHING,
    },
)  # fmt: skip


@settings(deadline=None)
@given(ORDERS | ANYTHING | st.dictionaries(st.sampled_from(sorted(lenient.ORDER)), ANYTHING), st.booleans())
def test_reading_never_raises_and_what_is_accepted_reads_back(value: Any, ascii_only: bool) -> None:
    found = draft(json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass"))
    if found.order is None:
        assert found.problems
        json.dumps([problem.message for problem in found.problems]).encode()
        found.document.encode()
        return
    kept = stored(found)
    content = read_content(kept)
    row = json.loads(write_content(content, kept))
    assert row["grandTotalValue"] == pytest.approx(float(found.order.amount or ""), abs=1e-6)
    assert row["orderId"] == kept.reference
    again, lost = write_order_request(content)
    assert set(lost) <= {"currency", "reference"}
    sent = draft(again).order
    assert sent is None or sent.amount == found.order.amount


@settings(deadline=None)
@given(ORDERS)
def test_the_passes_agree(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    fast = read_clean(data, DEFAULT_RULES)
    slow = lenient.read_order(data, DEFAULT_RULES)
    if fast is None:
        return
    assert slow.order is not None, slow.problems
    again = facts_of(slow.order)
    assert again is not None
    assert (fast.cents, fast.email, fast.phone, fast.unpriced) == (
        again.cents,
        again.email,
        again.phone,
        again.unpriced,
    )


@settings(deadline=None)
@given(st.binary(max_size=60))
@example(b"\0")
@example(b"\xff")
def test_bytes_never_raise(data: bytes) -> None:
    found = read_draft("k", data, now=NOW)
    assert found.problems
    assert "\0" not in found.document
    found.document.encode()


# -- hostile input ----------------------------------------------------------------------------------------------------

GOOD = json.dumps(order())[:-1].encode()


@pytest.mark.parametrize(
    "tail",
    [
        b',"x":NaN}', b',"shippingValue":Infinity}', b',"shippingValue":1e400}', b',"accountId":' + b"9" * 5_000 + b"}",
        b',"comment":"\\ud800"}', b',"comment":"\\u0000"}', b',"x":"\\u0000"}', b',"x":"\xff"}', b',"comment":"\xff"}',
        b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b',"extraAttributes":{"a":' + b"[" * 70 + b"]" * 70 + b"}}",
        b',"x":' + b"[" * 80 + b"]" * 80 + b"}", b',"orderNumber":1,"orderNumber":2}', b',"products":[]}',
        b',"createOnly":true,"createOnly":false}', b',"shippingValue":1,"shippingValue":2}',
        b',"\\u006frderNumber":1,"orderNumber":2}', b',"orderNumber" :1, "orderNumber" :2}',
        b',"products":[{"qty":1,"qty":2,"sku":"A"}]}', b"} x", b",}",
    ],
)  # fmt: skip
def test_hostile_orders_are_refused(tail: bytes) -> None:
    if tail == b',"products":[]}':
        assert codes(GOOD + tail) == [("products", "-7")]
    else:
        found = draft(GOOD + tail)
        assert found.order is None
        assert {problem.contract_code for problem in found.problems} == {"-7"}


@pytest.mark.parametrize("name", ["qty", "unitPrice"])
@pytest.mark.parametrize("space", ["", " "])
def test_a_name_given_twice_in_a_line_is_refused(name: str, space: str) -> None:
    line = f'{{"qty":1,"sku":"A","unitPrice":2,"{name}"{space}:{space}3}}'
    data = f'{{"address":{json.dumps(ADDRESS)},"products":[{line},{{"qty":1,"sku":"B"}}]}}'.encode()
    assert codes(data)


def test_unknown_members_are_kept_and_passed_over() -> None:
    data = GOOD + b', "newThing" : {"a": 1e400, "b": [123456789012345678901234567890]}}'
    new = draft(data).order
    assert new is not None
    assert new.document.encode() == data


@pytest.mark.parametrize(
    "member",
    ['"new":123456789012345678901234567890', '"new":[-1e400,1e-400]', '"new":0.' + "3" * 80, '"new":1,"new":2',
     '"comment":"a","comment":"b"', '"extraAttributes":{"a_b":123456789012345678901234567890}'],
)  # fmt: skip
@pytest.mark.parametrize("slow", ["", ',"shippingValue":"5.00"'])
def test_what_decides_nothing_refuses_no_order_on_either_pass(member: str, slow: str) -> None:
    data = GOOD + f"{slow},{member}}}".encode()
    new = draft(data).order
    assert new is not None
    assert new.document.encode() == data


@pytest.mark.parametrize("value", ["1" * 30, "-" + "1" * 30, "1e40", "1e400", "1e-400"])
@pytest.mark.parametrize("name", ["orderNumber", "accountId", "sendEmail", "poNumber", "comment"])
def test_a_number_out_of_all_range_is_told_with_its_field_beside_the_other_problems(name: str, value: str) -> None:
    data = f'{{"address":{json.dumps(ADDRESS)},"products":[{{"sku":"A"}}],"{name}":{value}}}'.encode()
    assert codes(data) == [("products[0].qty", "-4"), (name, "-7")]


@pytest.mark.parametrize(
    ("price", "amount"), [("1e-400", "0.00"), ("0e-999999999", "0.00"), ("0." + "3" * 80, "0.33"), ("1e400", None)]
)
def test_an_amount_is_judged_by_its_size_however_it_is_spelled(price: str, amount: str | None) -> None:
    line = f'{{"qty":1,"sku":"A","unitPrice":{price}}}'
    found = draft(f'{{"address":{json.dumps(ADDRESS)},"products":[{line}]}}'.encode())
    assert [problem.field for problem in found.problems] == ([] if amount else ["products[0].unitPrice"])
    assert (found.order and found.order.amount) == amount


@pytest.mark.parametrize(
    "tail", ['"extraAttributes":{"a":1e99999999999999999999}', '"shippingValue":1e99999999999999999999']
)
def test_an_exponent_that_no_number_can_hold_refuses_its_order_only(tail: str) -> None:
    batch = b'{"a":' + GOOD + f',{tail}}},"b":'.encode() + GOOD + b"}}"
    drafts = read_batch(batch, now=NOW).drafts
    assert [found.order is None for found in drafts] == [True, False]
    assert [problem.contract_code for problem in drafts[0].problems] == ["-7"]


@pytest.mark.parametrize("number", ["1e400", "-1e31", "1e-400", "0e999999999", "0." + "3" * 80, "9" * 100])
@pytest.mark.parametrize("attributes", ['{"a_b":%s}', '{"a_b":[{"c":%s}]}'])
@pytest.mark.parametrize("slow", ["", ',"shippingValue":"5.00"'])
def test_a_number_under_a_free_name_can_be_written_out(number: str, attributes: str, slow: str) -> None:
    """Written out for a page, 1e999999999 would be a gigabyte of zeros."""
    assert codes(GOOD + f'{slow},"extraAttributes":{attributes % number}}}'.encode()) == [("extraAttributes.a_b", "-7")]


def test_problems_of_a_line_are_told_even_when_others_cannot_be_read() -> None:
    assert codes(order(products=[5, {"sku": "A"}], sendEmail=[])) == [
        ("products[0]", "-7"),
        ("products[1].qty", "-4"),
        ("sendEmail", "-7"),
    ]


# -- the batch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"1", b"{", b'{"a":1}x', b'{"a":NaN}', b'{"a":"\xff"}', b'{"\\ud800":1}',
     b'{"a\\u0000":{}}', b'{"' + b"x" * 10_001 + b'":{}}', b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     '{"a":1}'.encode("utf-16")],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_batch(body, now=NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"{"', b"{", b'{"a":1}x', b'{"a":"\xff"}'])
def test_a_body_that_is_no_object_is_no_order(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_single(body, now=NOW)


NAMES = st.text(max_size=3) | st.sampled_from(["a", "b", ""])
SPACE = st.sampled_from(["", " ", "\n\t"])
VALUES = st.sampled_from(["1", "{}", '{"a":1,"a":2}', '"a"', "[[]]"])


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, SPACE, VALUES, SPACE, st.booleans()), max_size=8))
def test_no_repeated_name_is_ever_missed(members: list[tuple[str, str, str, str, bool]]) -> None:
    def spelled(name: str, escaped: bool) -> str:
        if escaped:
            return '"' + "".join(f"\\u{ord(char):04x}" for char in name if ord(char) < 0x10000) + '"'
        return json.dumps(name, ensure_ascii=False)

    parts = [f"{before}{spelled(name, esc)}{after}:{value}" for name, before, value, after, esc in members]
    body = ("{" + ",".join(parts) + "}").encode(errors="replace")
    pairs = json.loads(body, object_pairs_hook=lambda found: found) if members else []
    names = [name for name, _ in pairs]
    if any("\0" in name for name in names):
        with pytest.raises(Unreadable):
            read_envelope(body)
        return
    assert [name for name, _ in read_pairs(body)] == names
    elements, repeated = read_envelope(body)
    assert repeated == {name for name in names if names.count(name) > 1}
    assert [name for name, _ in elements] == list(dict.fromkeys(names))
    drafts = read_batch(body, now=NOW).drafts
    assert {found.key for found in drafts if found.problems[0].code == "duplicate_name"} == repeated


def test_none_of_the_orders_under_a_repeated_name_is_taken() -> None:
    one = json.dumps(order())
    taken = read_batch(f'{{"a":{one},"b":{one},"a":{one},"a":{one}}}'.encode(), now=NOW)
    assert [(found.key, found.order is None) for found in taken.drafts] == [("a", True), ("b", False)]


def test_too_many_members_are_refused_before_any_is_read() -> None:
    rules = rules_of(Settings(), Limits(orders=2))
    with pytest.raises(TooMany):
        read_envelope(b'{"a":1,"a":2,"a":3}', rules)


def test_a_submission_names_its_store() -> None:
    assert read_batch(b"{}", now=NOW).source == "default"
    taken = read_batch(json.dumps({"a": order()}).encode(), now=NOW, source="outlet")
    assert taken.source == "outlet"
    assert taken.drafts[0].order is not None
    assert taken.drafts[0].order.source == "outlet"


@pytest.mark.parametrize(
    ("document", "prepared"),
    [('{"createOnly":true}', True), ('{"createOnly": "1"}', True), ('{"createOnly":0}', False), ("{}", False),
     ('{"createOnl\\u0079":1}', True), ('{"comment":"createOnly"}', False), ("createOnly", False), ("", False)],
)  # fmt: skip
def test_a_document_tells_whether_it_was_prepared(document: str, prepared: bool) -> None:
    assert was_prepared(document) is prepared


# -- queries ----------------------------------------------------------------------------------------------------------


def test_a_plain_list_hides_prepared_orders() -> None:
    query = read_order_query([], source="")
    assert (query.dialect, query.sources, query.statuses_not) == ("centra", ("default",), ("incomplete",))
    assert (query.limit, query.offset, query.sort, query.descending) == (20, 0, OrderSort.NUMBER, False)


def test_every_parameter_is_heeded() -> None:
    pairs = [("limit", "5"), ("offset", "10"), ("order", "7"), ("customer_id", "3"), ("newer_than", "2026-11-20"),
             ("older_than", "2026-11-20 10:30:00"), ("xml", "1"), ("new", "x"), ("limit", "6")]  # fmt: skip
    query = read_order_query(pairs, source="outlet", rules=STOCKHOLM)
    assert (query.limit, query.offset, query.references, query.contact_id) == (6, 10, ("7",), 3)
    assert (query.placed_after, query.placed_before) == (NOW - 37_800_000_000, NOW)
    assert query.statuses_not == ()


@pytest.mark.parametrize(
    "pair",
    [("limit", "0"), ("limit", "-1"), ("limit", "1001"), ("limit", "9" * 30), ("offset", "1.5"), ("order", "x"),
     ("customer_id", "٣"), ("older_than", "2026"), ("newer_than", "2026-13-01")],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Invalid):
        read_order_query([pair], source="")
