"""Brevo requests as read: every row of the order object, the batch envelope and the query of the listing."""

from __future__ import annotations

import json
import time
import timeit
from typing import Any

import msgspec
import orjson
import pytest

from ordermill.core.batch import Draft, ErrorPolicy
from ordermill.core.errors import Invalid, Refusal, TooMany, Unreadable
from ordermill.core.limits import Limits
from ordermill.core.order import NewOrder, OnExisting
from ordermill.core.query import OrderSort
from ordermill.dialects.brevo import inbound
from ordermill.dialects.brevo.inbound import is_http_url, read_batch, read_draft, read_envelope
from ordermill.dialects.brevo.problems import located
from ordermill.dialects.brevo.queries import read_order_query

DOCUMENTED: dict[str, Any] = {
    "id": "14",
    "createdAt": "2021-07-29T20:59:23.383Z",
    "updatedAt": "2021-07-30T10:59:23.383Z",
    "status": "completed",
    "amount": 308.42,
    "storeId": "ST-21",
    "identifiers": {
        "email_id": " Example@Brevo.com ",
        "ext_id": "ext_id_1",
        "loyalty_subscription_id": "loyalty_id_1",
        "phone_id": "01559 032133",
    },
    "products": [{"productId": "P1", "quantity": 10, "variantId": "P100", "price": 99.99}],
    "billing": {"address": "15 Somewhere Road", "countryCode": "CA", "phone": "01559 032133", "postCode": "4052"},
    "coupons": ["EASTER15OFF"],
    "metaInfo": {"order_source": "Website", "loyal": True, "visits": 3},
}
MINIMAL: dict[str, Any] = {name: DOCUMENTED[name] for name in ("id", "createdAt", "updatedAt", "status", "amount")} | {
    "products": [{"productId": "P1", "price": 99.99, "quantity": 1}]
}


def written(order: dict[str, Any]) -> bytes:
    return json.dumps(order).encode()


def read(order: dict[str, Any] | bytes, **limits: int) -> Draft:
    document = order if isinstance(order, bytes) else written(order)
    return read_draft("0", document, now=0, limits=Limits(**limits))


def accepted(order: dict[str, Any] | bytes) -> NewOrder:
    draft = read(order)
    assert draft.problems == ()
    assert draft.order is not None
    return draft.order


def refused(order: dict[str, Any] | bytes, **limits: int) -> list[tuple[str, str, str]]:
    draft = read(order, **limits)
    assert draft.order is None
    return [(problem.field, problem.code, problem.contract_code) for problem in draft.problems]


def changed(field: str, value: Any) -> dict[str, Any]:
    return MINIMAL | {field: value}


def with_product(**fields: Any) -> dict[str, Any]:
    return MINIMAL | {"products": [{"productId": "P1", "price": 1.5} | fields]}


def batch(*orders: Any, **options: Any) -> bytes:
    return json.dumps({"orders": list(orders), **options}).encode()


