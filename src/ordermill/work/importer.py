"""Imports: a file goes into the ledger chunk by chunk under a lease, and goes on where it was when it was stopped.

How far it is, the batch itself says: the orders it has received, committed together with them. So there is nothing that
could disagree, and nothing to undo: whoever takes the import up skips that many orders of the file.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ordermill.core.batch import Batch, Submission
from ordermill.core.errors import Conflict, Overloaded
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.store import Store
from ordermill.files.checking import Report, Tally
from ordermill.files.making import Contract
from ordermill.files.mapping import Plan
from ordermill.files.reading import Piece, Reading
from ordermill.files.sniffing import Unusable
from ordermill.files.summary import origin_of, summary
from ordermill.store.engine import Collided
from ordermill.store.imports import ImportLedger
from ordermill.work import apart
from ordermill.work.apart import AskedToEnd, Frame

CHUNK = 1_000
POLL_S = 1.0
PAUSE_S = 10.0  # after the ledger could not be used
RENEW_EVERY_S = 1.0

log: Any = structlog.get_logger()
_encode = msgspec.json.encode
_plan = msgspec.json.Decoder(Plan)
Progress = Callable[["Running"], None]


class Chunk(msgspec.Struct):
    """Orders that go in together. `cut`: the plan says to stop behind them. `done`: how far the file is with them."""

    pieces: list[Piece]
    cut: bool = False
    done: float = 1.0


class Running(msgspec.Struct):
    """An import as it goes: for whoever shows its progress."""

    job: ImportJob
    batch: Batch | None = None
    done: float = 0.0
    report: Report | None = None


class Importer:
    """Runs imports, its own (those of a server) and single ones (those of the command line)."""

    def __init__(
        self,
        store: Store,
        imports: ImportLedger,
        contracts: Mapping[str, Contract],
        clock: Callable[[], int],
        *,
        owner: str = "local",
        chunk: int = CHUNK,
        settings: bytes | None = None,
        apart_from_bytes: int = apart.LARGE_BYTES,
    ) -> None:
        self.store = store
        self.imports = imports
        self.contracts = contracts
        self.clock = clock
        self.owner = owner
        self.chunk = chunk
        self.settings = settings
        self.apart_from_bytes = apart_from_bytes
        self._due = asyncio.Event()
        self.on_due: Callable[[], None] = self.wake  # called when an import is to be taken up

    # in the background of a server

    def wake(self) -> None:
        """Something may be due. A hint only: the next look would find it as well."""
        self._due.set()

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Takes up whatever waits, one import at a time, until asked to stop; then leaves it to the next one."""
        while not stopping.is_set():
            self._due.clear()
            worked = False
            try:
                worked = await self.run_once(stopping)
            except Overloaded:
                pass  # the ledger is away; it is asked again below
            except Exception:  # one import must not end the work on the others; its lease runs out, and it is due again
                log.exception("import.failed")
            if not worked:
                with suppress(TimeoutError):
                    await asyncio.wait_for(_first(self._due.wait(), stopping.wait()), POLL_S)

    async def run_once(self, stopping: asyncio.Event | None = None) -> bool:
        """One import or check that is due. False when there was none."""
        for due in await self.imports.find_due():
            job = await self.imports.claim(due, self.owner)
            if job is not None:
                await self._work_on(job, stopping or asyncio.Event())
                return True
        return False

    async def _work_on(self, job: ImportJob, stopping: asyncio.Event) -> None:
        try:
            async with self.open(job) as reading:
                if job.state is ImportState.CHECKING:
                    await self._check(job, reading)
                else:
                    await self.run(job, reading, stopping=stopping, stopped_as=ImportState.QUEUED)
        except Unusable as error:
            left = _replace(job, state=ImportState.FAILED, message=str(error))
            if _leaving(error, stopping):  # whoever comes next finds it as it was
                again = ImportState.CHECKING if job.state is ImportState.CHECKING else ImportState.QUEUED
                left = _replace(job, state=again)
            await self.imports.leave(left)
        except (Overloaded, Collided) as error:
            await self.imports.leave(_replace(job, message=str(error)), pause_s=PAUSE_S)

    @asynccontextmanager
    async def open(self, job: ImportJob) -> AsyncIterator[Reading]:
        """The import's file, open. Raises Unusable."""
        async with self.spool(job) as path:
            plan = _plan.decode(job.plan)
            with await asyncio.to_thread(Reading, path, plan, self.contracts, name=job.name) as reading:
                yield reading

    @asynccontextmanager
    async def spool(self, job: ImportJob) -> AsyncIterator[Path]:
        """The import's file, written out of the ledger into a temporary one."""
        suffix = Path(job.name).suffix[:10]
        with tempfile.NamedTemporaryFile(prefix="ordermill-import-", suffix=suffix) as file:
            number = 0
            while (part := await self.imports.find_part(job, number)) is not None:
                await asyncio.to_thread(file.write, part)
                number += 1
            await asyncio.to_thread(file.flush)
            yield Path(file.name)

    async def _check(self, job: ImportJob, reading: Reading) -> None:
        report: Report | None = None
        renewed = self.clock()
        async for running in self.check(job, reading):
            report = running.report
            if self.clock() - renewed > RENEW_EVERY_S * 1_000_000:
                renewed = self.clock()
                if not await self.imports.renew(job, int(running.done * 1000)):
                    return
        done = _replace(job, state=ImportState.READY, permille=1000, report=_encode(report).decode())
        await self.imports.leave(done)

    # one file

    async def check(self, job: ImportJob, reading: Reading) -> AsyncIterator[Running]:
        """Reads everything, writes nothing. The last Running holds the whole report."""
        tally = Tally(origin_of(reading.understood), given(reading))
        async with aclosing(self.frames(reading, 0)) as frames:
            async for frame in frames:
                submission = self.submission(job, reading, Chunk(frame.pieces))
                settled = await self.store.check(job.sender, submission)
                for piece, item in zip(frame.pieces, settled.items, strict=True):
                    tally.add(piece, item.problems)
                yield Running(job, None, frame.done, tally.report)
        yield Running(job, None, 1.0, tally.report)

    async def run(
        self,
        job: ImportJob,
        reading: Reading,
        *,
        stopping: asyncio.Event,
        progress: Progress | None = None,
        stopped_as: ImportState = ImportState.STOPPED,
    ) -> ImportJob:
        """Takes the file in from where its batch stands. Ends completed, stopped, cancelled or (no orders) failed.

        The job must be claimed. `stopped_as`: how it is left when `stopping` is set; queued goes on by itself later.
        Whatever is raised, everything told of up to then is in the ledger.
        """
        walk = _Walk(self, job, reading, progress, stopped_as)
        try:
            return await walk.go(stopping)
        except Unusable as error:
            return await (walk.interrupted() if _leaving(error, stopping) else walk.give_up(str(error)))

    def frames(self, reading: Reading, skip: int) -> AsyncGenerator[Frame, None]:
        """The orders behind the first `skip`, by chunks: read in a process of its own where that is worth it.

        `settings`: what such a process makes the contracts from (JSON of the Config); None: never.
        """
        if self.settings is None or reading.sniffed.size_bytes < self.apart_from_bytes:
            return _read_here(reading, skip, self.chunk, self.clock())
        task = apart.Task(
            path=str(reading.path),
            name=reading.name,
            plan=reading.plan,
            skip=skip,
            chunk=self.chunk,
            now=self.clock(),
            settings=msgspec.Raw(self.settings),
        )
        return apart.read_apart(task)

    def submission(self, job: ImportJob, reading: Reading, chunk: Chunk) -> Submission:
        return Submission(
            dialect=reading.understood.contract,
            drafts=tuple(piece.draft for piece in chunk.pieces),
            source=reading.plan.source,
            announce=not reading.plan.historical,
            origin="import",
            parent_batch_id=job.parent_batch_id,
        )


