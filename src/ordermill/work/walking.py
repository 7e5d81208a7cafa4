"""One run of one import: chunk after chunk of its file into its batch, until the end or until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from ordermill.core.batch import Batch
from ordermill.core.errors import Conflict
from ordermill.core.importing import ImportJob, ImportState
from ordermill.files.checking import Report, Tally
from ordermill.files.mapping import Plan
from ordermill.files.reading import Piece, Reading
from ordermill.files.sniffing import Unusable
from ordermill.files.summary import origin_of, summary
from ordermill.work.apart import AskedToEnd, Frame

if TYPE_CHECKING:
    from ordermill.work.importer import Importer

RENEW_EVERY_S = 1.0
_encode = msgspec.json.encode
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


class Walk:
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
        self.job = replace(self.job, batch_id=await self.imports.open_batch(self.job, empty))
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
            return replace(self.job, state=ImportState.CANCELLED, message="deleted")
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
        self.job = replace(
            self.job,
            state=state,
            message=message,
            permille=permille,
            understood=_encode(kept).decode(),
            report=_encode(self.tally.report).decode(),
        )
        await self.imports.leave(self.job)
        return self.job


def leaving(error: Unusable, stopping: asyncio.Event) -> bool:
    """Whether it says nothing of the file: the server is ended, and its readers with it, maybe before it knows that."""
    return stopping.is_set() or isinstance(error, AskedToEnd)


def given(reading: Reading) -> set[str]:
    """The fields that the file says something about."""
    found = reading.understood
    return {column.path for column in found.columns if column.path} | set(reading.plan.constants)


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


def replace(job: ImportJob, **changes: Any) -> ImportJob:
    return msgspec.structs.replace(job, **changes)