class TestAnOrder:
    def test_the_documented_example_is_read_field_by_field(self) -> None:
        order = accepted(DOCUMENTED)
        assert order.reference == "14"
        assert (order.dialect, order.source) == ("brevo", "")
        assert order.status == "completed"
        assert order.placed_at == 1_627_592_363_383_000
        assert order.updated_at == 1_627_642_763_383_000
        assert order.amount == "308.42"
        assert order.currency is None
        assert order.on_existing is OnExisting.UPDATE
        assert order.warnings == ()
        assert json.loads(order.document) == DOCUMENTED

    def test_identifiers_come_strongest_first_in_their_canonical_spelling(self) -> None:
        assert accepted(DOCUMENTED).identifiers == (
            ("email", "example@brevo.com"),
            ("ext", "ext_id_1"),
            ("phone", "01559 032133"),
            ("loyalty", "loyalty_id_1"),
        )

    def test_the_older_top_level_email_stands_in_for_a_missing_email_id(self) -> None:
        assert accepted(changed("email", "A@b.example")).identifiers == (("email", "a@b.example"),)
        both = DOCUMENTED | {"email": "other@b.example"}
        assert accepted(both).identifiers[0] == ("email", "example@brevo.com")

    def test_the_billing_phone_counts_only_when_nothing_else_is_known(self) -> None:
        billing = {"phone": " 0155 "}
        assert accepted(changed("billing", billing)).identifiers == (("phone", "0155"),)
        order = MINIMAL | {"billing": billing, "identifiers": {"ext_id": "e"}}
        assert accepted(order).identifiers == (("ext", "e"),)

    @pytest.mark.parametrize("identifiers", [None, {}, {"email_id": None}, {"email_id": "  "}, {"contact_id": 4}])
    def test_no_identifier_is_a_warning(self, identifiers: Any) -> None:
        order = accepted(changed("identifiers", identifiers))
        assert order.identifiers == ()
        assert order.warnings == ("no_identifier",)

    def test_the_published_sample_without_quantity_and_identifiers_is_accepted_with_warnings(self) -> None:
        assert accepted(with_product()).warnings == ("no_identifier", "no_quantity")
        assert "no_quantity" in accepted(with_product(quantity=0, quantityFloat=0)).warnings

    @pytest.mark.parametrize("field", ["storeId", "identifiers", "email", "billing", "coupons", "metaInfo"])
    def test_null_in_an_optional_field_is_as_good_as_absent(self, field: str) -> None:
        assert accepted(changed(field, None)).content_hash == accepted(MINIMAL).content_hash

    def test_unknown_fields_are_ignored_everywhere(self) -> None:
        order = DOCUMENTED | {"historical": 3, "coupon": ["x"], "customer": {"id": 1, "amount": [2]}}
        order["billing"] = DOCUMENTED["billing"] | {"company": 5}
        assert accepted(order).content_hash == accepted(DOCUMENTED).content_hash

    def test_no_products_at_all_is_accepted(self) -> None:
        assert accepted(changed("products", [])).reference == "14"

    def test_older_update_than_creation_is_none_of_our_business(self) -> None:
        assert accepted(changed("updatedAt", "1999-01-01T00:00:00Z")).updated_at == 915_148_800_000_000

    @pytest.mark.parametrize("field", ["id", "storeId"])
    def test_a_whole_number_where_a_text_is_asked_for_is_taken_by_its_digits(self, field: str) -> None:
        order = accepted(changed(field, 4021))
        assert order.content_hash == accepted(changed(field, "4021")).content_hash
        if field == "id":
            assert order.reference == "4021"

    def test_numbers_of_the_published_listing_sample_are_accepted(self) -> None:
        order = with_product(productId=21, variantId=10, quantity=10.0)
        order["billing"] = {"phone": 9238283982, "postCode": 110001}
        assert accepted(order).identifiers == (("phone", "9238283982"),)

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            (b"0", "0"),
            (b"1000", "1000"),
            (b"-12.50", "-12.50"),
            (b"0.10", "0.10"),
            (b"1e2", "100"),
            (b"1.5E-3", "0.0015"),
            (b"0.30000000000000004", "0.30000000000000004"),
            (b"123456789012345.67", "123456789012345.67"),
            (b"999999999999999.99", "999999999999999.99"),
            (b"-0", "0"),
            (b"-0.00", "0.00"),
        ],
    )
    def test_the_amount_keeps_its_digits(self, sent: bytes, kept: str) -> None:
        document = written(changed("amount", 7)).replace(b'"amount": 7', b'"amount": ' + sent)
        assert accepted(document).amount == kept

    @pytest.mark.parametrize(
        ("sent", "micros"),
        [
            ("2021-07-29T20:59:23Z", 1_627_592_363_000_000),
            ("2021-07-29T20:59:23.383Z", 1_627_592_363_383_000),
            ("2021-07-29T20:59:23.383123Z", 1_627_592_363_383_123),
            ("2021-07-29T22:59:23+02:00", 1_627_592_363_000_000),
            ("2021-07-29t20:59:23z", 1_627_592_363_000_000),
            ("2021-07-29 20:59:23Z", 1_627_592_363_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999_000),
        ],
    )
    def test_dates_are_instants(self, sent: str, micros: int) -> None:
        assert accepted(changed("createdAt", sent)).placed_at == micros

    @pytest.mark.parametrize(
        "sent",
        [
            "2021-07-29",
            "2021-07-29T20:59:23",
            "yesterday",
            "",
            "2021-13-29T20:59:23Z",
            "2021-02-30T20:59:23Z",
            "99999-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-23:59",
            "9999-12-31T23:59:59.9999999Z",
            1_627_592_363,
            True,
            ["2021-07-29T20:59:23Z"],
        ],
    )
    @pytest.mark.parametrize("field", ["createdAt", "updatedAt"])
    def test_other_dates_are_refused(self, field: str, sent: Any) -> None:
        assert refused(changed(field, sent)) == [(field, "invalid_date", "invalid_parameter")]


