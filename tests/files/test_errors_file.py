"""The file that is given back: the original columns untouched and in order, the reasons behind them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from ordermill.core.batch import Item, OutcomeKind, Problem
from ordermill.files import errors_file
from ordermill.files.reading import Reading
from ordermill.files.summary import origin_of, summary

HEAD = "nr,name,city,country,sku,qty,weight,weight_unit,note\n"
MAP = {"nr": "reference", "name": "ship_to.name"}


def written(reading: Reading, *, raw: bool = False) -> str:
    with reading:
        origin = origin_of(reading.understood)
        out = errors_file.write_header(origin, raw=raw)
        for piece in reading.pieces(0):
            if piece.draft.problems:
                out += errors_file.write_item(item_of(piece), origin, raw=raw)
    return out.decode()


def item_of(piece: Any) -> Item:
    draft = piece.draft
    return Item(
        id=piece.position, account_id=1, key=draft.key, outcome=OutcomeKind.FAILED, reference=draft.reference,
        problems=draft.problems, document=draft.document,
    )  # fmt: skip


def cells(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


def test_only_failed_orders_with_all_their_rows_and_the_reason_on_the_right_one(read: Any) -> None:
    content = HEAD + "1,Ann,Bern,CH,S,1,1,KG,a\n2,Bob,Bern,CH,S,1,1,KG,b\n2,Bob,Bern,CH,T,1,1,kgs,c\n"
    header, first, second = cells(written(read(content, columns=MAP)))
    assert header == [*HEAD.strip().split(","), *errors_file.ADDED]
    assert first[:9] == ["2", "Bob", "Bern", "CH", "S", "1", "1", "KG", "b"]
    assert first[9:11] == ["3", ""]
    assert second[9:13] == ["4", "invalid_choice", "weight_unit", "kgs"]


def test_cells_stay_what_they_were_but_for_the_quote_before_a_formula(read: Any) -> None:
    content = HEAD + '007,=1+1,"a, ""b""",CH,-5,x,1.50,KG,"two\nlines"\n'
    assert cells(written(read(content, columns=MAP)))[1][:9] == [
        "007", "'=1+1", 'a, "b"', "CH", "-5", "x", "1.50", "KG", "two\nlines",
    ]  # fmt: skip
    assert cells(written(read(content, columns=MAP), raw=True))[1][1] == "=1+1"


def test_the_delimiter_is_the_files_own(read: Any) -> None:
    content = (HEAD + "1,Ann,Bern,CH,S,x,1,KG,a\n").replace(",", ";")
    assert cells(written(read(content, columns=MAP)), ";")[1][0] == "1"


def test_what_is_mended_goes_in_when_the_file_is_read_again(read: Any) -> None:
    content = HEAD + "1,Ann,Bern,CH,S,x,1,KG,=2*3\n2,Bob,Bern,UK,S,1,1,KG,b\n"
    mended = written(read(content, columns=MAP)).replace('"x"', '"4"', 1).replace('"UK"', '"GB"', 1)
    with read(mended, columns=MAP) as reading:
        pieces = list(reading.pieces(0))
    assert [piece.draft.problems for piece in pieces] == [(), ()]


def test_errors_of_an_errors_file_do_not_grow_a_second_set_of_columns(read: Any) -> None:
    content = HEAD + "1,Ann,Bern,CH,S,x,1,KG,a\n"
    again = written(read(written(read(content, columns=MAP)), columns=MAP))
    assert cells(again)[0] == [*HEAD.strip().split(","), *errors_file.ADDED]
    assert cells(again)[1][:9] == ["1", "Ann", "Bern", "CH", "S", "x", "1", "KG", "a"]


def test_the_summary_that_is_kept_is_enough_to_write_the_file(read: Any) -> None:
    import msgspec

    from ordermill.files.summary import origin_kept

    with read(HEAD + "1,Ann,Bern,CH,S,x,1,KG,a\n", columns=MAP) as reading:
        kept = msgspec.json.encode(summary(reading.understood)).decode()
        assert origin_kept(kept) == origin_of(reading.understood)


@pytest.mark.parametrize("document", ['{"order_id":"A","n":1.50}', "{}", "not json", "[1]"])
def test_orders_that_came_as_json_are_given_back_as_json(document: str) -> None:
    item = Item(id=4, account_id=1, key="5", outcome=OutcomeKind.FAILED, reference="A", document=document)
    said = json.loads(errors_file.write_document(item))
    assert said["ordermill_row"] == 5
    if document.startswith("{"):
        assert b"1.50" in errors_file.write_document(item) or document == "{}"
    else:
        assert said["ordermill_document"] == document


def test_a_problem_names_its_field_once() -> None:
    said = Problem(code="required", field="products", message="products is required")
    assert said.told() == "products is required"
    assert said.told("Lines") == "Lines: products is required"
    assert (
        Problem(code="required", field="shipping_to", message="This is required.").told()
        == "shipping_to: This is required."
    )
    assert Problem(code="unreadable", message="no JSON").told() == "no JSON"
