"""Our own form carries everything; the others say what they cannot carry."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
import pytest

from ordermill import examples
from ordermill.core.order import Content
from ordermill.files import convert, form
from ordermill.files.documents import form_of, split_body

BODIES = {"brevo": "brevo_batch", "karrio": "karrio_batch", "centra": "centra_batch"}
NOW = 1_763_631_000_000_000


def samples(contract: str, contracts: Any) -> list[tuple[bytes, Content]]:
    """The documented examples that are good orders."""
    found = []
    for _, document in split_body(examples.body(BODIES[contract]), contract):
        content, _ = convert.read(document, contracts[contract], now=NOW)
        if content is not None:
            found.append((document, content))
    assert found
    return found


@pytest.mark.parametrize("contract", BODIES)
def test_the_documented_examples_are_recognised(contract: str, contracts: Any) -> None:
    for document, _ in samples(contract, contracts):
        assert form_of(document) == contract


@pytest.mark.parametrize("contract", BODIES)
def test_our_own_form_gives_back_what_it_was_given(contract: str, contracts: Any) -> None:
    for _, content in samples(contract, contracts):
        read, problems = form.read_document(form.write_document(content), NOW)
        assert problems == ()
        assert msgspec.structs.asdict(read) == msgspec.structs.asdict(content)


@pytest.mark.parametrize("contract", BODIES)
def test_an_order_that_went_through_our_form_is_the_same_to_its_contract(contract: str, contracts: Any) -> None:
    target = contracts[contract]
    for document, content in samples(contract, contracts):
        back, _ = form.read_document(form.write_document(content), NOW)
        sent, _ = target.write_order_request(back)
        once = target.read_draft("0", document, now=NOW, source=content.source)
        again = target.read_draft("0", sent, now=NOW, source=content.source)
        assert again.problems == ()
        assert (again.order.reference or content.reference) == content.reference or contract == "centra"
        assert (again.order.amount, again.order.identifiers) == (once.order.amount, once.order.identifiers)


@pytest.mark.parametrize(("from_", "to"), [(a, b) for a in BODIES for b in BODIES if a != b])
def test_what_cannot_be_carried_is_named(from_: str, to: str, contracts: Any) -> None:
    for document, content in samples(from_, contracts):
        done = convert.convert(document, contracts, from_, to, now=NOW, source=content.source)
        assert done.document is not None
        assert isinstance(json.loads(done.document), dict)
        if content.status and to == "centra":
            assert "status" in done.lost


def test_rows_of_an_export_say_the_same_as_the_order(contracts: Any) -> None:
    _, content = samples("karrio", contracts)[0]
    rows = form.write_rows(content)
    out = io.StringIO(newline="")
    csv.writer(out).writerows([form.COLUMNS, *rows])
    said = dict(zip(form.COLUMNS, rows[0], strict=True))
    assert said["reference"] == content.reference
    assert len(rows) == len(content.lines)


def test_an_export_as_csv_is_imported_as_the_same_orders(read: Any, contracts: Any) -> None:
    for _, content in samples("karrio", contracts):
        out = io.StringIO(newline="")
        csv.writer(out).writerows([form.COLUMNS, *form.write_rows(content)])
        with read(out.getvalue(), contract="karrio") as reading:
            assert all(column.how == "sure" for column in reading.understood.columns)
            draft = next(reading.pieces(NOW)).draft
        assert draft.problems == ()
        assert (draft.order.reference, draft.order.source, draft.order.amount) == (
            content.reference, content.source, None if content.amount is None else format(content.amount, "f"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (b'{"reference":"A","placedAt":"soon"}', "placed_at"),
        (b'{"reference":"A","amount":"much"}', "amount"),
        (b'{"reference":"A","lines":[{"quantity":"x"}]}', "lines[0].quantity"),
        (b'{"reference":"A","lines":{}}', "lines"),
        (b"[]", ""),
        (b'{"reference":"A","shipTo":[1]}', "ship_to"),
    ],
)
def test_what_is_wrong_in_our_form_is_told(document: bytes, field: str) -> None:
    _, problems = form.read_document(document, NOW)
    assert problems[0].field == field
