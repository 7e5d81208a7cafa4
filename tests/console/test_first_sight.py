"""What somebody needs who sees the console for the first time: what went wrong, in which cell, and what to do now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from visiting import KARRIO, Seen, Visitor, karrio_order, wrong_order

from ordermill.app import House
from ordermill.console.remedies import ELSE, REMEDIES, plainly, remedy, unnumbered

pytestmark = pytest.mark.anyio
ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"


async def import_night(visitor: Visitor, house: House, wrong: bytes) -> Seen:
    """The batch of a file whose last row is wrong."""
    sample = (await visitor.http.get("/import/sample.csv")).content
    file = sample + sample.splitlines()[-1].replace(b"SO-2002", b"SO-2003").replace(b"CA,", wrong) + b"\n"
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", file, "text/csv"))
    await visitor.post("/import/imp_1/plan", page, do="check")
    assert await house.importer.run_once()
    await visitor.post("/import/imp_1/start", await visitor.get("/import/imp_1"))
    assert await house.importer.run_once()
    return await visitor.get("/batches/bch_1")


async def test_the_way_on_is_the_first_button_and_retry_only_where_it_helps(visitor: Visitor) -> None:
    await visitor.send(KARRIO, {"orders": [karrio_order(1), wrong_order(2)]})
    page = await visitor.get("/batches/bch_1")
    assert page.one(".actions > .primary").text() == "Download failed rows (CSV)"
    assert "What now: download the failed rows" in page.text
    await visitor.post("/batches/bch_1/retry", page)
    settled = await visitor.get("/batches/bch_1")
    assert settled.all(".actions > .primary, .actions > form .primary") == []
    assert "All that failed here was sent again" in settled.text


async def test_the_cell_to_be_corrected_is_named_by_its_column(visitor: Visitor, house: House) -> None:
    page = await import_night(visitor, house, b"UK,")
    row = page.one("table.causes tbody tr")
    cells = [" ".join(cell.text(separator=" ").split()) for cell in row.css("td")]
    assert cells[1] == "country shipping_to.country_code"
    assert page.all("table.causes th")[1].text() == "Column"
    assert (row.css("td")[4].attributes["data-unit"], cells[4]) == ("order", "1")
    heads = [head.text() for head in page.all("#orders th")]
    assert "Amount" not in heads  # no failed row of a file tells one: the column would be empty
    assert "Amount" in [head.text() for head in (await visitor.get("/batches/bch_1?show=all")).all("#orders th")]


async def test_a_problem_without_a_hint_says_what_to_do(visitor: Visitor) -> None:
    order = wrong_order(1)
    order["line_items"] = []
    await visitor.send(KARRIO, {"orders": [order]})
    row = (await visitor.get("/batches/bch_1")).one("table.causes tbody tr")
    assert row.css("td")[1].text().strip() == "line_items"
    assert row.css("td")[3].text() == "Give at least one entry."


def test_remedies_are_for_codes_that_there_are() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", ERRORS.read_text("utf-8"), re.MULTILINE)) >= set(REMEDIES)
    assert remedy("of a kind nobody has thought of") == ELSE
    assert plainly("line_items.non_field_errors") == "line_items"
    assert unnumbered("line_items[12].sku") == "line_items.sku"


async def test_the_overview_leads_straight_to_the_batches_that_are_open(visitor: Visitor, house: House) -> None:
    await import_night(visitor, house, b"UK,")
    await visitor.send(KARRIO, {"orders": [wrong_order(2), wrong_order(3)]})
    strip = (await visitor.get("/")).one(".attention")
    said = " ".join(strip.text().split())  # the space before a unit is a narrow one that does not break
    assert "2 causes, the most frequent (2 orders), line_items[0].weight_unit: " in said
    assert [link.attributes["href"] for link in strip.css("a")] == ["/batches/bch_2", "/batches/bch_1"]
    assert strip.css("a")[1].text() == "night.csv"
    await visitor.post("/batches/bch_2/retry", await visitor.get("/batches/bch_2"))
    links = [link.attributes["href"] for link in (await visitor.get("/")).one(".attention").css("a")]
    assert links == ["/batches/bch_3", "/batches/bch_1"]  # what was sent again is not named any more


async def test_rows_that_were_mended_are_called_so(visitor: Visitor, house: House) -> None:
    page = await import_night(visitor, house, b"UK,")
    text = (await visitor.http.get(page.link("Download failed rows (CSV)"), follow_redirects=True)).content
    file = ("fixed.csv", text.replace(b'"UK"', b'"CA"'), "text/csv")
    done = await visitor.post("/batches/bch_1/fix", page, file=file)
    assert await house.importer.run_once()
    assert "fixed rows of bch_1" in (await visitor.get("/batches")).text
    done = await visitor.get(str(done.answer.request.url.path))
    assert "Every order of the file is in the ledger" in done.text


async def test_the_playground_counts_orders_from_one(visitor: Visitor) -> None:
    page = await visitor.get("/playground?sample=karrio-batch")  # three orders, the third is wrong
    assert "order 3 line_items[0].weight_unit" in page.text
    centra = await visitor.get("/playground?sample=centra-batch")
    assert "order a1" in centra.text


async def test_code_in_the_reference_is_set_as_code(visitor: Visitor) -> None:
    for name in ("brevo", "karrio", "centra", "ordermill"):
        page = await visitor.get(f"/reference/{name}")
        sentences = [node.text() for node in page.all(".wide-text, .call > p, .fields td:last-child, .call dd")]
        assert not [text for text in sentences if "`" in text]
    assert "<code>id</code> is the same order" in (await visitor.http.get("/reference/brevo")).text


async def test_a_file_whose_order_number_nobody_finds_is_read_by_naming_the_column(visitor: Visitor) -> None:
    file = b"Auftrag;Mail;Summe;Datum\nA-1;ada@example.com;10,50;2026-11-20\n"
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", file, "text/csv"))
    assert "choose its column (“reference”) in the mapping" in page.text
    assert "--map" not in page.text
    page = await visitor.post("/import/imp_1/plan", page, do="keep", **{"id-column": "Auftrag"})
    assert page.one("#column-0 option[selected]").attributes["value"] == "reference"


async def test_a_check_speaks_of_the_mapping_and_a_status_can_be_given_for_all(visitor: Visitor, house: House) -> None:
    file = b"order_no;Mail;amount\nA-1;ada@example.com;10.50\n"
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", file, "text/csv"))
    page = await visitor.post("/import/imp_1/plan", page, do="check", contract="brevo")
    assert await house.importer.run_once()
    checked = await visitor.get("/import/imp_1")
    assert "choose its column (“placed at”) in the mapping" in checked.text
    assert "give one status for all in the mapping" in checked.text
    assert "--" not in checked.one("table.causes").text()
    assert checked.one("a.primary").text() == "Back to the mapping"
    mapping = await visitor.get("/import/imp_1?step=mapping")
    await visitor.post("/import/imp_1/plan", mapping, do="check", contract="brevo", status="completed")
    assert await house.importer.run_once()
    assert "give one status" not in (await visitor.get("/import/imp_1")).text
    assert (await visitor.get("/import/imp_1?step=mapping")).one("#status").attributes["value"] == "completed"


async def test_a_file_that_cannot_be_read_is_called_by_its_own_name(visitor: Visitor) -> None:
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", b"", "text/csv"))
    assert "night.csv is empty. What now:" in page.text
    assert page.link("upload another file") == "/import"


async def test_a_filter_that_cannot_be_meant_leads_back_to_the_list(visitor: Visitor) -> None:
    page = await visitor.get("/orders?from=much")
    assert "The filter “Amount from” must be an amount." in page.text
    assert page.link("This page without filters") == "/orders"


async def test_an_upload_says_how_far_it_is(visitor: Visitor, house: House) -> None:
    sample = (await visitor.http.get("/import/sample.csv")).content
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", sample, "text/csv"))
    assert page.one("h1 .status").text() == "uploaded"
    await visitor.post("/import/imp_1/plan", page, do="check")
    assert await house.importer.run_once()
    assert (await visitor.get("/import/imp_1")).one("h1 .status").text() == "checked"


async def test_a_batch_that_its_contract_names_in_its_own_way_is_linked_too(visitor: Visitor) -> None:
    page = await visitor.get("/playground?sample=karrio-batch")
    sent = await visitor.post("/playground", page, call=KARRIO, body=page.one("textarea").text(), do="send")
    assert sent.link("bch_1") == "/batches/bch_1"
    assert sent.one("#sample option[selected]").text() == "– what is below –"  # not a sample that was not sent
    request = (await visitor.http.get("/requests.json")).json()["data"][0]["id"]
    assert "Made bch_1 : 3 orders" in (await visitor.get(f"/requests/{request}")).text


async def test_downloaded_rows_that_come_in_as_a_new_file_are_shown_to_their_batch(
    visitor: Visitor, house: House
) -> None:
    page = await import_night(visitor, house, b"UK,")
    text = (await visitor.http.get(page.link("Download failed rows (CSV)"), follow_redirects=True)).content
    wizard = await visitor.post("/import", await visitor.get("/import"), file=("failed.csv", text, "text/csv"))
    assert wizard.link("their batch") == "/batches?failures=1"
    assert "their batch" not in (await visitor.get("/import/imp_1?step=mapping")).text
