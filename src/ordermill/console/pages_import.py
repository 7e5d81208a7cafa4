"""The import wizard: upload, mapping, check, import. The server does the work; the page may be closed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ordermill.console import formats
from ordermill.console.visit import Page, Visit
from ordermill.core.account import Scope
from ordermill.core.errors import Conflict, Invalid, NotFound
from ordermill.core.importing import ImportJob
from ordermill.core.presets import NAME_CHARS_MAX, check_name
from ordermill.files.fields import FIELDS
from ordermill.files.mapping import IGNORE, presets

WRITE = Scope.ORDERS_WRITE.value
PIECE = 256 * 1024
ASKED = (
    ("contract", "contract"), ("source", "source"), ("zone", "zone"), ("delimiter", "delimiter"),
    ("decimal", "decimal"), ("dateFormat", "date"),
)  # fmt: skip
CONSTANTS = ("currency", "status")  # for orders whose file has no column for it
NOT_ASKED = ("onError", "stopAfter", "limit")  # of one import, whatever its preset is
AT_WORK = ("receiving", "checking", "queued", "running")
HOWS = {"told": "your choice", "preset": "preset", "sure": "found", "guess": "guessed", "ours": "ours", "ignored": ""}
GROUPS = (("Ship to", "ship_to."), ("Bill to", "bill_to."), ("Ship from", "ship_from."), ("Lines", "lines."))
SAMPLE = (
    "order_no,date,email,name,street,postcode,city,country,sku,product,quantity,price,currency,weight,weight_unit\n"
    "SO-2001,2026-11-20,ada@example.com,Ada Example,Somewhere Road 15,4052,Basel,CH,B-1,Bowl,2,20.50,CHF,1.5,KG\n"
    "SO-2001,2026-11-20,ada@example.com,Ada Example,Somewhere Road 15,4052,Basel,CH,C-7,Cup,6,7.00,CHF,0.3,KG\n"
    "SO-2002,2026-11-20,bo@example.com,Bo Sample,Main Street 2,E1C 4Z8,Moncton,CA,K-1,Kettle,1,49.90,CAD,1.2,KG\n"
)


async def imports(visit: Visit) -> Response:
    """GET /import: the first step, and earlier imports."""
    answer = await visit.console.inside.ask(visit.session, "GET", "/imports", query={"limit": "20"})
    return await visit.page(
        "import.html",
        title="Import",
        nav="import",
        earlier=answer["data"],
        own=await _own_presets(visit),
        running=any(entry["state"] in AT_WORK for entry in answer["data"]),
    )


async def upload(visit: Visit) -> Response:
    """POST /import: the file goes into the ledger; nothing is imported yet."""
    file = chosen_file(visit)
    made = await send_file(visit, file, saved="true")
    await visit.note("uploaded a file", made["id"], made["name"])
    return visit.go(f"/import/{made['id']}")


def chosen_file(visit: Visit) -> UploadFile:
    """Raises Invalid where none was chosen."""
    file = visit.form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Invalid("No file was chosen.", hint="Choose a CSV, TSV, Excel, ODS, JSON or NDJSON file.")
    return file


async def send_file(visit: Visit, file: UploadFile, **query: str) -> Any:
    """Through our own API, piece by piece. Its answer."""

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await file.read(PIECE):
            yield piece

    asked = {"name": (file.filename or "file")[-200:], **query}
    return await visit.console.inside.ask(visit.session, "POST", "/imports", query=asked, stream=pieces())


async def one(visit: Visit) -> Response:
    """GET /import/{id}: the step that it is at, or that was asked for."""
    job = await _ask(visit, "GET", "")
    step = _step(job)
    if visit.query.get("step") == "mapping" and step == "check":
        step = "mapping"
    own = [preset["name"] for preset in await _own_presets(visit)] if step == "mapping" else []
    if job["plan"]["presetApplied"] and job["plan"]["preset"] not in own:  # it was deleted, or is one of live mode
        own.append(job["plan"]["preset"])
    return await visit.page(
        "import_one.html",
        title=job["name"],
        nav="import",
        job=job,
        step=step,
        groups=_groups(),
        hows=HOWS,
        ignore=IGNORE,
        presets=[(name, preset.title or name) for name, preset in presets().items()],
        own=own,
        name_chars=NAME_CHARS_MAX,
        contracts=tuple(visit.console.dialects),
        running=job["state"] in AT_WORK,
    )


def _step(job: Mapping[str, Any]) -> str:
    state = job["state"]
    if state in ("ready", "failed") and job["batchId"] is None:
        return "check" if job["report"] else "mapping"
    return {"receiving": "mapping", "checking": "check"}.get(state, "import")


def _groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """The fields by what they belong to, as (path, word)."""
    prefixes = tuple(prefix for _, prefix in GROUPS)
    first = [path for path in FIELDS if not path.startswith(prefixes)]
    groups = [("The order", first), *((title, [p for p in FIELDS if p.startswith(of)]) for title, of in GROUPS)]
    return [(title, [(path, formats.field_word(path.rpartition(".")[2])) for path in paths]) for title, paths in groups]


async def plan(visit: Visit) -> Response:
    """POST /import/{id}/plan: the mapping as it stands in the form; then the check, unless it is only to be kept."""
    job = await _ask(visit, "GET", "")
    name = check_name(visit.field("save-as")) if visit.field("do") == "save" else ""
    planned = await _ask(visit, "PUT", "/plan", _plan(visit, job))
    if name:
        return await _save_preset(visit, planned, name)
    if visit.field("do") == "keep":
        return visit.go(f"/import/{visit.params['id']}?step=mapping", "Applied.")
    await _ask(visit, "POST", "/check")
    return visit.go(f"/import/{visit.params['id']}")


def _plan(visit: Visit, job: Mapping[str, Any]) -> dict[str, Any]:
    """What was told before, changed by the form. A column that is as it was found stays open to better guesses.

    Another preset takes the place of what was told before; what was changed in the form at the same time stays.
    """
    before: dict[str, Any] = {name: value for name, value in job["plan"].items() if value is not None}
    said, columns, chosen = _said(visit, before), _changed_columns(visit, job), visit.field("preset")
    if "preset" in visit.form and chosen != before["preset"]:
        told = {name: before[name] for name in NOT_ASKED if name in before}
        told |= {name: value for name, value in said.items() if value != before.get(name, "")}
        if "constants" in told:
            told["constants"] = {
                name: said["constants"].get(name, "")
                for name in CONSTANTS
                if said["constants"].get(name) != before["constants"].get(name)
            }
        told |= {"preset": chosen, "columns": columns}
    else:
        told = {**before, **said, "columns": {**before["columns"], **columns}}
    told["constants"] = {name: value for name, value in told.get("constants", {}).items() if value}
    return {name: value for name, value in told.items() if value != ""}


def _said(visit: Visit, before: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says besides columns and preset; empty: to be found out."""
    said: dict[str, Any] = {name: visit.field(key) for name, key in ASKED if key in visit.form}
    if said.get("delimiter") == "tab":
        said["delimiter"] = "\t"
    fixed = {"currency": visit.field("currency").upper(), "status": visit.field("status")}
    told = {name: text for name, text in fixed.items() if text or name in before["constants"]}
    said["constants"] = {**before["constants"], **told}
    said["historical"] = visit.field("announce") != "1"
    said["group"] = "all" if visit.field("group") == "all" else "adjacent"
    return said


