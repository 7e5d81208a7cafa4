"""Imports of our own API: a file is uploaded, looked at, checked, started, watched; its failed rows are fetched."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ordermill.core.batch import OutcomeKind, Sender
from ordermill.core.errors import Conflict, Invalid, NotFound, TooLarge
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.mill import Mill
from ordermill.core.presets import SavedPreset
from ordermill.core.query import ItemQuery
from ordermill.dialects.reading import iso
from ordermill.files import errors_file, saved
from ordermill.files.checking import Report
from ordermill.files.making import Contract
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable
from ordermill.files.summary import Summary, origin_kept, summary
from ordermill.store.imports import ImportLedger
from ordermill.store.presets import PresetLedger
from ordermill.web import import_shapes as shapes
from ordermill.web import telling
from ordermill.web.bodies import read_body
from ordermill.web.call import Call
from ordermill.web.http import Reply, Request
from ordermill.web.import_calls import ERRORS, UPLOAD, declare
from ordermill.web.manage_batches import find_batch
from ordermill.web.parameters import PAGE_DEFAULT, PAGING, read_query
from ordermill.web.plans import fill_plan, read_plan, tell_plan
from ordermill.work.importer import Importer

FILE_BYTES_MAX = 4 * 1024**3
PART_BYTES = 1024 * 1024
_plan = msgspec.json.Decoder(Plan)
_encode = msgspec.json.encode


class Imports:
    """The handlers."""

    def __init__(
        self,
        mill: Mill,
        imports: ImportLedger,
        presets: PresetLedger,
        importer: Importer,
        contracts: Mapping[str, Contract],
    ) -> None:
        self.mill = mill
        self.imports = imports
        self.presets = presets
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
            found = await self._recognise(request.who, Path(file.name)) if asked.get("saved") else None
            job = await self._look(job, Path(file.name), saved.fill(Plan(), found) if found else Plan(), found)
        return await self._told(request.who, job, status=201)

    async def _recognise(self, who: Sender, path: Path) -> SavedPreset | None:
        """The preset of the account's own that was made for files of this very shape."""
        known = await self.presets.find_all(who)
        return saved.recognise(await asyncio.to_thread(saved.read_header, path), known) if known else None

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

    async def _look(self, job: ImportJob, path: Path, plan: Plan, guessed: SavedPreset | None = None) -> ImportJob:
        """How the file is understood under a plan; a file that cannot be read is failed, and may get another plan.

        `guessed`: the preset that nobody named, which is told among the guesses.
        """
        try:
            made = await asyncio.to_thread(self._understood, job, path, plan)
            if guessed is not None:
                made = msgspec.structs.replace(made, guesses=(saved.told(guessed), *made.guesses))
            understood = _encode(made).decode()
            state, message = ImportState.READY, ""
        except Unusable as error:
            understood, state = "{}", ImportState.FAILED
            message = str(error).replace(path.name, job.name)  # the name it was sent under, not that of our copy
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

    def _understood(self, job: ImportJob, path: Path, plan: Plan) -> Summary:
        """Reads the whole file, so not where requests are answered."""
        with Reading(path, plan, self.contracts, name=job.name) as reading:
            return summary(reading.understood)

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
        job = await self.find(request)
        plan = await fill_plan(self.presets, request.who, read_plan(asked))
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
        self.importer.on_due()
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
        await self._end_batch(request.who, job)
        await self.imports.drop(request.who, job.id)
        return Reply(204)

    async def _end_batch(self, who: Sender, job: ImportJob) -> None:
        """Without its file nothing more comes into the batch that it has begun: it ends as one that is cancelled."""
        batch = None if job.batch_id is None else await self.mill.get_batch(who, job.batch_id)
        if batch is None or batch.status.final:
            return
        await self.imports.retire(job)  # first, so that nobody goes on with it while its batch ends
        with suppress(Conflict):  # it was cancelled meanwhile
            await self.mill.cancel_batch(who, batch.id)

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
        return declare(self)


def _attached(job: ImportJob, ending: str) -> tuple[str, str]:
    return ("content-disposition", f'attachment; filename="imp_{job.id}-errors.{ending}"')


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
