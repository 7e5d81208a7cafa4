"""Imports of our own API: a file is uploaded, looked at, checked, started, watched; its failed rows are fetched."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ordermill.core.batch import OutcomeKind, Sender
from ordermill.core.errors import Conflict, Invalid, NotFound, TooLarge
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.mill import Mill
from ordermill.core.query import ItemQuery
from ordermill.dialects.reading import iso
from ordermill.files import errors_file
from ordermill.files.checking import Report
from ordermill.files.making import Contract
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable
from ordermill.files.summary import Summary, origin_kept, summary
from ordermill.store.imports import ImportLedger
from ordermill.web import import_shapes as shapes
from ordermill.web import telling
from ordermill.web.bodies import read_body
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.manage_batches import find_batch
from ordermill.web.parameters import PAGE_DEFAULT, PAGING, flag, read_query, text
from ordermill.web.shapes import Listing
from ordermill.work.importer import Importer

FILE_BYTES_MAX = 4 * 1024**3
PART_BYTES = 1024 * 1024
NAME_CHARS = 255
IN_PATH = {"id": "The import: `imp_7`."}
_plan = msgspec.json.Decoder(Plan)
_encode = msgspec.json.encode


class Imports:
    """The handlers."""

    def __init__(
        self, mill: Mill, imports: ImportLedger, importer: Importer, contracts: Mapping[str, Contract]
    ) -> None:
        self.mill = mill
        self.imports = imports
        self.importer = importer
        self.contracts = contracts

    async def upload(self, request: Request) -> Reply:
        """POST /imports: the file as the body, whatever its type. 201 with what was made of it."""
        asked = read_query(request.query(), UPLOAD)
        parent = await self._parent(request, asked.get("parent"))
        assert request.stream is not None
        job = await self.imports.create(
            request.who,
            ImportJob(
                account_id=0,
                id=0,
                mode=request.who.mode,
                key_id=request.who.key_id,
                name=Path(asked["name"]).name or "file",
                state=ImportState.RECEIVING,
                plan=_encode(Plan()).decode(),
                parent_batch_id=parent,
            ),
        )
        with tempfile.NamedTemporaryFile(prefix="ordermill-upload-", suffix=Path(job.name).suffix[:10]) as file:
            try:
                job = await self._receive(job, request.stream, file)
            except BaseException:
                await self.imports.drop(request.who, job.id)
                raise
            job = await self._look(job, Path(file.name), Plan())
        return await self._told(request.who, job, status=201)

    async def _parent(self, request: Request, said: str | None) -> int | None:
        """The batch whose failed rows the file mends. Raises NotFound."""
        if said is None:
            return None
        request.params = {"id": said}
        return (await find_batch(self.mill, request)).id

    async def _receive(self, job: ImportJob, stream: AsyncIterator[bytes], file: Any) -> ImportJob:
        """The file into the ledger, part by part as it comes."""
        digest, size, number, pending = hashlib.sha256(), 0, 0, bytearray()
        async for piece in stream:
            size += len(piece)
            if size > FILE_BYTES_MAX:
                raise TooLarge(f"the file is larger than {FILE_BYTES_MAX:,} bytes", hint="send it as several files")
            digest.update(piece)
            file.write(piece)
            pending += piece
            while len(pending) >= PART_BYTES:
                await self.imports.save_part(job, number, bytes(pending[:PART_BYTES]))
                del pending[:PART_BYTES]
                number += 1
        if pending:
            await self.imports.save_part(job, number, bytes(pending))
        file.flush()
        return msgspec.structs.replace(job, size_bytes=size, sha256=digest.hexdigest())

    async def _look(self, job: ImportJob, path: Path, plan: Plan) -> ImportJob:
        """How the file is understood under a plan; a file that cannot be read is failed, and may get another plan."""
        try:
            with Reading(path, plan, self.contracts, name=job.name) as reading:
                understood = _encode(summary(reading.understood)).decode()
                state, message = ImportState.READY, ""
        except Unusable as error:
            understood, state, message = "{}", ImportState.FAILED, str(error)
        job = msgspec.structs.replace(
            job,
            state=state,
            message=message,
            plan=_encode(plan).decode(),
            understood=understood,
            report="{}",
            fingerprint=plan.fingerprint(job.sha256),
        )
        await self.imports.set_file(job)
        return job

    async def list_imports(self, request: Request) -> Reply:
        """GET /imports: newest first."""
        asked = read_query(request.query(), PAGING)
        limit = asked.get("limit", PAGE_DEFAULT)
        found = await self.imports.find_page(request.who, limit + 1, asked.get("cursor"))
        shown = [await self._tell(request.who, job) for job in found[:limit]]
        return telling.write_page(shown, found[limit - 1].id if len(found) > limit else None)

    async def get_import(self, request: Request) -> Reply:
        read_query(request.query(), ())
        return await self._told(request.who, await self.find(request))

    async def set_plan(self, request: Request) -> Reply:
        """PUT /imports/{id}/plan: how the file is to be read. Answers with what it looks like then."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.ImportPlan, optional=True)
        plan = read_plan(asked)
        job = await self.find(request)
        if job.batch_id is not None or job.state not in (ImportState.READY, ImportState.FAILED):
            raise Conflict("this import has begun; how it is read can no longer be changed")
        async with self.importer.spool(job) as path:
            job = await self._look(job, path, plan)
        if job.state is ImportState.FAILED:
            raise Invalid(job.message)
        return await self._told(request.who, job)

    async def check(self, request: Request) -> Reply:
        """POST /imports/{id}/check: 202; the report is there when the state is ready again. Nothing is written."""
        return await self._start(request, ImportState.CHECKING, (ImportState.READY,))

    async def start(self, request: Request) -> Reply:
        """POST /imports/{id}/start: 202; also goes on with one that was stopped."""
        return await self._start(request, ImportState.QUEUED, (ImportState.READY, ImportState.STOPPED))

    async def _start(self, request: Request, to: ImportState, from_: tuple[ImportState, ...]) -> Reply:
        read_query(request.query(), ())
        job = await self.find(request)
        if job.state is to or (to is ImportState.QUEUED and job.state is ImportState.RUNNING):
            return await self._told(request.who, job, status=202)
        if job.state not in from_:
            raise Conflict(f"this import is {job.state.value}", hint=job.message)
        job = await self.imports.move(job, to)
        self.importer.wake.set()
        return await self._told(request.who, job, status=202)

    async def stop(self, request: Request) -> Reply:
        """POST /imports/{id}/stop: ends behind the chunk in hand. Stopping twice is stopping once."""
        read_query(request.query(), ())
        job = await self.find(request)
        if job.state in (ImportState.QUEUED, ImportState.RUNNING):
            job = await self.imports.move(job, ImportState.STOPPED, "stopped")
        elif job.state is not ImportState.STOPPED:
            raise Conflict(f"this import is {job.state.value}")
        return await self._told(request.who, job)

    async def drop(self, request: Request) -> Reply:
        """DELETE /imports/{id}: the file and what is known of it. Its orders and its batch stay."""
        read_query(request.query(), ())
        job = await self.find(request)
        await self.imports.drop(request.who, job.id)
        return Reply(204)

    async def errors_csv(self, request: Request) -> Reply:
        """GET /imports/{id}/errors.csv: the failed rows, their columns untouched and in order, the reasons behind."""
        asked = read_query(request.query(), ERRORS)
        job = await self.find(request)
        origin, raw = origin_kept(job.understood), bool(asked.get("raw"))

        async def stream() -> AsyncIterator[bytes]:
            yield errors_file.write_header(origin, raw=raw)
            async for items in self._failed(request.who, job):
                yield b"".join(errors_file.write_item(item, origin, raw=raw) for item in items)

        return Reply(200, b"", "text/csv; charset=utf-8", (_attached(job, "csv"),), stream)

    async def errors_ndjson(self, request: Request) -> Reply:
        """GET /imports/{id}/errors.ndjson: the failed orders of a JSON file, one a line, the reasons in them."""
        read_query(request.query(), ())
        job = await self.find(request)

        async def stream() -> AsyncIterator[bytes]:
            async for items in self._failed(request.who, job):
                yield b"".join(map(errors_file.write_document, items))

        return Reply(200, b"", "application/x-ndjson", (_attached(job, "ndjson"),), stream)

    async def _failed(self, who: Sender, job: ImportJob) -> AsyncIterator[tuple[Any, ...]]:
        position, more = -1, job.batch_id is not None
        while more:
            query = ItemQuery(
                batch_id=job.batch_id or 0,
                outcomes=(OutcomeKind.FAILED,),
                after_position=position,
                limit=500,
                with_document=True,
            )
            page = await self.mill.find_items(who, query)
            if page.entries:
                position = page.entries[-1].position
                yield page.entries
            more = page.more

    async def find(self, request: Request) -> ImportJob:
        """The import that the path names. Raises NotFound."""
        number = request.params["id"].removeprefix("imp_")
        if not number.isascii() or not number.isdecimal() or len(number) > 16:
            raise NotFound("there is no such import", hint="an import's id looks like imp_7")
        return await self.imports.get(request.who, int(number))

    async def _told(self, who: Sender, job: ImportJob, *, status: int = 200) -> Reply:
        return telling.write(await self._tell(who, job), status)

    async def _tell(self, who: Sender, job: ImportJob) -> shapes.Import:
        batch = None if job.batch_id is None else await self.mill.get_batch(who, job.batch_id)
        path = f"{telling.PREFIX}/imports/imp_{job.id}"
        return shapes.Import(
            id=f"imp_{job.id}",
            name=job.name,
            state=job.state.value,
            message=job.message,
            size_bytes=job.size_bytes,
            sha256=job.sha256,
            share=job.permille / 1000,
            plan=tell_plan(_plan.decode(job.plan)),
            file=_tell_file(job),
            report=_tell_report(job),
            batch_id=None if batch is None else telling.spell_batch(batch.id),
            counts=None if batch is None else telling.counts(batch.counts),
            created_at=iso(job.created_at),
            updated_at=iso(job.updated_at),
            finished_at=None if job.finished_at is None else iso(job.finished_at),
            links=shapes.ImportLinks(
                errors_csv=f"{path}/errors.csv",
                errors_ndjson=f"{path}/errors.ndjson",
                batch=None if batch is None else f"{telling.PREFIX}/batches/{telling.spell_batch(batch.id)}",
            ),
        )

    def calls(self) -> tuple[Call, ...]:
        return calls_of(self)


