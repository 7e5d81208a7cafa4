"""The calls of web/imports.py, declared: paths, verbs, types and sentences, for the router and the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordermill.web import import_shapes as shapes
from ordermill.web.call import Answer, Call
from ordermill.web.parameters import PAGING, flag, text
from ordermill.web.shapes import Listing

if TYPE_CHECKING:
    from ordermill.web.imports import Imports

NAME_CHARS = 255
IN_PATH = {"id": "The import: `imp_7`."}
UPLOAD = (
    text("name", "What the file is called; its ending helps to tell what it is.", required=True, chars_max=NAME_CHARS),
    text("parent", "The batch whose failed rows it holds, mended: `bch_12`.", chars_max=40),
    flag("saved", "true: where a preset of your own has exactly the file's columns, it is mapped by that one."),
)
ERRORS = (flag("raw", "true: no quote in front of texts that a spreadsheet would take for a formula."),)


def declare(at: Imports) -> tuple[Call, ...]:
    """Every call with its description."""
    one = Answer(status=200, sentence="The import.", body=shapes.Import)
    accepted = Answer(
        status=202, sentence="It is being done; read the import to see how far it is.", body=shapes.Import
    )
    return (
        Call(
            method="POST", pattern="/imports", id="uploadImport", tag="Imports", summary="Upload a file of orders",
            description="The body is the file itself: CSV, TSV, XLSX, XLS, ODS, NDJSON or JSON, up to 4 GiB, plain or "
            "gzipped. Nothing is imported before it is started.",
            handler=at.upload, scope="orders:write", write=True, stream=True, parameters=UPLOAD,
            takes={"type": "string", "format": "binary"},
            media=("application/octet-stream", "text/csv"),
            answers=(Answer(status=201, sentence="What was made of the file.", body=shapes.Import),),
            refuses=(400, 404, 413, 415, 422),
        ),
        Call(
            method="GET", pattern="/imports", id="listImports", tag="Imports", summary="Imports, newest first",
            handler=at.list_imports, parameters=PAGING,
            answers=(Answer(status=200, sentence="A page of imports.", body=Listing[shapes.Import]),), refuses=(422,),
        ),
        Call(
            method="GET", pattern="/imports/{id}", id="getImport", tag="Imports", summary="One import, how far it is",
            handler=at.get_import, path_parameters=IN_PATH, answers=(one,), refuses=(404, 422),
        ),
        Call(
            method="PUT", pattern="/imports/{id}/plan", id="planImport", tag="Imports",
            summary="Say how the file is to be read",
            handler=at.set_plan, scope="orders:write", write=True, path_parameters=IN_PATH,
            takes=shapes.ImportPlan, optional_body=True, answers=(one,), refuses=(400, 404, 409, 413, 415, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/check", id="checkImport", tag="Imports",
            summary="Read everything, write nothing",
            handler=at.check, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(accepted,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/start", id="startImport", tag="Imports",
            summary="Import the file, or go on with it",
            handler=at.start, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(accepted,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/stop", id="stopImport", tag="Imports", summary="Stop an import",
            description="What is in the ledger stays there. Starting it again goes on where it was.",
            handler=at.stop, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(one,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="DELETE", pattern="/imports/{id}", id="dropImport", tag="Imports", summary="Forget an import",
            description="The file and what was made of it. The orders that it brought stay, and so does its batch; one "
            "that has not taken in the whole file ends as cancelled. 409 while it is being worked on: stop it before.",
            handler=at.drop, scope="orders:write", write=True, path_parameters=IN_PATH,
            answers=(Answer(status=204, sentence="It is gone."),), refuses=(400, 404, 409, 422),
        ),
        Call(
            method="GET", pattern="/imports/{id}/errors.csv", id="downloadImportErrorsCsv", tag="Imports",
            summary="The failed rows as CSV",
            description="The file's own columns, untouched and in order, then `ordermill_row`, `_code`, `_field`, "
            "`_value`, `_error` and `_hint`. Mend it and upload it: the added columns are passed over.",
            handler=at.errors_csv, path_parameters=IN_PATH, parameters=ERRORS,
            answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media="text/csv"),),
            refuses=(404, 422),
        ),
        Call(
            method="GET", pattern="/imports/{id}/errors.ndjson", id="downloadImportErrorsNdjson", tag="Imports",
            summary="The failed orders of a JSON file, one a line",
            handler=at.errors_ndjson, path_parameters=IN_PATH,
            answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media="application/x-ndjson"),),
            refuses=(404, 422),
        ),
    )  # fmt: skip
