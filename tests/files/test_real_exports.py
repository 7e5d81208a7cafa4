"""Tables as spreadsheets really export them: titles above the header, units in names, quotes that never end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from files.test_reading import documents, drafts, workbook

from ordermill.files.sniffing import Unusable

GERMAN = "Bestellnummer;Kunde;Ort;Land;Artikelnummer;Menge;Einzelpreis;Gewicht (kg)\r\n"
TITLES = {
    "padded lines of one cell": "Bestellungen;;;;;;;\r\nStand 20.11.2026;;;;;;;\r\n;;;;;;;\r\n",
    "bare lines": "Bestellungen vom 20.11.2026\r\n\r\n",
    "a line of several cells": "Zeitraum:;01.11.2026;bis;20.11.2026;;;;\r\n",
    "names of groups": "Bestellung;Lieferung;;;Artikel;;;\r\n",
}


@pytest.mark.parametrize("above", TITLES.values(), ids=TITLES)
def test_titles_above_the_header_are_passed_over_and_told(read: Any, above: str) -> None:
    content = (above + GERMAN + 'A-1;Jürg;Zürich;CH;T-1;2;"1.234,50";0,75\r\n').encode("cp1252")
    number = above.count("\r\n") + 1
    with read(content) as reading:
        assert reading.understood.guesses[0] == f"row {number} is the header: what stands above it is passed over"
        pieces = list(reading.pieces(0))
    assert [piece.rows[0][0] for piece in pieces] == [number + 1]
    sent = json.loads(pieces[0].made.document or b"null")
    assert sent["shipping_to"]["person_name"] == "Jürg"
    line = sent["line_items"][0]
    assert (line["value_amount"], line["weight"], line["weight_unit"]) == (1234.5, 0.75, "KG")


@pytest.mark.parametrize(
    "content",
    [
        "ref,where\nname,city\ncountry,sku\n",
        "order_no,city,country\nname,city,country\n",
        "Auftrag\nA-1\nA-2\n",
    ],
)
def test_a_first_row_that_may_be_the_header_is_the_header(read: Any, content: str) -> None:
    first = content.partition("\n")[0].split(",")
    with read(content, contract="karrio", columns={first[0]: "reference"}) as reading:
        assert reading.understood.header == first
        assert not any("passed over" in guess for guess in reading.understood.guesses)


def test_titles_above_the_header_of_a_spreadsheet_are_passed_over(read: Any) -> None:
    book = workbook([["Orders of the night"], [], ["order_no", "city", "country"], ["A-1", "Bern", "CH"]])
    with read(book, name="o.xlsx", contract="karrio") as reading:
        assert reading.understood.header == ["order_no", "city", "country"]
        assert [piece.rows[0][0] for piece in reading.pieces(0)] == [4]


def test_a_weight_without_a_unit_is_told_and_not_sent_as_nothing(read: Any) -> None:
    content = "order_no,city,country,sku,weight\nA-1,Bern,CH,S-1,0.4\n"
    (draft,) = drafts(read(content, contract="karrio"))
    assert [(p.code, p.field) for p in draft.problems] == [("required", "line_items[0].weight_unit")]
    assert "--set lines.weight_unit" in draft.problems[0].hint
    (sent,) = documents(read(content, contract="karrio", constants={"lines.weight_unit": "LB"}))
    assert (sent["line_items"][0]["weight"], sent["line_items"][0]["weight_unit"]) == (0.4, "LB")


def test_a_quote_that_never_ends_is_told_where_it_begins(read: Any) -> None:
    content = 'order_no,city,country\nA-1,Bern,CH\nA-2,"Bern,CH\nA-3,Bern,CH\nA-4,Bern,CH\n'
    with pytest.raises(Unusable, match="begins in row 3 never ends"):
        drafts(read(content, contract="karrio"))


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_last_row_of_several_lines_is_no_quote_that_never_ends(read: Any, end: str) -> None:
    content = f'order_no,country,city\nA-1,CH,Bern\nA-2,CH,"Bern\nBümpliz"{end}'
    assert [draft.key for draft in drafts(read(content, contract="karrio"))] == ["2", "3"]


@pytest.mark.parametrize("content", ["<!DOCTYPE html><html></html>", "\n<html><body>", '<?xml version="1.0"?><a/>'])
def test_a_web_page_is_called_one(read: Any, content: str) -> None:
    with pytest.raises(Unusable, match="web page or XML"):
        read(content)


@pytest.mark.parametrize("word", ["Total", "Summe:", "GESAMT"])
def test_a_line_of_totals_is_called_one_and_is_no_order(read: Any, word: str) -> None:
    content = f"order_no,date,email,status,total\nA-1,2026-11-20,a@b.ch,done,4\n{word},2026-11-20,,done,4\n"
    good, total = drafts(read(content, contract="brevo"))
    assert good.problems == ()
    assert [(p.message, p.field, p.value) for p in total.problems] == [
        ("this is a line of totals, not an order", "id", word)
    ]