class TestTheHash:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (changed("amount", 308.4), written(changed("amount", 5)).replace(b": 5,", b": 308.400,")),
            (changed("amount", 100), written(changed("amount", 5)).replace(b": 5,", b": 1e2,")),
            (with_product(quantity=10), with_product(quantity=10.0)),
            (with_product(price=5), with_product(price=5.0)),
            (changed("createdAt", "2021-07-29T20:59:23Z"), changed("createdAt", "2021-07-29T22:59:23.000+02:00")),
            (changed("coupons", ["EASTER", "easter"]), changed("coupons", ["Easter"])),
            (changed("metaInfo", {"a": 1, "b": 2}), changed("metaInfo", {"b": 2, "a": 1, "c": None})),
            (MINIMAL, dict(reversed(MINIMAL.items()))),
        ],
    )
    def test_is_the_same_for_what_means_the_same(self, one: Any, other: Any) -> None:
        assert accepted(one).content_hash == accepted(other).content_hash

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", "15"),
            ("createdAt", "2021-07-29T20:59:23.384Z"),
            ("updatedAt", "2021-07-30T10:59:23.384Z"),
            ("status", "cancelled"),
            ("amount", 308.43),
            ("storeId", "ST-22"),
            ("identifiers", {"ext_id": "x"}),
            ("products", []),
            ("billing", {"city": "Basel"}),
            ("coupons", ["OTHER"]),
            ("metaInfo", {"loyal": 1}),
        ],
    )
    def test_is_another_for_any_other_content(self, field: str, value: Any) -> None:
        assert accepted(DOCUMENTED | {field: value}).content_hash != accepted(DOCUMENTED).content_hash

    def test_the_last_digit_of_an_amount_counts(self) -> None:
        one, other = (
            written(changed("amount", 7)).replace(b": 7,", b": " + digits + b",")
            for digits in (b"123456789012345.671", b"123456789012345.672")
        )
        assert accepted(one).content_hash != accepted(other).content_hash


