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

from ordermill.core.batch import Submission
from ordermill.core.errors import Overloaded
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.store import Store
from ordermill.files.checking import Report, Tally
from ordermill.files.making import Contract
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable
from ordermill.files.summary import origin_of
from ordermill.store.engine import Collided
from ordermill.store.imports import ImportLedger
from ordermill.work import apart
from ordermill.work.apart import Frame
from ordermill.work.walking import RENEW_EVERY_S, Chunk, Progress, Running, Walk, given, leaving, replace

CHUNK = 1_000
POLL_S = 1.0
PAUSE_S = 10.0  # after the ledger could not be used

log: Any = structlog.get_logger()
_encode = msgspec.json.encode
_plan = msgspec.json.Decoder(Plan)


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
            left = replace(job, state=ImportState.FAILED, message=str(error))
            if leaving(error, stopping):  # whoever comes next finds it as it was
                again = ImportState.CHECKING if job.state is ImportState.CHECKING else ImportState.QUEUED
                left = replace(job, state=again)
            await self.imports.leave(left)
        except (Overloaded, Collided) as error:
            await self.imports.leave(replace(job, message=str(error)), pause_s=PAUSE_S)

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
        done = replace(job, state=ImportState.READY, permille=1000, report=_encode(report).decode())
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
        walk = Walk(self, job, reading, progress, stopped_as)
        try:
            return await walk.go(stopping)
        except Unusable as error:
            return await (walk.interrupted() if leaving(error, stopping) else walk.give_up(str(error)))

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


async def _read_here(reading: Reading, skip: int, size: int, now: int) -> AsyncGenerator[Frame, None]:
    """In a thread of this process."""
    pieces = reading.pieces(now, skip=skip)

    def take() -> Frame:
        return Frame(list(islice(pieces, size)), reading.progress())

    while (frame := await asyncio.to_thread(take)).pieces:
        yield frame


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