def _changed_columns(visit: Visit, job: Mapping[str, Any]) -> dict[str, str]:
    columns = {}
    if visit.field("id-column"):  # where no column is known for the order's number, none can be shown to choose from
        columns[visit.field("id-column")] = "reference"
    for index, column in enumerate((job["file"] or {}).get("columns", ())):
        field = visit.field(f"column-{index}")
        if field == "metadata":
            field = f"metadata.{column['name']}"
        if f"column-{index}" in visit.form and field != column["field"]:
            columns[column["name"]] = field or IGNORE
    return columns


async def _own_presets(visit: Visit) -> list[Any]:
    found: list[Any] = (await visit.console.inside.ask(visit.session, "GET", "/presets"))["data"]
    return found


async def _save_preset(visit: Visit, job: Mapping[str, Any], name: str) -> Response:
    """Keeps how this file is read, every column of it, and reads it by that from here on."""
    await visit.console.inside.ask(visit.session, "PUT", f"/presets/{name}", _kept(job))
    told = {name: job["plan"][name] for name in NOT_ASKED}
    await _ask(visit, "PUT", "/plan", {**told, "preset": name})
    await visit.note("saved a preset", name, visit.params["id"])
    return visit.go(f"/import/{visit.params['id']}?step=mapping", f"Saved as “{name}”.")