class TestARefusedOrder:
    @pytest.mark.parametrize("field", ["id", "createdAt", "updatedAt", "status", "amount", "products"])
    def test_a_required_field_is_missing(self, field: str) -> None:
        expected = [(field, "required", "missing_parameter")]
        assert refused({name: value for name, value in MINIMAL.items() if name != field}) == expected
        assert refused(changed(field, None)) == expected

    @pytest.mark.parametrize("field", ["id", "status"])
    def test_an_empty_text_is_no_value(self, field: str) -> None:
        assert refused(changed(field, "")) == [(field, "required", "missing_parameter")]

    def test_an_empty_text_is_of_the_wrong_kind_where_no_text_is_asked_for(self) -> None:
        assert refused(changed("products", "")) == [("products", "wrong_type", "invalid_parameter")]
        assert refused(with_product(price="")) == [("products[0].price", "not_a_number", "invalid_parameter")]

    @pytest.mark.parametrize("value", ["12.5", "", True, [1], {}])
    def test_only_numbers_are_amounts(self, value: Any) -> None:
        assert refused(changed("amount", value)) == [("amount", "not_a_number", "invalid_parameter")]

    @pytest.mark.parametrize("value", [10**15, -(10**15), 1e15, 1e29])
    def test_an_amount_has_a_size(self, value: float) -> None:
        assert refused(changed("amount", value)) == [("amount", "out_of_range", "out_of_range")]

    @pytest.mark.parametrize(
        ("product", "problem"),
        [
            ({"price": "1"}, ("price", "not_a_number", "invalid_parameter")),
            ({"price": None}, ("price", "required", "missing_parameter")),
            ({"price": 1e15}, ("price", "out_of_range", "out_of_range")),
            ({"productId": None}, ("productId", "required", "missing_parameter")),
            ({"productId": ""}, ("productId", "required", "missing_parameter")),
            ({"productId": True}, ("productId", "wrong_type", "invalid_parameter")),
            ({"productId": 2.5}, ("productId", "wrong_type", "invalid_parameter")),
            ({"variantId": []}, ("variantId", "wrong_type", "invalid_parameter")),
            ({"quantity": 1.5}, ("quantity", "not_whole", "invalid_parameter")),
            ({"quantity": "1"}, ("quantity", "not_a_number", "invalid_parameter")),
            ({"quantity": 2**60}, ("quantity", "out_of_range", "out_of_range")),
            ({"quantityFloat": False}, ("quantityFloat", "not_a_number", "invalid_parameter")),
            ({"quantity": 1, "quantityFloat": 1.5}, ("quantityFloat", "both_quantities", "invalid_parameter")),
        ],
    )
    def test_problems_of_a_product_name_their_place(self, product: dict[str, Any], problem: tuple[str, ...]) -> None:
        field, code, contract_code = problem
        order = MINIMAL | {"products": [*MINIMAL["products"], {"productId": "P1", "price": 1.5} | product]}
        assert refused(order) == [(f"products[1].{field}", code, contract_code)]

    @pytest.mark.parametrize(
        ("field", "value", "at"),
        [
            ("products", {}, "products"),
            ("products", [5], "products[0]"),
            ("identifiers", [], "identifiers"),
            ("identifiers", {"email_id": ["x"]}, "identifiers.email_id"),
            ("billing", "Basel", "billing"),
            ("billing", {"city": {}}, "billing.city"),
            ("coupons", "EASTER", "coupons"),
            ("coupons", ["A", None], "coupons[1]"),
            ("coupons", ["A", True], "coupons[1]"),
            ("metaInfo", [], "metaInfo"),
            ("metaInfo", {"a": {"b": 1}}, "metaInfo.a"),
            ("metaInfo", {"a": [1]}, "metaInfo.a"),
            ("metaInfo", {"a": 1.5}, "metaInfo.a"),
            ("status", 1.5, "status"),
            ("id", False, "id"),
            ("email", {}, "email"),
        ],
    )
    def test_wrong_types_name_their_path(self, field: str, value: Any, at: str) -> None:
        assert refused(changed(field, value)) == [(at, "wrong_type", "invalid_parameter")]

    def test_ids_and_texts_and_lists_have_an_end(self) -> None:
        assert accepted(changed("id", "ü" * 255)).reference == "ü" * 255
        assert refused(changed("id", "ü" * 256)) == [("id", "too_long", "invalid_parameter")]
        assert accepted(changed("billing", {"address": "x" * 10_000}))
        assert refused(changed("billing", {"address": "x" * 10_001})) == [
            ("billing.address", "too_long", "invalid_parameter")
        ]
        product = MINIMAL["products"][0]
        assert accepted(changed("products", [product] * 1_000))
        assert refused(changed("products", [product] * 1_001)) == [("products", "too_many", "out_of_range")]
        assert refused(changed("products", [product] * 3), lines_per_order=2) == [
            ("products", "too_many", "out_of_range")
        ]
        assert accepted(changed("metaInfo", {str(n): n for n in range(100)}))
        assert refused(changed("metaInfo", {str(n): n for n in range(101)})) == [
            ("metaInfo", "too_many", "out_of_range")
        ]
        assert refused(changed("metaInfo", {"k" * 256: 1}))[0][1] == "too_long"
        assert refused(changed("coupons", ["c"] * 101)) == [("coupons", "too_many", "out_of_range")]

    def test_all_problems_are_told_at_once_with_the_value_as_sent(self) -> None:
        order = {
            "id": "17",
            "createdAt": "soon",
            "amount": "9" * 500,
            "products": [{"price": True, "quantity": 1, "quantityFloat": 2.5}],
            "metaInfo": {"x": None, "y": []},
        }
        draft = read(order)
        assert [problem.field for problem in draft.problems] == [
            "createdAt",
            "updatedAt",
            "status",
            "amount",
            "products[0].productId",
            "products[0].price",
            "products[0].quantityFloat",
            "metaInfo.y",
        ]
        assert draft.problems[3].value == "9" * 100 + "…"
        assert draft.problems[5].value == "true"
        assert draft.reference == "17"
        assert json.loads(draft.document) == order

    def test_the_problems_of_one_order_have_an_end(self) -> None:
        assert len(read(changed("products", [{}] * 1_000)).problems) == 100

    @pytest.mark.parametrize("document", [b"[]", b"5", b'"14"', b"null", b"true"])
    def test_an_order_is_an_object(self, document: bytes) -> None:
        assert refused(document) == [("", "wrong_type", "invalid_parameter")]

    @pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e400", b"1e-400", b"9" * 400, b"18446744073709551615"])
    @pytest.mark.parametrize(
        ("order", "field"),
        [
            (changed("id", "@"), "id"),
            (changed("amount", "@"), "amount"),
            (with_product(price="@"), "products[0].price"),
            (changed("metaInfo", {"a": 1, "b": "@"}), "metaInfo.b"),
        ],
    )
    def test_a_number_that_cannot_be_kept_is_named_with_its_path(
        self, order: dict[str, Any], field: str, number: bytes
    ) -> None:
        document = written(order).replace(b'"@"', number)
        assert refused(document) == [(field, "unreadable", "invalid_parameter")]
        batch = b'{"orders":[' + written(MINIMAL) + b"," + document + b"]}"
        try:
            fields = [problem.field for problem in located(read_batch(batch, now=0).drafts)]
        except Unreadable as refusal:  # no JSON at all
            fields = [refusal.field]
        assert fields == [f"orders[1].{field}"]

    def test_a_number_in_a_large_order_is_refused_without_looking_for_its_place(self) -> None:
        order = changed("metaInfo", {"a": "@"}) | {"note": "x" * 300_000}
        assert refused(written(order).replace(b'"@"', b"1e400")) == [("", "unreadable", "invalid_parameter")]

    def test_a_number_deep_inside_is_too_deep(self) -> None:
        document = written(changed("metaInfo", "@")).replace(b'"@"', b"[" * 80 + b"1e400" + b"]" * 80)
        (problem,) = read(document).problems
        assert (problem.code, problem.message) == ("unreadable", "the JSON is nested too deeply")

    @pytest.mark.parametrize("name", ["id", "amount", "products"])
    def test_a_repeated_name_is_refused(self, name: str) -> None:
        document = written(MINIMAL)[:-1] + b"," + written({name: MINIMAL[name]})[1:]
        assert refused(document) == [(name, "unreadable", "invalid_parameter")]
        envelope = b'{"orders":[' + document + b"," + written(MINIMAL) + b"]}"
        drafts = read_batch(envelope, now=0).drafts
        assert [draft.order is None for draft in drafts] == [True, False]

    def test_a_repeated_name_that_hides_behind_escapes_is_refused(self) -> None:
        document = written(MINIMAL)[:-1] + b', "\\u0069d": "15"}'
        assert refused(document) == [("id", "unreadable", "invalid_parameter")]

    def test_texts_that_look_like_names_cost_time_but_no_order(self) -> None:
        order = MINIMAL | {"status": "id", "metaInfo": {"amount": 1, "products": "id"}}
        assert accepted(order).status == "id"
        assert all(draft.order for draft in read_batch(batch(order, MINIMAL), now=0).drafts)


