"""Whatever comes in: no reading of it raises anything but a Refusal, and what is accepted can be read back."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordermill.core.batch import Draft
from ordermill.core.errors import Invalid, Refusal
from ordermill.core.order import Mode, NewOrder, Order
from ordermill.core.query import Page
from ordermill.dialects.brevo.inbound import read_batch, read_draft
from ordermill.dialects.brevo.outbound import read_content, write_content, write_order_request, write_orders
from ordermill.dialects.brevo.queries import read_order_query
from ordermill.dialects.reading import strict_json

ORDER = (
    b'{"id":"14","createdAt":"2021-07-29T20:59:23.383Z","updatedAt":"2021-07-30T10:59:23.383Z","status":"completed",'
    b'"amount":308.42,"products":[{"productId":"P1","price":99.99,"quantity":1}]'
)
HOSTILE = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "huge exponent": b"1e400",
    "exponent beyond every type": b"1e9999999999999999999",
    "zero with a huge exponent": b"0e-999999999",
    "zero with an exponent beyond every type": b"0e99999999999999999999",
    "tiny": b"1e-400",
    "400 digits": b"9" * 400,
    "5000 digits": b"9" * 5_000,
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udc00x"',
    "NUL as an escape": b'"a\\u0000b"',
    "NUL as a byte": b'"a\x00b"',
    "not UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\x80"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "nested 100k lists": b"[" * 100_000 + b"]" * 100_000,
    "nested 100k objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "unclosed": b"[" * 100_000,
    "leading zero": b"012",
    "plus": b"+1",
    "hexadecimal": b"0x1",
    "comment": b"1 /* one */",
    "true": b"true",
    "empty": b"",
    "year 0": b'"0000-01-01T00:00:00Z"',
    "year 99999": b'"99999-01-01T00:00:00Z"',
    "before the year 1": b'"0001-01-01T00:00:00+14:00"',
    "after the year 9999": b'"9999-12-31T23:59:59-23:59"',
}
ACCEPTABLE = {"true", "year 0", "year 99999", "before the year 1", "after the year 9999", "tiny", "400 digits"}
ACCEPTABLE |= {"5000 digits", "zero with a huge exponent", "zero with an exponent beyond every type", "huge exponent"}
ACCEPTABLE |= {"exponent beyond every type"}


def kept(new: NewOrder) -> Order:
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
        currency=None,
        contact_id=None,
        content_hash=new.content_hash,
        request_id=None,
        released=False,
        document=new.document,
    )


def check(draft: Draft) -> None:
    """A draft is an order that can be kept, shown and sent again, or it has problems that can be told."""
    if draft.order is None:
        assert draft.problems
        assert all(problem.code and problem.message and problem.contract_code for problem in draft.problems)
        assert len(draft.reference) <= 255
        told = [draft.document, draft.reference]
        for problem in draft.problems:
            told += [problem.field, problem.message, problem.value or ""]
        assert "\0" not in "".join(told)
        assert "".join(told).encode()
        return
    new = draft.order
    assert new.reference
    assert len(new.reference) <= 255
    assert "\0" not in new.document
    assert new.amount is not None
    assert abs(float(new.amount)) < 1e15
    assert "e" not in new.amount.lower()
    order = kept(new)
    content = read_content(order)
    shown = strict_json(write_content(content, order))
    assert shown["id"] == new.reference
    assert strict_json(write_orders(Page(entries=(order,), count=1)))["orders"] == [shown]
    assert all(abs(line.quantity) < 10**15 and len(format(line.quantity, "f")) < 10_000 for line in content.lines)
    body, lost = write_order_request(content)
    again = read_draft("0", body)
    assert lost == ()
    assert again.order is not None, again.problems
    assert read_content(kept(again.order)).lines == content.lines


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize(
    "field", ["id", "createdAt", "amount", "products", "metaInfo", "identifiers", "billing", "coupons", "unknown"]
)
def test_a_hostile_value_in_any_field_harms_nobody(field: str, value: bytes) -> None:
    document = ORDER + b',"' + field.encode() + b'":' + value + b"}"
    if f'"{field}":'.encode() in ORDER:
        head, _, tail = ORDER.partition(f'"{field}":'.encode())
        document = head + f'"{field}":'.encode() + value + tail[tail.index(b',"') :] + b"}"
    draft = read_draft("0", document)
    check(draft)
    if field != "id":
        assert draft.order is None or field == "unknown"


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("field", ["price", "quantity", "quantityFloat", "productId", "variantId"])
def test_a_hostile_value_in_a_product_harms_nobody(field: str, value: bytes) -> None:
    product = {"productId": b'"P"', "price": b"1.5", "quantity": b"1"} | {field: value}
    if field == "quantityFloat":
        del product["quantity"]
    line = b",".join(b'"' + name.encode() + b'":' + text for name, text in product.items())
    document = ORDER.replace(b'{"productId":"P1","price":99.99,"quantity":1}', b"{" + line + b"}") + b"}"
    check(read_draft("0", document))


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ACCEPTABLE])
def test_a_hostile_value_in_an_unknown_field_is_refused(name: str) -> None:
    draft = read_draft("0", ORDER + b',"unknown":' + HOSTILE[name] + b"}")
    assert draft.order is None


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize(
    "template", [b'{"orders":[%s]}', b'{"orders":[ORDER],"x":%s}', b'{"orders":[ORDER,%s]}', b"%s"]
)
def test_a_hostile_batch_is_refused_or_read(template: bytes, value: bytes) -> None:
    body = template.replace(b"ORDER", ORDER + b"}").replace(b"%s", value)
    with contextlib.suppress(Refusal):
        for draft in read_batch(body, now=0).drafts:
            check(draft)


def test_names_are_as_hostile_as_values() -> None:
    for name in (b"\\ud800", b"\\u0000", b"a\xff", b"x" * 100_000):
        check(read_draft("0", ORDER + b',"' + name + b'":1,"' + name + b'":2}'))
        check(read_draft("0", ORDER + b',"metaInfo":{"' + name + b'":1}}'))


def test_a_hundred_thousand_names_are_compared_in_no_time() -> None:
    names = b",".join(b'"%d":0' % number for number in range(100_000))
    draft = read_draft("0", ORDER + b"," + names + b',"99999":0,"id":"14"}')
    assert draft.problems[0].code == "unreadable"
    with pytest.raises(Refusal, match="99999: the name is given more than once"):
        read_batch(b'{"orders":[{}],' + names + b',"99999":0}', now=0)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(document: bytes) -> None:
    check(read_draft("0", document))
    with contextlib.suppress(Refusal):
        read_batch(document, now=0)


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1", "", 10.0, 0]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
texts = st.text(min_size=1, max_size=30)
whole = st.integers(-(2**63), 2**63 - 1)
dates = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.sampled_from(
    ["2021-07-29T20:59:23+02:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
money = st.integers(-(10**14), 10**14) | st.floats(1e-9, 1e14) | st.floats(-1e14, -1e-9) | st.just(0.0)
products = st.fixed_dictionaries(
    {"productId": texts | whole, "price": money},
    optional={"quantity": st.integers(-(10**6), 10**6) | st.just(3.0), "variantId": texts | st.none(), "x": anything},
) | st.fixed_dictionaries({"productId": texts, "price": money, "quantityFloat": money})
plausible = st.fixed_dictionaries(
    {
        "id": texts | whole,
        "createdAt": dates,
        "updatedAt": dates,
        "status": texts,
        "amount": money,
        "products": st.lists(products, max_size=4),
    },
    optional={
        "storeId": texts | st.none(),
        "identifiers": st.fixed_dictionaries({}, optional={"email_id": texts, "phone_id": texts, "ext_id": st.none()}),
        "email": texts,
        "billing": st.fixed_dictionaries({}, optional={"phone": texts, "city": texts, "postCode": whole}),
        "coupons": st.lists(texts, max_size=4),
        "metaInfo": st.dictionaries(texts, texts | whole | st.booleans(), max_size=4),
        "unknown": anything,
    },
)


@given(plausible)
@settings(deadline=None)
def test_a_plausible_order_is_accepted_and_reads_back(order: dict[str, Any]) -> None:
    draft = read_draft("0", json.dumps(order).encode())
    check(draft)
    if "unknown" not in order and not any("x" in product for product in order["products"]) and is_clean(order):
        assert draft.problems == ()


def is_clean(value: Any) -> bool:
    """No U+0000 and no half of a surrogate pair in any text, no two keys that JSON could not tell apart."""
    text = json.dumps(value)
    return "\\u0000" not in text and "\\ud" not in text


@given(plausible, st.sampled_from(["compact", "spaced", "ascii"]))
@settings(deadline=None)
def test_layout_does_not_count(order: dict[str, Any], layout: str) -> None:
    one = read_draft("0", json.dumps(order).encode())
    laid_out = {
        "compact": lambda: json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"),
        "spaced": lambda: json.dumps(dict(reversed(order.items())), indent=2).encode(),
        "ascii": lambda: json.dumps(order, ensure_ascii=True, sort_keys=True).encode(),
    }[layout]()
    other = read_draft("0", laid_out)
    if one.order is not None and other.order is not None and is_clean(order):
        assert one.order.content_hash == other.order.content_hash
        assert one.order.identifiers == other.order.identifiers
        assert one.order.amount == other.order.amount


@given(plausible, st.sampled_from(["id", "amount", "status", "products", "metaInfo", "billing", "createdAt"]), anything)
@settings(deadline=None)
def test_one_odd_field_is_accepted_or_named(order: dict[str, Any], field: str, value: Any) -> None:
    check(read_draft("0", json.dumps(order | {field: value}).encode()))


@given(st.lists(st.tuples(st.sampled_from(["limit", "offset", "sort", "createdSince", "x"]), st.text(max_size=30))))
def test_any_query_can_be_read(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(Invalid):
        query = read_order_query(pairs)
        assert 1 <= query.limit <= 100
        assert 0 <= query.offset < 2**31