UPLOAD = (
    text("name", "What the file is called; its ending helps to tell what it is.", required=True, chars_max=NAME_CHARS),
    text("parent", "The batch whose failed rows it holds, mended: `bch_12`.", chars_max=40),
)
ERRORS = (flag("raw", "true: no quote in front of texts that a spreadsheet would take for a formula."),)


def _attached(job: ImportJob, ending: str) -> tuple[str, str]:
    return ("content-disposition", f'attachment; filename="imp_{job.id}-errors.{ending}"')


def read_plan(asked: shapes.ImportPlan) -> Plan:
    values = {name: getattr(asked, name) for name in asked.__struct_fields__}
    values["contract"] = asked.contract or ""
    return Plan(**values)


def tell_plan(plan: Plan) -> shapes.ImportPlan:
    values = {name: getattr(plan, name) for name in plan.__struct_fields__}
    values["contract"] = plan.contract or None
    return shapes.ImportPlan(**values)


def _tell_file(job: ImportJob) -> shapes.ImportFile | None:
    found = msgspec.json.decode(job.understood, type=Summary)
    if not found.contract:
        return None
    return shapes.ImportFile(
        told=found.told,
        contract=found.contract,
        why=found.why,
        preset=found.preset,
        sheet=found.sheet,
        columns=[
            shapes.ImportColumn(
                name=column.name,
                field=column.field,
                how=column.how,  # type: ignore[arg-type]
                samples=[row[index] if index < len(row) else "" for row in found.samples],
            )
            for index, column in enumerate(found.columns)
        ],
        guesses=list(found.guesses),
    )