class _Walk:
    """One run of one import: two chunks are read ahead, so that making orders and writing them down overlap."""

    def __init__(
        self, importer: Importer, job: ImportJob, reading: Reading, progress: Progress | None, stopped_as: ImportState
    ) -> None:
        self.stopped_as = stopped_as
        self.importer = importer
        self.imports = importer.imports
        self.job = job
        self.reading = reading
        self.progress = progress
        self.tally = Tally(origin_of(reading.understood), given(reading))
        self.batch: Batch | None = None
        self.failed = 0  # in this run
        self.done = job.permille / 1000
        self.renewed = importer.clock()

    async def go(self, stopping: asyncio.Event) -> ImportJob:
        batch = self.batch = await self._find_batch()
        if batch is not None and batch.status.final:
            return await self._end()
        async with aclosing(self.importer.frames(self.reading, batch.counts.received if batch else 0)) as frames:
            return await self._go_through(frames, stopping)

    async def _go_through(self, frames: AsyncGenerator[Frame, None], stopping: asyncio.Event) -> ImportJob:
        batch, plan = self.batch, self.reading.plan
        chunk = await self._take(frames, Chunk([]))
        if not chunk.pieces:
            what = (
                f"{self.reading.name} holds no orders" if batch is None else "the file is shorter than what is in of it"
            )
            return await self._leave(ImportState.FAILED, what)
        if batch is None:
            await self._open_batch()
        following = await self._take(frames, chunk)
        while chunk.pieces:
            last = not following.pieces and not chunk.cut
            ahead = asyncio.ensure_future(self._take(frames, chunk, following))
            try:
                if not await self._write(chunk, last=last):
                    return await self._end()
            finally:
                after = await ahead
            if chunk.cut or (not last and self.failed > _failures_max(plan)):
                return await self._leave(ImportState.STOPPED, _cut_message(plan))
            if stopping.is_set() and not last:
                return await self._leave(self.stopped_as, "stopped")
            if not last and not await self._renew():
                return await self._given_up()
            chunk, following = following, after
        return await self._end()

    async def _take(self, frames: AsyncGenerator[Frame, None], *before: Chunk) -> Chunk:
        """The chunk behind those that were taken and are not written yet."""
        if before[-1].cut or (before[-1].pieces == [] and len(before) > 1):
            return Chunk([])
        frame = await anext(frames, None)
        if frame is None:
            return Chunk([])
        return _cut(frame, _failures_max(self.reading.plan) - self.failed - sum(map(_failed, before)))

    async def _find_batch(self) -> Batch | None:
        if self.job.batch_id is None:
            return None
        return await self.importer.store.find_batch(self.job.sender, self.job.batch_id)

    async def _open_batch(self) -> None:
        empty = self.importer.submission(self.job, self.reading, Chunk([]))
        empty = msgspec.structs.replace(empty, size_bytes=self.reading.sniffed.size_bytes)
        self.job = _replace(self.job, batch_id=await self.imports.open_batch(self.job, empty))
        self.batch = await self._find_batch()

    async def _write(self, chunk: Chunk, *, last: bool) -> bool:
        """False: the batch takes no more (it was cancelled)."""
        batch = self.batch
        assert batch is not None
        submission = self.importer.submission(self.job, self.reading, chunk)
        into = (batch.id, batch.counts.received)
        try:
            settled = await self.importer.store.settle(self.job.sender, submission, None, into=into, last=last)
        except Conflict:
            self.batch = await self.importer.store.find_batch(self.job.sender, batch.id)
            return False
        self.batch = settled.batch
        self.done = chunk.done
        failed = self.tally.report.failed
        for piece, item in zip(chunk.pieces, settled.items, strict=True):
            self.tally.add(piece, item.problems)
        self.failed += self.tally.report.failed - failed
        if self.progress is not None:
            self.progress(Running(self.job, self.batch, self.done, self.tally.report))
        return True

    async def _renew(self) -> bool:
        now = self.importer.clock()
        if now - self.renewed < RENEW_EVERY_S * 1_000_000:
            return True
        self.renewed = now
        return await self.imports.renew(self.job, int(self.done * 1000))

    async def give_up(self, why: str) -> ImportJob:
        """The file cannot be read on. Where orders of it are in, they stay, and another try is possible."""
        return await self._leave(ImportState.FAILED if self.batch is None else ImportState.STOPPED, why)

    async def interrupted(self) -> ImportJob:
        """The reader was ended together with the server."""
        return await self._leave(self.stopped_as, "stopped")

    async def _given_up(self) -> ImportJob:
        """Somebody stopped it, or it is somebody else's, or there is no such import any more."""
        found = await self.imports.find(self.job.sender, self.job.id)
        if found is None:
            return _replace(self.job, state=ImportState.CANCELLED, message="deleted")
        if found.owner == self.job.owner and found.attempt == self.job.attempt and found.state is ImportState.STOPPED:
            return await self._leave(ImportState.STOPPED, "stopped")
        return found

    async def _end(self) -> ImportJob:
        """As the batch says."""
        batch = self.batch
        cancelled = batch is not None and batch.status.value == "cancelled"
        state = ImportState.CANCELLED if cancelled else ImportState.COMPLETED
        ended = await self._leave(state, "the batch was cancelled" if cancelled else "")
        await self.imports.drop_parts(self.job)
        return ended

    async def _leave(self, state: ImportState, message: str) -> ImportJob:
        permille = 1000 if state is ImportState.COMPLETED else int(self.done * 1000)
        kept = summary(self.reading.understood)
        if state.final:  # nobody looks at the first rows any more, and people stand in them
            kept = msgspec.structs.replace(kept, samples=())
        self.job = _replace(
            self.job,
            state=state,
            message=message,
            permille=permille,
            understood=_encode(kept).decode(),
            report=_encode(self.tally.report).decode(),
        )
        await self.imports.leave(self.job)
        return self.job


