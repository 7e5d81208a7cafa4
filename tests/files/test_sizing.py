"""Spreadsheets that are small as files and huge as sheets: refused before their cells are made, in words that help."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ordermill.files import sizing, tables
from ordermill.files.sniffing import Unusable, sniff

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = ["order_no", "ship_country", "sku", "quantity"]


def workbook(cells: dict[str, str]) -> bytes:
    """Cells by where they stand."""
    rows: dict[str, str] = {}
    for place, text in cells.items():
        row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        rows[row] = rows.get(row, "") + f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'
    sheet = "".join(f'<row r="{number}">{row}</row>' for number, row in rows.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"/>')
        for name, kind, target in (
            ("", "officeDocument", "xl/workbook.xml"),
            ("xl/", "worksheet", "worksheets/s1.xml"),
        ):
            book.writestr(
                f"{name}_rels/{'workbook.xml' if name else ''}.rels",
                f'<Relationships xmlns="{PACKAGE}/relationships">'
                f'<Relationship Id="r1" Type="{REL}/{kind}" Target="{target}"/></Relationships>',
            )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets><sheet name="Orders" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>",
        )
        book.writestr("xl/worksheets/s1.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>')
    return out.getvalue()


def open_document(repeated: str) -> bytes:
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("META-INF/manifest.xml", '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>')
        book.writestr(
            "content.xml",
            f'<office:document-content{names}><office:body><office:spreadsheet><table:table table:name="Orders">'
            f'<table:table-row table:number-rows-repeated="{repeated}"><table:table-cell office:value-type="string" '
            'table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell></table:table-row>'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


def head_and(**more: str) -> dict[str, str]:
    return {f"{chr(65 + index)}1": name for index, name in enumerate(HEAD)} | more


def test_a_kilobyte_that_reaches_to_the_last_cell_is_refused(read: Any) -> None:
    body = workbook(head_and(XFD1048576="x"))
    assert len(body) < 2_000
    with pytest.raises(Unusable) as caught:
        read(body, name="orders.xlsx")
    assert "orders.xlsx, sheet Orders: it reaches over 1,048,576 rows × 16,384 columns" in caught.value.message
    assert "67,108,864" in caught.value.message
    assert "delete the empty rows and columns" in caught.value.hint


def test_a_sheet_that_is_almost_empty_is_refused_earlier(read: Any) -> None:
    with pytest.raises(Unusable, match=r"60,000 rows × 1,000 columns"):
        read(workbook(head_and(ALL60000="x")), name="orders.xlsx")


def test_repeated_cells_of_an_open_document_are_refused(read: Any) -> None:
    with pytest.raises(Unusable, match=r"orders.ods.*reaches"):
        read(open_document("5000"), name="orders.ods")


def test_more_cells_than_are_read_are_counted(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "CELLS_MAX", 1_000)
    with pytest.raises(Unusable, match=r"251 rows × 4 columns, at most 1,000 cells"):
        read(workbook(head_and(A251="x")), name="orders.xlsx")


def test_a_stray_cell_within_reason_does_no_harm(read: Any) -> None:
    cells = head_and(A2="A-1", B2="CH", C2="S-1", D2="2", ZZ500="x")
    with read(workbook(cells), name="orders.xlsx", contract="karrio") as reading:
        assert next(reading.pieces(0)).draft.reference == "A-1"


def test_rows_keep_their_numbers_where_the_sheet_begins_further_down(tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    path.write_bytes(workbook({"B3": "order_no", "C3": "sku", "B4": "A-1", "C4": "S", "B7": "A-2", "C7": "S"}))
    with tables.open_table(path, sniff(path)) as table:
        assert table.header == ["", "order_no", "sku"]
        assert list(table.rows) == [(4, ["", "A-1", "S"]), (7, ["", "A-2", "S"])]
        assert table.progress() == 1.0


def test_the_content_says_how_much_memory_it_is_worth_and_an_archive_cannot_lie_about_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"
    body = bytearray(workbook(head_and()))
    plain = workbook(head_and())
    at = plain.rindex(b"PK\x01\x02") + 24  # the size that the archive says its last part has
    body[at : at + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(body)
    most = len(body) * sizing.PACKED_AT_MOST * sizing.MEMORY_PER_BYTE
    assert sizing.memory_of(path) == sizing.MEMORY_BYTES + most
    path.write_bytes(plain)
    assert sizing.memory_of(path) < sizing.MEMORY_BYTES + 100_000


def test_a_signal_to_the_servers_processes_does_not_end_the_looking(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "told"
    told = """{"trouble": "group %d"}"""
    script.write_text(f"#!{sys.executable}\nimport os\nprint('{told}' % os.getpgrp())\n")
    script.chmod(0o700)
    monkeypatch.setattr(sizing.sys, "executable", str(script))
    with pytest.raises(Unusable, match=r"group \d+") as caught:
        read(workbook(head_and()), name="orders.xlsx")
    assert not caught.value.message.endswith(f"group {os.getpgrp()}")