def _kept(job: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of the next file of this shape. Columns and contract that were guessed are told in it."""
    columns: dict[str, str] = {}
    for column in job["file"]["columns"]:
        if column["how"] != "ours" and columns.get(column["name"], IGNORE) == IGNORE:
            columns[column["name"]] = column["field"] or IGNORE
    left_out = ("preset", "presetApplied", "mapped", "limit")
    kept = {name: value for name, value in job["plan"].items() if name not in left_out}
    return {**kept, "columns": columns, "contract": job["file"]["contract"]}


async def drop_preset(visit: Visit) -> Response:
    """POST /import/presets/delete."""
    name = check_name(visit.field("name"))
    await visit.console.inside.ask(visit.session, "DELETE", f"/presets/{name}")
    await visit.note("deleted a preset", name)
    return visit.go("/import", f"Deleted “{name}”. What was imported by it stays as it is.")


async def check(visit: Visit) -> Response:
    """POST /import/{id}/check."""
    await _ask(visit, "POST", "/check")
    return visit.go(f"/import/{visit.params['id']}")


async def start(visit: Visit) -> Response:
    """POST /import/{id}/start: also goes on with one that was stopped."""
    await _ask(visit, "POST", "/start")
    await visit.note("started an import", visit.params["id"])
    return visit.go(f"/import/{visit.params['id']}")


async def stop(visit: Visit) -> Response:
    """POST /import/{id}/stop."""
    await _ask(visit, "POST", "/stop")
    await visit.note("stopped an import", visit.params["id"])
    return visit.go(f"/import/{visit.params['id']}", "Stopped. What is in the ledger stays; it can go on from here.")


async def drop(visit: Visit) -> Response:
    """POST /import/{id}/drop: the file and what is known of it; never its orders."""
    await _ask(visit, "DELETE", "")
    await visit.note("forgot an import", visit.params["id"])
    return visit.go("/import", "The file is forgotten.")


async def errors_csv(visit: Visit) -> Response:
    """GET /import/{id}/errors.csv: the failed rows in the file's own columns."""
    number = visit.params["id"]
    reply = await visit.console.inside.call(visit.session, "GET", f"/api/v1/imports/{number}/errors.csv")
    if reply.stream is None:
        raise NotFound("There is no such import.")
    return StreamingResponse(reply.stream(), reply.status, dict(reply.headers), media_type=reply.content_type)


async def sample(visit: Visit) -> Response:
    """GET /import/sample.csv: a file that works as it is."""
    headers = {"content-disposition": 'attachment; filename="ordermill-sample.csv"'}
    return Response(SAMPLE, headers=headers, media_type="text/csv; charset=utf-8")


async def mend_batch(visit: Visit, job: ImportJob) -> Response:
    """A mended errors file of an import: read the way the first one was, linked to its batch, and started."""
    made = await send_file(visit, chosen_file(visit), parent=f"bch_{job.batch_id}")
    told = msgspec.json.decode(job.plan)
    body = {_camel(name): value for name, value in told.items()}
    number = made["id"]
    await visit.console.inside.ask(visit.session, "PUT", f"/imports/{number}/plan", body)
    answer = await visit.console.inside.ask(visit.session, "POST", f"/imports/{number}/start")
    if answer["state"] == "failed":
        raise Conflict(answer["message"])
    await visit.note("sent a fixed file", f"bch_{job.batch_id}", number)
    return visit.go(f"/import/{number}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


async def _ask(visit: Visit, method: str, what: str, body: Any = None) -> Any:
    number = visit.params["id"]
    return await visit.console.inside.ask(visit.session, method, f"/imports/{number}{what}", body)


async def old_address(visit: Visit) -> Response:
    """GET /imports: what people type."""
    return RedirectResponse(visit.link("/import"), 303)


PAGES = (
    Page("GET", "/import", imports),
    Page("GET", "/imports", old_address),
    Page("POST", "/import", upload, scope=WRITE),
    Page("GET", "/import/sample.csv", sample),
    Page("GET", "/import/{id}/errors.csv", errors_csv),
    Page("POST", "/import/presets/delete", drop_preset, scope=WRITE),
    Page("POST", "/import/{id}/plan", plan, scope=WRITE),
    Page("POST", "/import/{id}/check", check, scope=WRITE),
    Page("POST", "/import/{id}/start", start, scope=WRITE),
    Page("POST", "/import/{id}/stop", stop, scope=WRITE),
    Page("POST", "/import/{id}/drop", drop, scope=WRITE),
    Page("GET", "/import/{id}", one),
)