def _leaving(error: Unusable, stopping: asyncio.Event) -> bool:
    """Whether it says nothing of the file: the server is ended, and its readers with it, maybe before it knows that."""
    return stopping.is_set() or isinstance(error, AskedToEnd)


def given(reading: Reading) -> set[str]:
    """The fields that the file says something about."""
    found = reading.understood
    return {column.path for column in found.columns if column.path} | set(reading.plan.constants)


async def _read_here(reading: Reading, skip: int, size: int, now: int) -> AsyncGenerator[Frame, None]:
    """In a thread of this process."""
    pieces = reading.pieces(now, skip=skip)

    def take() -> Frame:
        return Frame(list(islice(pieces, size)), reading.progress())

    while (frame := await asyncio.to_thread(take)).pieces:
        yield frame


def _cut(frame: Frame, left: int) -> Chunk:
    """The orders of a frame, up to the one whose failing is one too many."""
    for index, piece in enumerate(frame.pieces):
        if piece.draft.order is None:
            left -= 1
            if left < 0:
                return Chunk(frame.pieces[: index + 1], cut=True, done=frame.done)
    return Chunk(frame.pieces, done=frame.done)


def _failures_max(plan: Plan) -> int:
    if plan.stop_after is not None:
        return plan.stop_after
    return 0 if plan.on_error == "stop" else 1 << 60


def _failed(chunk: Chunk) -> int:
    return sum(piece.draft.order is None for piece in chunk.pieces)


def _cut_message(plan: Plan) -> str:
    return (
        "stopped at the first order that failed"
        if plan.stop_after is None
        else f"stopped: more than {plan.stop_after} orders failed"
    )


def _replace(job: ImportJob, **changes: Any) -> ImportJob:
    return msgspec.structs.replace(job, **changes)


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