class TestTheEnvelope:
    def test_historical_is_true_unless_said_otherwise(self) -> None:
        assert read_batch(batch(MINIMAL), now=0).announce is False
        assert read_batch(batch(MINIMAL, historical=None), now=0).announce is False
        assert read_batch(batch(MINIMAL, historical=True), now=0).announce is False
        assert read_batch(batch(MINIMAL, historical=False), now=0).announce is True

    def test_a_batch_is_read_in_the_order_of_the_request(self) -> None:
        body = batch(*(changed("id", str(number)) for number in range(300)), notifyUrl="https://a.example/x?y=1")
        submission = read_batch(body, now=0)
        assert [draft.key for draft in submission.drafts] == [str(number) for number in range(300)]
        assert [draft.reference for draft in submission.drafts] == [str(number) for number in range(300)]
        assert submission.notify_url == "https://a.example/x?y=1"
        assert submission.policy is ErrorPolicy.ACCEPT_VALID
        assert (submission.dialect, submission.source, submission.single) == ("brevo", "", False)
        assert submission.size_bytes == len(body)

    def test_a_thousand_orders_are_accepted_and_no_more(self) -> None:
        assert len(read_envelope(batch(*[MINIMAL] * 1_000))[1]) == 1_000
        with pytest.raises(TooMany, match="1001 orders"):
            read_envelope(batch(*[MINIMAL] * 1_001))

    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            (b"{}", "orders", "missing_parameter"),
            (b'{"orders":null}', "orders", "missing_parameter"),
            (b'{"orders":[]}', "orders", "invalid_parameter"),
            (b'{"orders":{}}', "orders", "invalid_parameter"),
            (b'{"orders":[{}],"historical":"true"}', "historical", "invalid_parameter"),
            (b'{"orders":[{}],"historical":1}', "historical", "invalid_parameter"),
            (b'{"orders":[{}],"notifyUrl":5}', "notifyUrl", "invalid_parameter"),
            (b'{"orders":[{}],"notifyUrl":"ftp://a.example"}', "notifyUrl", "invalid_parameter"),
            (b'{"orders":[{}],"notifyUrl":""}', "notifyUrl", "invalid_parameter"),
        ],
    )
    def test_what_is_wrong_with_it_is_named(self, body: bytes, field: str, code: str) -> None:
        with pytest.raises(Invalid) as caught:
            read_envelope(body)
        assert [(problem.field, problem.contract_code) for problem in caught.value.problems] == [(field, code)]
        assert caught.value.message.startswith(field)

    def test_all_that_is_wrong_with_it_is_named(self) -> None:
        with pytest.raises(Invalid, match=r"orders: required, but not given.*and 2 more problems"):
            read_envelope(b'{"historical":"no","notifyUrl":[]}')

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"   ",
            b"orders",
            b"[]",
            b"null",
            b'{"orders":[{}]',
            b'{"orders":[{}]} x',
            b'\xef\xbb\xbf{"orders":[{}]}',
            b'{"orders":[{}],"x":"\xff"}',
            b'{"orders":[{}],"x":"\\ud800"}',
            b'{"orders":[{}],"x":NaN}',
            '{"orders":[{}]}'.encode("utf-16"),
            b'{"orders":' + b"[" * 100_000,
            b'{"orders":[{}],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ],
    )
    def test_what_is_no_json_object_is_unreadable(self, body: bytes) -> None:
        with pytest.raises(Unreadable):
            read_envelope(body)

    @pytest.mark.parametrize(
        "template",
        [
            '{"orders":[ORDER],"orders":[ORDER]}',
            '{"orders":[ORDER],"orders":[]}',
            '{"orders":[],"orders":[ORDER]}',
            '{"orders":null,"x":"orders","orders":[ORDER]}',
            '{"orders":[ORDER],"\\u006frders":[ORDER]}',
            '{"historical":true,"orders":[ORDER],"historical":false}',
            '{"notifyUrl":null,"notifyUrl":"http://a.example","orders":[ORDER]}',
        ],
    )
    def test_a_repeated_name_is_refused(self, template: str) -> None:
        with pytest.raises(Refusal):
            read_envelope(template.replace("ORDER", json.dumps(MINIMAL)).encode())

    def test_an_order_that_looks_like_something_before_it_does_no_harm(self) -> None:
        order = json.dumps(MINIMAL)
        _, raws = read_envelope(f'{{"sample":{order},"orders":[{order},{order}],"last":{order}}}'.encode())
        assert len(raws) == 2

    @pytest.mark.parametrize(
        "url",
        [
            "http://a.example",
            "https://a.example:8443/path?id=1&x=%20#f",
            "http://127.0.0.1:9000/x",
            "http://[::1]/",
            "HTTPS://A.example/",
        ],
    )
    def test_urls_that_could_be_called(self, url: str) -> None:
        assert is_http_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "a.example",
            "//a.example",
            "ftp://a.example",
            "http://",
            "http:///x",
            "http://:80/",
            "http://user@a.example",
            "http://a.example:99999/",
            "http://a.example:x/",
            "http://[127.0.0.1]/",
            "http://[::1",
            "http://a.example\\@b.example",
            "http://a.example/ x",
            "http://a.example/\n",
            "http://ä.example/",
            "http://a%2eexample/",
            "http://a.example/" + "x" * 2_000,
        ],
    )
    def test_urls_that_could_not(self, url: str) -> None:
        assert not is_http_url(url)


