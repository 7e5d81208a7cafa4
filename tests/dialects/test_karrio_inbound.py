"""How Karrio's orders are read: limits, coercions, every problem, and what strangers send."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordermill.core.batch import Draft
from ordermill.core.errors import Invalid, TooMany, Unreadable
from ordermill.core.order import Mode, NewOrder, OnExisting, Order
from ordermill.dialects.karrio import codes, inbound, wire
from ordermill.dialects.karrio.inbound import Reader
from ordermill.dialects.karrio.normal import read_content, write_order

NOW = 1_722_268_288_071_000  # 2024-07-29T15:51:28.071Z
TODAY = 1_722_211_200_000_000


def reader(
    limits: Literal["source", "2025"] = "source", accepted: Literal["contract", "extended"] = "contract"
) -> Reader:
    rules = wire.rules(limits, accepted, text_chars=10_000, lines=1_000, keys=100, nesting=64)
    return Reader(rules, wire.strict_decoder(rules), 10_000)


SOURCE, NEWER, EXTENDED = reader(), reader("2025"), reader(accepted="extended")


def order(**changes: Any) -> dict[str, Any]:
    return {
        "order_id": "A-1",
        "shipping_to": {"country_code": "DE"},
        "line_items": [{"weight": 0.5, "weight_unit": "KG"}],
    } | changes


def with_address(**fields: Any) -> dict[str, Any]:
    return order(shipping_to={"country_code": "DE"} | fields)


def with_line(**fields: Any) -> dict[str, Any]:
    return order(line_items=[{"weight": 0.5, "weight_unit": "KG"} | fields])


def read(document: Any, by: Reader = SOURCE) -> Draft:
    sent = document if isinstance(document, bytes) else json.dumps(document).encode()
    return by.read_draft("0", sent, now=NOW)


def good(document: Any, by: Reader = SOURCE) -> NewOrder:
    draft = read(document, by)
    assert draft.order is not None, draft.problems
    assert not draft.problems
    return draft.order


def faults(document: Any, by: Reader = SOURCE) -> dict[str, str]:
    draft = read(document, by)
    assert draft.order is None
    assert draft.problems
    return {problem.field: problem.message for problem in draft.problems}


def stored(new: NewOrder) -> Order:
    return Order(
        id=1, account_id=1, mode=Mode.LIVE, dialect=new.dialect, source=new.source, reference=new.reference or "",
        revision=1, status=new.status, placed_at=new.placed_at, updated_at=NOW, received_at=NOW, changed_at=NOW,
        amount=new.amount, currency=new.currency, contact_id=None, content_hash=new.content_hash, request_id=None,
        released=False, document=new.document,
    )  # fmt: skip


def shown(new: NewOrder) -> Any:
    return json.loads(write_order(stored(new)))


# ------------------------------------------------------------------------------------------------------- what is taken


def test_the_smallest_order_has_the_contracts_defaults() -> None:
    new = good(order())
    assert (new.source, new.reference, new.status) == ("API", "A-1", "unfulfilled")
    assert (new.placed_at, new.updated_at) == (TODAY, None)
    assert (new.amount, new.currency, new.identifiers) == (None, None, ())
    assert new.on_existing is OnExisting.KEEP
    assert not new.released


def test_the_facts_of_an_order() -> None:
    line = {"weight": 1, "weight_unit": "KG", "value_amount": 0.1, "value_currency": "EUR", "quantity": 3}
    new = good(
        order(
            order_date="2023-02-28",
            source="POS",
            shipping_to={"country_code": "DE", "email": "Ann@Example.COM", "phone_number": "+49 (30) 12-34"},
            line_items=[line, line | {"value_amount": 0.2, "quantity": 1}],
        )
    )
    assert (new.amount, new.currency) == ("0.5", "EUR")
    assert new.placed_at == 1_677_542_400_000_000
    assert new.identifiers == (("email", "ann@example.com"), ("phone", "+49301234"))


@pytest.mark.parametrize(
    ("lines", "options", "amount", "currency"),
    [
        ([(1.1, "EUR"), (2.2, "EUR")], None, "3.3", "EUR"),
        ([(1.1, "EUR"), (2.2, None)], None, "3.3", "EUR"),
        ([(1.1, None), (2.2, "EUR")], None, "3.3", "EUR"),
        ([(1.1, None)], {"currency": "usd"}, "1.1", "USD"),
        ([(1.1, "EUR")], {"currency": "USD"}, None, "USD"),
        ([(1.1, "EUR"), (1, "USD")], None, None, None),
        ([(1.1, "EUR"), (1, "USD"), (1, "EUR")], None, None, None),
        ([(1.1, "EUR"), (None, "EUR")], None, None, "EUR"),
        ([(None, None), (2, "EUR")], None, None, "EUR"),
        ([(1.1, None)], {"currency": ["EUR"]}, "1.1", None),
        ([(1.1, None)], {"currency": "euros"}, "1.1", None),
        ([(-1.10, "EUR"), (0, "EUR")], None, "-1.1", "EUR"),
    ],
)
def test_amount_and_currency_are_told_only_when_they_are_certain(
    lines: list[tuple[float | None, str | None]], options: Any, amount: str | None, currency: str | None
) -> None:
    items = [{"weight": 1, "weight_unit": "KG", "value_amount": a, "value_currency": c} for a, c in lines]
    new = good(order(line_items=items, options=options))
    assert (new.amount, new.currency) == (amount, currency)


def test_money_is_exact() -> None:
    line = b'{"weight":1,"weight_unit":"KG","value_amount":%s,"quantity":3}'
    lines = b",".join(line % value for value in (b"0.10", b"99999999999999.99", b"0.000000000000001"))
    new = good(b'{"order_id":"A","shipping_to":{"country_code":"DE"},"line_items":[' + lines + b"]}")
    assert new.amount == "300000000000000.270000000000003"
    assert b'"value_amount":99999999999999.99,' in write_order(stored(new))


@pytest.mark.parametrize(
    "value", [b"1e15", b"1e400", b"1e-400", b"-1e999999999", b'"NaN"', b'"Infinity"', b'"sNaN"', b"0." + b"3" * 80]
)
def test_money_that_cannot_be_kept_exactly_is_refused(value: bytes) -> None:
    line = b'{"weight":1,"weight_unit":"KG","value_amount":%s}' % value
    both = b'{"weight":1,"weight_unit":"KG","value_amount":1}'
    body = b'{"order_id":"A","shipping_to":{"country_code":"DE"},"line_items":[%s,%s]}' % (line, both)
    assert read(body).order is None


@pytest.mark.parametrize("name", ["weight", "value_amount"])
@pytest.mark.parametrize("number", ["1e{}", "-1.5E+{}", "1e-{}", "0e{}", "-0.0e-{}"])
@pytest.mark.parametrize("exponent", ["99999", "9999999", "9" * 30])
def test_an_exponent_that_no_decimal_can_hold_is_as_good_as_a_large_one(name: str, number: str, exponent: str) -> None:
    far, farther = (read(with_line(**{name: number.format(each)})) for each in ("999", exponent))
    assert [problem.message for problem in farther.problems] == [problem.message for problem in far.problems]
    assert (farther.order is None) == (far.order is None)
    if far.order is not None and farther.order is not None:
        assert farther.order.amount == far.order.amount


def test_a_sum_that_is_too_large_is_a_problem_of_the_lines() -> None:
    assert list(faults(with_line(value_amount=999_999_999_999, quantity=2_000_000_000))) == ["line_items"]


@pytest.mark.parametrize("zero", [b"0e-999999999", b"0e999999999", b'"0e-99999999"', b'"0e99999999"', b"0e-20", b"-0"])
def test_a_zero_is_never_long(zero: bytes) -> None:
    draft = read(
        b'{"order_id":"A","shipping_to":{"country_code":"DE"},'
        b'"line_items":[{"weight":%s,"weight_unit":"KG","value_amount":%s}]}' % (zero, zero)
    )
    if draft.order is not None:
        assert Decimal(draft.order.amount or "x") == 0
        assert len(draft.order.amount or "") < 64
        assert len(write_order(stored(draft.order))) < 2_000


@pytest.mark.parametrize(
    ("sent", "plain"),
    [
        (order(order_id=1001), order(order_id="1001")),
        (order(order_id="  A-1\n"), order()),
        (order(source="\u00a0POS"), order(source="POS")),
        (order(order_date="2024-1-2"), order(order_date="2024-01-02")),
        (order(order_date=" 2024-01-02 "), order(order_date="2024-01-02")),
        (order(order_date=""), order()),
        (order(order_date=None, options=None, shipping_from=None, billing_address=None), order()),
        (with_address(city="\tLyon "), with_address(city="Lyon")),
        (with_address(city="\u2003Lyon"), with_address(city="Lyon")),
        (with_address(postal_code=69001), with_address(postal_code="69001")),
        (with_address(postal_code="   "), with_address(postal_code="")),
        (with_address(residential="true"), with_address(residential=True)),
        (with_address(residential=1, validate_location="No"), with_address(residential=True)),
        (with_address(residential="null"), with_address(residential=None)),
        (with_line(weight="0.5"), order()),
        (with_line(weight=" +5e-1 "), order()),
        (with_line(quantity="3"), with_line(quantity=3)),
        (with_line(quantity=2.0), with_line(quantity=2)),
        (with_line(quantity="2.00"), with_line(quantity=2)),
        (with_line(value_amount="1.5"), with_line(value_amount=1.5)),
        (with_line(title=" Cup "), with_line(title="Cup")),
        (with_line(sku=12.5), with_line(sku="12.5")),
        (with_line(parent_id="P "), with_line(parent_id="P")),
        (order(unknown={"a": [1, None]}), order()),
    ],
)
def test_what_the_real_server_forgives_is_read_as_it_is_meant(sent: Any, plain: Any) -> None:
    one, other = good(sent), good(plain)
    assert msgspec.structs.replace(one, document="") == msgspec.structs.replace(other, document="")
    assert shown(one) == shown(other)
    assert json.loads(one.document) == sent


def test_odd_but_allowed_values_pass() -> None:
    good(with_line(weight=0, quantity=0))
    good(with_line(weight=-1.5, quantity=-3, value_amount=-0.0))
    good(with_address(email="not an address", city="", phone_number="", street_number=""))
    good(order(shipping_from={"country_code": "FR"}, billing_address={"country_code": "IC"}))
    good(with_line(title="", sku="", hs_code="", description="", metadata=None))


def test_layout_and_order_of_names_are_not_content() -> None:
    first = order(metadata={"a": 1, "b": 2}, source="API")
    laid_out = json.dumps(dict(reversed(first.items())) | {"metadata": {"b": 2, "a": 1}}, indent=2).encode()
    assert good(first).content_hash == good(laid_out).content_hash
    assert good(first).content_hash != good(first | {"metadata": {"a": 1, "b": 3}}).content_hash
    assert good(order()).content_hash == good(with_line(quantity=1, title=None)).content_hash


def test_the_reader_for_files_may_give_a_source() -> None:
    submission = SOURCE.read_batch(
        json.dumps({"orders": [order(), order(source="POS")]}).encode(), now=NOW, source="ERP"
    )
    assert [draft.order.source for draft in submission.drafts if draft.order] == ["ERP", "POS"]
    assert [draft.key for draft in submission.drafts] == ["0", "1"]


def test_numbers_next_to_nothing_are_read_back() -> None:
    for tiny in (b"1e-400", b"1e-99999999999999999999", b"1.5e-300", b"-0.0"):
        line = b'"line_items":[{"weight":%s,"weight_unit":"KG","metadata":{"a":%s}}]' % (tiny, tiny)
        new = good(b'{"order_id":"A","shipping_to":{"country_code":"DE"},%s,"metadata":{"b":[%s]}}' % (line, tiny))
        assert len(json.dumps(shown(new))) < 2_000


# ------------------------------------------------------------------------------------------------------------- limits

TEXTS = [
    (limits, part, name, chars)
    for limits, parts in wire.LIMITS.items()
    for part, table in zip(("address", "line"), parts, strict=True)
    for name, chars in table.items()
]


@pytest.mark.parametrize(("limits", "part", "name", "chars"), TEXTS)
def test_every_limit_counts_characters(limits: Any, part: str, name: str, chars: int) -> None:
    by = SOURCE if limits == "source" else NEWER
    make = with_address if part == "address" else with_line
    for letter in ("x", "ö", "😀"):
        assert shown(good(make(**{name: letter * chars}), by))
        path = f"shipping_to.{name}" if part == "address" else f"line_items[0].{name}"
        text = f"Ensure this field has no more than {chars} characters."
        assert faults(make(**{name: letter * (chars + 1)}), by) == {path: text}
    assert good(make(**{name: " " + "x" * chars + " "}), by)


@pytest.mark.parametrize("name", ["order_id", "source"])
@pytest.mark.parametrize("by", [SOURCE, NEWER])
def test_names_have_fifty_characters(name: str, by: Reader) -> None:
    good(order(**{name: "é" * 50}), by)
    assert faults(order(**{name: "é" * 51}), by) == {name: "Ensure this field has no more than 50 characters."}
    assert faults(order(**{name: " "}), by) == {name: "This field may not be blank."}
    assert faults(order(**{name: None}), by) == {name: "This field may not be null."}


def test_the_houses_own_bounds() -> None:
    good(with_address(email="x" * 10_000))
    assert list(faults(with_address(email="x" * 10_001))) == ["shipping_to.email"]
    good(order(metadata={str(n): n for n in range(100)}))
    assert list(faults(order(metadata={str(n): n for n in range(101)}))) == ["metadata"]
    line = {"weight": 1, "weight_unit": "KG"}
    good(order(line_items=[line] * 1_000))
    assert list(faults(order(line_items=[line] * 1_001))) == ["line_items.non_field_errors"]
    assert list(faults(with_line(quantity=2**31))) == ["line_items[0].quantity"]
    good(with_line(quantity=2**31 - 1))
    assert list(faults(with_line(weight=10**16))) == ["line_items[0].weight"]


def test_an_overlong_email_identifies_nobody() -> None:
    assert good(with_address(email="x" * 255)).identifiers == ()


def test_the_lists_are_the_contracts() -> None:
    assert (len(set(codes.COUNTRIES)), len(set(codes.CURRENCIES))) == (240, 143)
    assert (len(set(codes.COUNTRIES + codes.ISO_COUNTRIES)), len(codes.ISO_COUNTRIES)) == (260, 20)
    for country in codes.COUNTRIES:
        good(with_address(country_code=country))
    for currency in codes.CURRENCIES:
        good(with_line(value_currency=currency))
    for unit in codes.WEIGHT_UNITS:
        good(with_line(weight_unit=unit))
    assert faults(with_address(country_code="PS")) == {"shipping_to.country_code": '"PS" is not a valid choice.'}
    for country in codes.ISO_COUNTRIES:
        good(with_address(country_code=country), EXTENDED)
    for currency in codes.ISO_CURRENCIES:
        good(with_line(value_currency=currency), EXTENDED)
    assert set(codes.COUNTRY_SLIPS.values()) <= set(codes.COUNTRIES)
    assert set(codes.CURRENCY_SLIPS.values()) <= set(codes.CURRENCIES)
    assert not set(codes.COUNTRY_SLIPS) & set(codes.COUNTRIES + codes.ISO_COUNTRIES)


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        (with_address(country_code="UK"), "GB"),
        (with_address(country_code="de"), "DE"),
        (with_address(country_code=" US "), "US"),
        (with_address(country_code="Germany"), "DE"),
        (with_line(weight_unit="kgs"), "KG"),
        (with_line(weight_unit="lbs"), "LB"),
        (with_line(value_currency="€"), "EUR"),
        (with_line(value_currency="eur"), "EUR"),
        (with_line(origin_country="uk"), "GB"),
    ],
)
def test_a_near_miss_is_named(document: Any, meant: str) -> None:
    (problem,) = read(document).problems
    assert problem.code == "invalid_choice"
    assert f'"{meant}"' in problem.hint


# ------------------------------------------------------------------------------------------------------- every problem


def test_every_problem_of_an_order_is_told_at_once() -> None:
    found = faults(
        {
            "order_date": "2024-02-30",
            "source": "",
            "shipping_to": {"city": "x" * 31, "residential": "maybe", "email": False},
            "shipping_from": [],
            "billing_address": "x",
            "line_items": [
                {"weight_unit": None, "quantity": 1.5, "value_amount": "1,5", "origin_country": "", "metadata": []},
                7,
                {"weight": True, "weight_unit": "KG", "parent_id": ""},
            ],
            "options": [],
            "metadata": None,
        }
    )
    assert found == {
        "order_id": "This field is required.",
        "order_date": "The date format must match YYYY-MM-DD",
        "source": "This field may not be blank.",
        "shipping_to.city": "Ensure this field has no more than 30 characters.",
        "shipping_to.country_code": "This field is required.",
        "shipping_to.email": "Not a valid string.",
        "shipping_to.residential": "Must be a valid boolean.",
        "shipping_from.non_field_errors": "Invalid data. Expected a dictionary, but got list.",
        "billing_address.non_field_errors": "Invalid data. Expected a dictionary, but got str.",
        "line_items[0].weight": "This field is required.",
        "line_items[0].weight_unit": "This field may not be null.",
        "line_items[0].quantity": "A valid integer is required.",
        "line_items[0].value_amount": "A valid number is required.",
        "line_items[0].origin_country": '"" is not a valid choice.',
        "line_items[0].metadata": 'Expected a dictionary of items but got type "list".',
        "line_items[1].non_field_errors": "Invalid data. Expected a dictionary, but got int.",
        "line_items[2].weight": "A valid number is required.",
        "line_items[2].parent_id": "This field may not be blank.",
        "options": 'Expected a dictionary of items but got type "list".',
        "metadata": "This field may not be null.",
    }


@pytest.mark.parametrize(
    "date", ["2024-07-29T00:00:00Z", "29.07.2024", "2024-13-01", "2024-02-30", 20240729, ["x"], "0000-01-01"]
)
def test_a_date_is_a_real_day_and_nothing_else(date: Any) -> None:
    assert faults(order(order_date=date)) == {"order_date": "The date format must match YYYY-MM-DD"}


def test_a_refused_order_keeps_what_was_sent() -> None:
    sent = b'{"order_id": "A-9",   "shipping_to": 1}'
    draft = read(sent)
    assert (draft.document, draft.reference, draft.key) == (sent.decode(), "A-9", "0")
    assert all(problem.contract_code == "validation" for problem in draft.problems)
    assert all(len(problem.value or "") <= 100 for problem in read(with_address(city="x" * 9_999)).problems)


# -------------------------------------------------------------------------------------------------------- hostile input


def raw(extra: bytes) -> bytes:
    return json.dumps(order()).encode()[:-1] + b"," + extra + b"}"


@pytest.mark.parametrize(
    "extra",
    [
        b'"metadata":{"a":NaN}',
        b'"metadata":{"a":1e400}',
        b'"metadata":{"a":"\\ud83d"}',
        b'"metadata":{"a":"x\\u0000"}',
        b'"metadata":{"a":"\xff"}',
        b'"unknown":"\xff"',
        b'"unknown":"\\u0000"',
        b'"order_id":"A-2"',
        b'"line_items":[{"weight":1,"weight_unit":"KG"}]',
        b'"metadata":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'"metadata":{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b'"metadata":{"a":' + b'{"a":' * 70 + b"1" + b"}" * 71,
        b'"order_date":"\\u0000"',
    ],
    ids=lambda extra: str(extra[:24]),
)
def test_what_no_two_readers_read_alike_is_a_problem(extra: bytes) -> None:
    draft = read(raw(extra))
    assert draft.order is None
    assert draft.problems[0].code == "unreadable"
    draft.document.encode()


def test_what_is_odd_but_harmless_passes() -> None:
    good(raw(b'"unknown":' + b"9" * 4_000))
    good(raw(b'"metadata":{"order_id":"x","sizes":[1,[2]]}'))
    good(raw(b'"metadata":{"n":12345678901234567890123}'))
    good(raw(b'"metadata":{"emoji":"\\ud83d\\ude00 \\\\u0001"}'))
    good(raw(b'"metadata":{"a":' + b"[" * 50 + b"]" * 50 + b"}"))


@pytest.mark.parametrize(
    "document", [b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000]
)
def test_what_is_no_order_is_a_problem(document: bytes) -> None:
    draft = read(document)
    assert draft.order is None
    assert draft.problems[0].field == "non_field_errors"


def test_half_an_emoji_spoils_its_own_order_only() -> None:
    bad = json.dumps(with_line(title="Cup \ud83d"))
    body = f'{{"orders": [{json.dumps(order())}, {bad}, {json.dumps(order(order_id="😀"))}]}}'.encode()
    drafts = SOURCE.read_batch(body, now=NOW).drafts
    assert [draft.order is not None for draft in drafts] == [True, False, True]
    assert drafts[1].document == bad
    assert drafts[1].problems[0].field == "line_items"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", Unreadable),
        (b'{"orders":[NaN]}', Unreadable),
        (b'{"orders":[{}]} x', Unreadable),
        (b'{"orders":null,', Unreadable),
        (b'{"orders":[{"a":"\xff"}]}', Unreadable),
        (b'\xef\xbb\xbf{"orders":[]}', Unreadable),
        (b'{"orders":' + b"[" * 100_000, Unreadable),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"orders":1}', Unreadable),
        ('{"orders":[{}]}'.encode("utf-16"), Unreadable),
        (b"", Invalid),
        (b"null", Invalid),
        (b'{"orders":{}}', Invalid),
        (b'{"orders":[]}', Invalid),
        (b'{"orders":[],"orders":[{}]}', Invalid),
        (b'{"orders":null,"orders":[{}]}', Invalid),
        (b'{"orders":[' + b"1," * 10_000 + b"1]}", TooMany),
    ],
    ids=lambda value: str(value)[:32],
)
def test_a_bad_envelope_is_refused(body: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused:
        SOURCE.read_envelope(body)
    assert type(refused.value) is kind


def test_the_word_orders_may_stand_elsewhere() -> None:
    inner = order(metadata={"orders": {"orders": 1}})
    assert len(SOURCE.read_envelope(json.dumps({"meta": {"orders": []}, "orders": [inner]}).encode())) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
texts = st.none() | st.text(max_size=25) | st.integers() | st.sampled_from([" x ", "", "\u00a0"]) | json_values
numbers = (
    st.integers(-(10**17), 10**17)
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
    | json_values
)
countries = st.sampled_from(["DE", "US", "uk", "", "XX"]) | json_values


def sometimes(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


addresses = sometimes(
    {"country_code": st.sampled_from(["DE", "US"])},
    {name: texts for name in wire.Address.__struct_fields__ if name != "country_code"},
)
lines = sometimes(
    {"weight": st.floats(-10, 10) | numbers, "weight_unit": st.sampled_from(["KG", "LB"])},
    {
        "title": texts, "sku": texts, "quantity": st.integers(-5, 5) | numbers, "value_amount": numbers,
        "value_currency": st.sampled_from([None, "EUR", "eur"]), "origin_country": countries, "parent_id": texts,
        "metadata": json_values,
    },
)  # fmt: skip
orders = sometimes(
    {"order_id": texts, "shipping_to": addresses, "line_items": st.lists(lines, min_size=1, max_size=3)},
    {
        "order_date": st.sampled_from(["2024-07-29", "2024-2-30", "", "0001-01-01", "9999-12-31"]) | texts,
        "source": texts, "shipping_from": addresses | json_values, "options": json_values,
        "metadata": st.dictionaries(st.text(max_size=8), json_values, max_size=3), "unknown": json_values,
    },
)  # fmt: skip


def check(document: bytes) -> bool:
    """Reads whatever it is; what is accepted must be shown as JSON that other readers can read."""
    draft = read(document)
    assert (draft.order is None) == bool(draft.problems)
    if draft.order is None:
        draft.document.encode()
        return False
    content = read_content(stored(draft.order))
    assert content.reference == draft.order.reference
    answer = json.loads(write_order(stored(draft.order)), parse_constant=pytest.fail)
    assert len(answer["line_items"]) == len(content.lines)
    if draft.order.amount is not None:
        assert content.amount == sum(
            line.unit_price * line.quantity for line in content.lines if line.unit_price is not None
        )
    # What we show is, sent again, the same order.
    again = read(json.dumps(answer).encode())
    assert again.order is not None, again.problems
    assert (again.order.reference, again.order.source, again.order.placed_at) == (
        draft.order.reference, draft.order.source, draft.order.placed_at,
    )  # fmt: skip
    return True


@settings(max_examples=400, deadline=None)
@given(orders)
def test_anything_like_an_order_is_read_and_shown(document: Any) -> None:
    check(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(json_values | st.dictionaries(st.sampled_from(wire.Order.__struct_fields__), json_values))
def test_any_json_is_read(document: Any) -> None:
    check(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read(document: bytes) -> None:
    check(document)
    for call in (lambda: SOURCE.read_batch(document, now=NOW), lambda: SOURCE.read_single(document, now=NOW)):
        with suppress(Unreadable, Invalid):
            call()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_order_is_read(data: st.DataObject) -> None:
    document = bytearray(json.dumps(order(metadata={"a": "\ud83d\ude00"}, options={"currency": "EUR"})).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(document))


def test_both_passes_agree_on_clean_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = order(
        order_date="2024-07-29", options={"currency": "EUR"}, metadata={"n": 1.5, "t": "x"},
        line_items=[{"weight": 1.25, "weight_unit": "KG", "value_amount": 2.50, "quantity": 2, "title": "Ü"}],
    )  # fmt: skip
    fast = good(sent)
    monkeypatch.setattr(inbound, "_odd", lambda *_: True)
    assert good(sent) == fast
