"""Who is meant by a text, and who only looks like it."""

from __future__ import annotations

import json
import re
import sys

import pytest

from ordermill.core.recognising import Recogniser
from ordermill.store.erasing import _pattern

ANN = Recogniser(
    [
        ("email", "ann@example.com"),
        ("ext", "42"),
        ("loyalty", "77"),
        ("phone", "0791234567"),
        ("phone", "+41 791234567"),
    ]
)


@pytest.mark.parametrize(
    "said",
    [
        {"email": " ANN@example.com"},
        {"a": [{"b": "write to <ann@example.com>, soon"}]},
        {"note": "ann@example.com."},
        {"ann@example.com": 1},
        {"identifiers": {"ext_id": 42}},
        {"identifiers": {"loyalty_subscription_id": "77"}},
        {"billing": {"phone": "079 123-45-67"}},
        {"address": {"cellPhoneNumber": "0791234567"}},
        {"anything": "+41 79 123 45 67"},
        [{"field": "orders[3].identifiers.ext_id", "value": "42"}],
        [{"value": "0791234567", "field": "shipping_to.phone_number"}],
    ],
)
def test_a_person_is_known(said: object) -> None:
    assert ANN.knows(json.dumps(said))


@pytest.mark.parametrize(
    "said",
    [
        {"email": "joann@example.com"},
        {"email": "jo.ann@example.com"},
        {"email": "o'ann@example.com"},
        {"email": "ann@example.com.au"},
        {"email": "ann@example.com-pany.de"},
        {"ext_id": "42", "amount": 42, "id": "42", "identifiers": {"ext_id": "421"}},
        {"identifiers": {"loyalty_subscription_id": "42", "ext_id": "77"}},
        {"sku": "0791234567", "ean": 41791234567, "note": "call 0791234567 or 42"},
        [{"field": "products[0].productId", "value": "42"}],
    ],
)
def test_somebody_else_is_not(said: object) -> None:
    assert not ANN.knows(json.dumps(said))


def test_what_is_no_json_is_read_as_a_text() -> None:
    assert ANN.knows('{"email": "ann@example.com')
    assert not ANN.knows('{"email": "joann@example.com, 42')
    assert ANN.knows_name("ann@example.com")
    assert not ANN.knows_name("42")
    assert not ANN.knows(None)


def test_a_member_that_is_given_twice_is_seen_twice() -> None:
    assert ANN.knows('{"email": "ann@example.com", "email": "x@example.com"}')


def test_a_value_that_says_little_names_nobody_elsewhere() -> None:
    odd = Recogniser([("email", "7"), ("phone", "+1"), ("ext", " ")])
    assert odd.knows('{"email": "7"}')
    assert not odd.knows('{"amount": 7, "note": "+1", "identifiers": {"ext_id": ""}}')


def test_the_search_looks_wherever_another_spelling_may_stand() -> None:
    """Whatever a letter is written as, in a document that escapes it or not."""
    spellings = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    for letter in spellings:
        folded = letter.casefold()
        if letter.isascii() or (not re.search("[ -~]", folded) and letter not in "éÜ€"):
            continue
        looked = re.compile(
            re.escape(_pattern("email", f"a{folded}b@c.de".casefold())).replace("%", ".*").replace("!_", "_"), re.S
        )
        for ascii_only in (True, False):
            document = json.dumps({"email": f"a{letter}b@c.de"}, ensure_ascii=ascii_only)
            lowered = "".join(sign.lower() if sign.isascii() else sign for sign in document)  # as SQLite does
            assert looked.search(lowered), (letter, folded)
