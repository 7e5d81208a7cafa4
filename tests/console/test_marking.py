"""The wrong value is found in the text as it was sent, whatever its layout."""

from __future__ import annotations

import json

import pytest

from ordermill.console.marking import CHARS, pieces, span
from ordermill.core.batch import Problem

SENT = '{ "id" : "a\\"b{", "amount":"x", "products": [ {"price": 1.50}, {"price" : [1, {"n": null}] } ], "é":true}'


def wrong(field: str) -> Problem:
    return Problem(code="c", message="m", field=field, value=None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", '"a\\"b{"'),
        ("amount", '"x"'),
        ("products", '[ {"price": 1.50}, {"price" : [1, {"n": null}] } ]'),
        ("products[0].price", "1.50"),
        ("products[1].price[1].n", "null"),
        ("é", "true"),
    ],
)
def test_a_value_is_found_by_its_path(path: str, value: str) -> None:
    found = span(SENT, path)
    assert found is not None
    assert SENT[found[0] : found[1]] == value


@pytest.mark.parametrize("path", ["", "no", "id.no", "products[2]", "products.price", "amount[0]", "products[0].no"])
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert span(SENT, path) is None


@pytest.mark.parametrize("text", ["", "1;2;x", "{", '{"id"', '{"id":', "[" * 5_000, '{"a":1,}', "null"])
def test_what_is_no_json_has_no_marks(text: str) -> None:
    assert [piece.wrong for piece in pieces(text, [wrong("id"), wrong("a[1].b")])] in ([], [False], [False, False])


def test_the_pieces_make_the_text_again_and_mark_what_is_wrong() -> None:
    problems = [wrong("products[1].price"), wrong("amount"), wrong("products[1].price[0]"), wrong("missing"), wrong("")]
    found = pieces(SENT, problems)
    assert "".join(piece.text for piece in found) == SENT
    assert [piece.text for piece in found if piece.wrong] == ['"x"', '[1, {"n": null}]']


def test_of_a_long_document_the_part_with_the_first_mark_is_shown() -> None:
    sent = json.dumps({"note": "n" * 3 * CHARS, "amount": "x", "more": "m" * 3 * CHARS})
    found = pieces(sent, [wrong("amount")])
    assert [piece.text for piece in found if piece.wrong] == ['"x"']
    assert found[0].text == found[-1].text == "…"
    assert sum(len(piece.text) for piece in found) <= CHARS + 2
    whole = pieces(sent, [wrong("note")])
    assert whole[1].wrong
    assert sum(len(piece.text) for piece in whole) <= CHARS + 2
