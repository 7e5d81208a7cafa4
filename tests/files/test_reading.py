"""Files as orders: what is found out by looking, how rows become orders, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordermill.cli.local import contracts_of
from ordermill.config import Config
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable

CONTRACTS = contracts_of(Config())
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HEAD = "order_no,date,name,street,zip,city,country,sku,qty,price,weight,weight_unit\n"


def row(number: str, **cells: str) -> str:
    said = {
        "order_no": number, "date": "2026-11-20", "name": "Ann", "street": "Main 1", "zip": "8000", "city": "Zürich",
        "country": "CH", "sku": "S-1", "qty": "2", "price": "12.50", "weight": "0.4", "weight_unit": "KG", **cells,
    }  # fmt: skip
    return ",".join(said.values()) + "\n"


def drafts(reading: Reading) -> list[Any]:
    with reading:
        return [piece.draft for piece in reading.pieces(0)]


def documents(reading: Reading) -> list[dict[str, Any]]:
    with reading:
        return [json.loads(piece.made.document or b"null") for piece in reading.pieces(0)]


# -- what the file is


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(read: Any, delimiter: str) -> None:
    content = (HEAD + row("A-1") + row("A-2")).replace(",", delimiter)
    with read(content, contract="karrio") as reading:
        assert reading.sniffed.delimiter == delimiter
        assert len(list(reading.pieces(0))) == 2


def test_a_delimiter_inside_quotes_does_not_mislead(read: Any) -> None:
    content = 'order_no;name;city\n1;"a,b,c,d";"x,y"\n2;"a,b";z\n'
    with read(content, contract="karrio") as reading:
        assert reading.sniffed.delimiter == ";"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_encoding_is_found(read: Any, encoding: str) -> None:
    with read((HEAD + row("A-1")).encode(encoding), contract="karrio") as reading:
        assert reading.sniffed.encoding == encoding
        assert json.loads(next(reading.pieces(0)).made.document or b"")["shipping_to"]["city"] == "Zürich"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("1,2,3\n4,5,6\n", "no header row"),
        (b"order_no,name\n1,\0x\n", "no text"),
        ('{"a": 1}', "holds no orders"),
        ("name,city\nAnn,Bern\n", "order's id"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(read: Any, content: Any, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read(content)


def test_a_told_column_that_is_not_there_is_told_with_those_near_it(read: Any) -> None:
    with pytest.raises(Unusable, match="order_no"):
        read(HEAD + row("A-1"), columns={"order_nr": "reference"})
    with pytest.raises(Unusable, match=r"ship_to\.city"):
        read(HEAD + row("A-1"), columns={"city": "ship_to.citty"})


# -- columns and fields


def test_guesses_are_called_guesses(read: Any) -> None:
    with read(HEAD + row("A-1")) as reading:
        how = {column.name: (column.path, column.how) for column in reading.understood.columns}
    assert how["order_no"] == ("reference", "sure")
    assert how["name"] == ("ship_to.name", "guess")
    assert how["zip"] == ("ship_to.postal_code", "sure")
    assert any("name" in guess for guess in reading.understood.guesses)


def test_what_is_told_goes_before_what_is_guessed(read: Any) -> None:
    with read(HEAD + row("A-1"), columns={"name": "bill_to.name", "street": "-"}) as reading:
        how = {column.name: (column.path, column.how) for column in reading.understood.columns}
    assert how["name"] == ("bill_to.name", "told")
    assert how["street"] == ("", "ignored")


def test_the_contract_follows_from_the_columns(read: Any) -> None:
    with read(HEAD + row("A-1")) as reading:
        assert reading.understood.contract == "karrio"
    with read("order id,email,total,status,date\n1,a@b.example,5,paid,2026-01-01\n") as reading:
        assert reading.understood.contract == "brevo"


def test_columns_that_we_added_to_an_errors_file_are_passed_over(read: Any) -> None:
    content = HEAD.strip() + ",ordermill_row,ordermill_error\n" + row("A-1").strip() + ',17,"qty: not a number"\n'
    with read(content, contract="karrio") as reading:
        assert {column.how for column in reading.understood.columns if column.name.startswith("ordermill_")} == {"ours"}
        assert next(reading.pieces(0)).draft.order is not None


def test_a_contracts_own_names_are_known(read: Any) -> None:
    header = "order_id,order_date,shipping_to.person_name,shipping_to.country_code"
    header += ",line_items.sku,line_items.weight,line_items.weight_unit"
    said = documents(read(f"{header}\nA-1,2026-11-20,Ann,CH,S-1,0.4,KG\n"))[0]
    assert said["shipping_to"] == {
        "person_name": "Ann", "country_code": "CH", "residential": None, "validate_location": False,
    }  # fmt: skip
    assert said["line_items"][0]["sku"] == "S-1"


@pytest.mark.parametrize(
    ("name", "preset", "contract", "orders", "lines"),
    [
        ("shopify.csv", "shopify", "brevo", 2, 3),
        ("woocommerce.csv", "woocommerce", "brevo", 2, 3),
        ("magento.csv", "magento", "brevo", 2, 0),
        ("amazon.txt", "amazon", "brevo", 2, 3),
        ("karrio.csv", "karrio", "karrio", 2, 2),
    ],
)
def test_the_exports_of_well_known_programs_are_recognised(
    contracts: Any, name: str, preset: str, contract: str, orders: int, lines: int
) -> None:
    with Reading(EXAMPLES / name, Plan(), contracts) as reading:
        assert (reading.understood.preset, reading.understood.contract) == (preset, contract)
        pieces = list(reading.pieces(0))
    assert [piece.draft.problems for piece in pieces] == [()] * orders
    said = [json.loads(piece.made.document or b"") for piece in pieces]
    assert sum(len(order.get("products") or order.get("line_items") or []) for order in said) == lines


def test_amazon_tells_totals_of_lines_and_shipping_by_line(contracts: Any) -> None:
    with Reading(EXAMPLES / "amazon.txt", Plan(), contracts) as reading:
        order = json.loads(next(reading.pieces(0)).made.document or b"", parse_float=str)
    assert [(line["quantity"], line["price"]) for line in order["products"]] == [(2, "12.5"), (1, 28)] or [
        str(line["price"]) for line in order["products"]
    ] == ["12.5", "28"]
    assert str(order["amount"]) in ("59.0", "59", "59.00")


def test_a_quote_before_a_postal_code_is_no_part_of_it(contracts: Any) -> None:
    with Reading(EXAMPLES / "shopify.csv", Plan(contract="karrio"), contracts) as reading:
        order = json.loads(next(reading.pieces(0)).made.document or b"")
    assert order["shipping_to"]["postal_code"] == "8001"


# -- rows and orders


def test_rows_with_one_id_are_one_order(read: Any) -> None:
    said = documents(read(HEAD + row("A-1") + row("A-1", sku="S-2", qty="1") + row("A-2")))
    assert [len(order["line_items"]) for order in said] == [2, 1]


def test_rows_that_contradict_each_other_are_no_order(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1") + row("A-1", city="Bern")))
    assert [problem.code for problem in found[0].problems] == ["contradicting_rows"]
    assert found[0].problems[0].field == "shipping_to.city"


def test_rows_may_leave_blank_what_the_first_one_says(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1") + row("A-1", name="", street="", zip="", city="", country="", date="")))
    assert len(found) == 1
    assert found[0].problems == ()


def test_an_id_that_comes_again_later_is_an_error_and_not_a_lost_line(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1") + row("A-2") + row("A-1", sku="S-2")))
    assert [[problem.code for problem in draft.problems] for draft in found] == [[], [], ["scattered_rows"]]


def test_scattered_rows_are_gathered_when_asked_for(read: Any) -> None:
    said = documents(read(HEAD + row("A-1") + row("A-2") + row("A-1", sku="S-2"), group="all"))
    assert [(order["order_id"], len(order["line_items"])) for order in said] == [("A-1", 2), ("A-2", 1)]


def test_rows_with_another_update_instant_are_versions(read: Any) -> None:
    content = (
        "id,createdAt,updatedAt,status,amount,email,productId,price,quantity\n"
        "7,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,new,5,a@b.example,P,5,1\n"
        "7,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,paid,5,a@b.example,P,5,1\n"
    )
    said = documents(read(content, contract="brevo", columns={"id": "reference", "productId": "lines.product_id"}))
    assert [order["status"] for order in said] == ["new", "paid"]


def test_a_row_with_a_cell_too_many_is_an_error(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1").strip() + ",extra\n" + row("A-2")))
    assert [problem.code for problem in found[0].problems] == ["too_many_cells"]
    assert found[1].order is not None


def test_trailing_empty_cells_may_be_missing_or_too_many(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1").strip() + ",,\n" + "A-2,2026-11-20,Ann,Main 1,8000,Bern,CH,S-1,1,2,0.4,KG\n"))
    assert [draft.problems for draft in found] == [(), ()]


def test_every_problem_of_an_order_is_told_at_once(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1", date="31.11.2026", qty="two", country="UK", weight_unit="kgs")))
    assert {problem.field for problem in found[0].problems} == {
        "order_date", "line_items[0].quantity", "shipping_to.country_code", "line_items[0].weight_unit",
    }  # fmt: skip


def test_a_problem_names_the_line_it_is_in(read: Any) -> None:
    found = drafts(read(HEAD + row("A-1") + row("A-1", weight_unit="kgs")))
    assert found[0].problems[0].field == "line_items[1].weight_unit"


def test_an_order_with_unreadable_cells_keeps_nothing_that_could_be_taken_for_an_order(read: Any) -> None:
    document = json.loads(drafts(read(HEAD + row("A-1", qty="two")))[0].document)
    assert set(document) == {"ordermill_rows"}
    assert document["ordermill_rows"][0][0] == 2


def test_countries_are_known_by_name(read: Any) -> None:
    said = documents(read(HEAD + row("A-1", country="Switzerland") + row("A-2", country="Deutschland")))
    assert [order["shipping_to"]["country_code"] for order in said] == ["CH", "DE"]


def test_first_and_last_name_make_the_name(read: Any) -> None:
    content = "order id,first name,last name,city,country\n1,Ann,Muster,Bern,CH\n"
    assert documents(read(content, contract="karrio"))[0]["shipping_to"]["person_name"] == "Ann Muster"


def test_constants_stand_in_for_what_a_row_does_not_say(read: Any) -> None:
    content = "order id,date,status,email,total\n1,2026-01-01,,a@b.example,5\n2,2026-01-01,paid,a@b.example,5\n"
    said = documents(read(content, constants={"status": "completed"}))
    assert [order["status"] for order in said] == ["completed", "paid"]


def test_a_limit_is_kept(read: Any) -> None:
    assert len(drafts(read(HEAD + row("A-1") + row("A-2") + row("A-3"), limit=2))) == 2


def test_going_on_behind_what_is_in_gives_the_same_orders(read: Any) -> None:
    content = HEAD + "".join(row(f"A-{number}") for number in range(20))
    with read(content) as reading:
        whole = [piece.draft.reference for piece in reading.pieces(0)]
    with read(content) as reading:
        rest = [piece.draft.reference for piece in reading.pieces(0, skip=7)]
    assert rest == whole[7:]


def test_the_fingerprint_is_of_the_file_and_how_it_is_read(read: Any) -> None:
    content = HEAD + row("A-1")
    prints = []
    for plan in ({}, {}, {"contract": "brevo"}, {"on_error": "stop"}, {"columns": {"name": "bill_to.name"}}):
        with read(content, **plan) as reading:
            prints.append(reading.fingerprint)
    assert prints[0] == prints[1] == prints[3]
    assert len(set(prints)) == 3


def test_a_line_break_in_a_cell_is_part_of_it_and_rows_keep_their_numbers(read: Any) -> None:
    content = HEAD + row("A-1", street='"Main 1\nback door"') + row("A-2", qty="x")
    found = drafts(read(content))
    assert found[0].order is not None
    assert found[1].key == "4"


def test_centra_needs_numbers_or_gives_them_itself(read: Any) -> None:
    content = "order id,email,city,country,sku,qty,price\nA-1,a@b.example,Bern,CH,S,1,5\n17,a@b.example,Bern,CH,S,1,5\n"
    found = drafts(read(content, contract="centra"))
    assert [problem.code for problem in found[0].problems] == ["not_a_number"]
    assert found[1].order.reference == "17"


# -- JSON


def test_ndjson_of_a_contract_goes_in_as_it_is(read: Any) -> None:
    line = '{"order_id":"A","shipping_to":{"country_code":"CH"},"line_items":[{"weight":1,"weight_unit":"KG"}]}'
    with read(f"{line}\n\n{line.replace('KG', 'kgs')}\n", name="orders.ndjson") as reading:
        assert (reading.sniffed.kind, reading.understood.form, reading.understood.contract) == (
            "ndjson",
            "karrio",
            "karrio",
        )
        pieces = list(reading.pieces(0))
    assert pieces[0].made.document == line.encode()
    assert (pieces[1].draft.key, pieces[1].draft.problems[0].code) == ("3", "invalid_choice")


@pytest.mark.parametrize("form", ["list", "envelope", "keyed", "one"])
def test_json_bodies_of_any_shape_are_taken_apart(read: Any, form: str) -> None:
    order = {"order_id": "A", "shipping_to": {"country_code": "CH"}, "line_items": [{"weight": 1, "weight_unit": "KG"}]}
    body: Any = {"list": [order], "envelope": {"orders": [order]}, "keyed": {"x": order}, "one": order}[form]
    with read(json.dumps(body, indent=1), name="orders.json") as reading:
        assert [piece.draft.reference for piece in reading.pieces(0)] == ["A"]


# -- spreadsheets


def test_a_spreadsheet_is_read_and_lost_zeros_are_warned_of(read: Any) -> None:
    cells = [
        HEAD.strip().split(","),
        ["A-1", "2026-11-20", "Ann", "Main 1", 4051, "Bern", "CH", "S-1", 2, 12.5, 0.4, "KG"],
    ]
    with read(workbook(cells), name="orders.xlsx") as reading:
        piece = next(reading.pieces(0))
    assert piece.draft.problems == ()
    order = json.loads(piece.made.document or b"")
    assert (order["shipping_to"]["postal_code"], order["line_items"][0]["quantity"]) == ("4051", 2)
    assert [(warning.code, warning.field) for warning in piece.made.warnings] == [
        ("read_as_number", "ship_to.postal_code")
    ]


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(read: Any) -> None:
    with pytest.raises(Unusable, match="Orders"):
        read(workbook([["order_no"], ["1"]]), name="orders.xlsx", sheet="Sheet9")


def workbook(rows: list[list[Any]]) -> bytes:
    """The least that is an XLSX file."""

    def cell(value: Any) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/xl/workbook.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{rel}">'
            '<sheets><sheet name="Orders" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        book.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>'
        )
    return out.getvalue()


# -- the samples


def test_night_csv_is_what_its_generator_makes_and_fails_as_it_should(contracts: Any) -> None:
    from ordermill.examples import night

    assert (EXAMPLES / "night.csv").read_text(encoding="utf-8") == night.text()
    with Reading(EXAMPLES / "night.csv", Plan(), contracts) as reading:
        found = [piece.draft for piece in reading.pieces(0)]
    failed = [draft.problems[0] for draft in found if draft.problems]
    assert (len(found), len(failed)) == (2_000, 18)
    assert len({(problem.code, problem.field.split("[")[0]) for problem in failed}) == 4


def test_the_dirty_sample_names_every_mistake_in_it(contracts: Any) -> None:
    with Reading(EXAMPLES / "dirty.csv", Plan(), contracts) as reading:
        found = {piece.draft.reference: piece.draft for piece in reading.pieces(0)}
    with open(EXAMPLES / "dirty.csv", encoding="utf-8", newline="") as file:
        remarks = {cells[0]: cells[15] for cells in csv.reader(file, delimiter=";")}
    fine = {reference for reference, draft in found.items() if not draft.problems}
    assert fine == {"D-1002", "D-1003", "D-1017"} | ({"D-1001"} & fine)
    assert "fine" in remarks["D-1002"]


@settings(deadline=None)
@given(
    st.binary(max_size=400)
    | st.text(max_size=200).map(str.encode)
    | st.text('ab,;\n"{}[]:1', max_size=200).map(str.encode)
)
def test_no_bytes_at_all_are_too_much_for_it(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        path.write_bytes(body)
        for contract in ("karrio", ""):
            try:
                with Reading(path, Plan(contract=contract), CONTRACTS) as reading:
                    for piece in reading.pieces(0):
                        assert piece.draft.order is not None or piece.draft.problems
            except Unusable:
                continue  # told in a sentence, which the next test looks at


ODD_BODIES = [
    b"3\xff", b"\x81\x8d,b\n1,2\n", b"\xff\xfe\x00", b"a,b\n\xff\xff", b'"', b"a\n" * 3, b"\xef\xbb\xbf", b"{", b"[[",
    b"PK\x03\x04junk", b"\xd0\xcf\x11\xe0junk",
]  # fmt: skip


@pytest.mark.parametrize("body", ODD_BODIES)
def test_whatever_comes_is_understood_or_told_in_a_sentence(read: Any, body: bytes) -> None:
    told: list[str] = []
    with suppress(Unusable), read(body, columns={}) as reading:
        told += [problem.message for piece in reading.pieces(0) for problem in piece.draft.problems]
    assert all(told)