def _tell_report(job: ImportJob) -> shapes.ImportReport | None:
    found = msgspec.json.decode(job.report, type=Report)
    if not found.orders:
        return None
    return shapes.ImportReport(
        orders=found.orders,
        rows=found.rows,
        failed=found.failed,
        with_lines=found.with_lines,
        warned=found.warned,
        causes=[
            shapes.ImportCause(**{name: getattr(cause, name) for name in cause.__struct_fields__})
            for cause in found.sorted_causes()
        ],
        more_causes=found.more_causes,
        not_carried=found.lost,
    )


def calls_of(imports: Imports) -> tuple[Call, ...]:
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
            handler=imports.upload, scope="orders:write", write=True, stream=True, parameters=UPLOAD,
            takes={"type": "string", "format": "binary"},
            media=("application/octet-stream", "text/csv"),
            answers=(Answer(status=201, sentence="What was made of the file.", body=shapes.Import),),
            refuses=(400, 404, 413, 415, 422),
        ),
        Call(
            method="GET", pattern="/imports", id="listImports", tag="Imports", summary="Imports, newest first",
            handler=imports.list_imports, parameters=PAGING,
            answers=(Answer(status=200, sentence="A page of imports.", body=Listing[shapes.Import]),), refuses=(422,),
        ),
        Call(
            method="GET", pattern="/imports/{id}", id="getImport", tag="Imports", summary="One import, how far it is",
            handler=imports.get_import, path_parameters=IN_PATH, answers=(one,), refuses=(404, 422),
        ),
        Call(
            method="PUT", pattern="/imports/{id}/plan", id="planImport", tag="Imports",
            summary="Say how the file is to be read",
            handler=imports.set_plan, scope="orders:write", write=True, path_parameters=IN_PATH,
            takes=shapes.ImportPlan, optional_body=True, answers=(one,), refuses=(400, 404, 409, 413, 415, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/check", id="checkImport", tag="Imports",
            summary="Read everything, write nothing",
            handler=imports.check, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(accepted,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/start", id="startImport", tag="Imports",
            summary="Import the file, or go on with it",
            handler=imports.start, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(accepted,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="POST", pattern="/imports/{id}/stop", id="stopImport", tag="Imports", summary="Stop an import",
            description="What is in the ledger stays there. Starting it again goes on where it was.",
            handler=imports.stop, scope="orders:write", write=True, path_parameters=IN_PATH, answers=(one,),
            refuses=(400, 404, 409, 413, 422),
        ),
        Call(
            method="DELETE", pattern="/imports/{id}", id="dropImport", tag="Imports", summary="Forget an import",
            description="The file and what was made of it. The orders that it brought stay, and so does its batch.",
            handler=imports.drop, scope="orders:write", write=True, path_parameters=IN_PATH,
            answers=(Answer(status=204, sentence="It is gone."),), refuses=(400, 404, 409, 422),
        ),
        Call(
            method="GET", pattern="/imports/{id}/errors.csv", id="downloadImportErrorsCsv", tag="Imports",
            summary="The failed rows as CSV",
            description="The file's own columns, untouched and in order, then `ordermill_row`, `_code`, `_field`, "
            "`_value`, `_error` and `_hint`. Mend it and upload it: the added columns are passed over.",
            handler=imports.errors_csv, path_parameters=IN_PATH, parameters=ERRORS,
            answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media="text/csv"),),
            refuses=(404, 422),
        ),
        Call(
            method="GET", pattern="/imports/{id}/errors.ndjson", id="downloadImportErrorsNdjson", tag="Imports",
            summary="The failed orders of a JSON file, one a line",
            handler=imports.errors_ndjson, path_parameters=IN_PATH,
            answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media="application/x-ndjson"),),
            refuses=(404, 422),
        ),
    )  # fmt: skip