class TestTheQuery:
    def test_without_parameters_the_newest_fifty(self) -> None:
        query = read_order_query([])
        assert (query.dialect, query.limit, query.offset, query.descending) == ("brevo", 50, 0, True)
        assert query.sort is OrderSort.PLACED
        assert query.with_count
        assert query.with_document

    def test_every_parameter_is_heard(self) -> None:
        query = read_order_query(
            [
                ("limit", "100"),
                ("offset", "200"),
                ("sort", "asc"),
                ("createdSince", "2021-07-29T20:59:23.383Z"),
                ("modifiedSince", "2021-07-29T22:59:23+02:00"),
                ("secondarySortByModifiedAt", "true"),
                ("unknown", "x"),
            ]
        )
        assert (query.limit, query.offset, query.descending) == (100, 200, False)
        assert query.placed_after == 1_627_592_363_383_000
        assert query.updated_after == 1_627_592_363_000_000
        assert query.sort is OrderSort.PLACED_UPDATED

    @pytest.mark.parametrize("sent", ["2021-07-29T22:59:23 02:00", "2021-07-29T22:59:23.000 0200"])
    def test_a_plus_that_became_a_blank_is_mended(self, sent: str) -> None:
        assert read_order_query([("createdSince", sent)]).placed_after == 1_627_592_363_000_000

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("limit", "0", "out_of_range"),
            ("limit", "101", "out_of_range"),
            ("limit", "-1", "out_of_range"),
            ("limit", "9" * 5_000, "out_of_range"),
            ("limit", "ten", "invalid_parameter"),
            ("limit", "", "invalid_parameter"),
            ("limit", "1.0", "invalid_parameter"),
            ("limit", "٣", "invalid_parameter"),
            ("offset", "-1", "out_of_range"),
            ("offset", str(2**63), "out_of_range"),
            ("sort", "DESC", "invalid_parameter"),
            ("sort", "", "invalid_parameter"),
            ("secondarySortByModifiedAt", "yes", "invalid_parameter"),
            ("createdSince", "2021-07-29", "invalid_parameter"),
            ("modifiedSince", "", "invalid_parameter"),
            ("modifiedSince", "0001-01-01T00:00:00 14:00", "invalid_parameter"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, name: str, value: str, code: str) -> None:
        with pytest.raises(Invalid) as caught:
            read_order_query([(name, value)])
        assert [(problem.field, problem.contract_code) for problem in caught.value.problems] == [(name, code)]


def test_a_thousand_clean_orders_are_read_in_bounded_time() -> None:
    """Far above what it takes (docs/performance.md): this only notices when the fast pass is lost."""
    body = batch(*(changed("id", str(number)) for number in range(1_000)))
    taken = min(timeit.repeat(lambda: read_batch(body, now=0), number=1, repeat=5, timer=time.process_time))
    untyped = min(timeit.repeat(lambda: orjson.loads(body), number=1, repeat=5, timer=time.process_time))
    assert taken < 15 * untyped


def test_clean_orders_do_not_take_the_close_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Draft:
        raise AssertionError("the close look was taken")

    monkeypatch.setattr(inbound, "_read_closely", fail)
    emoji = DOCUMENTED | {"status": "erledigt ✓ 😀", "billing": {"city": "Zürich \\ & \n"}}
    read_batch(batch(DOCUMENTED, MINIMAL, emoji, historical=False), now=0)
    read_batch(orjson.dumps({"orders": [emoji]}), now=0)
    read_draft("0", msgspec.json.encode(DOCUMENTED), now=0)
