"""Streaming intake: orders one a line for as long as there are some, their outcomes one a line as they become durable.

Lines are taken in by chunks. With an Idempotency-Key a stream that broke off is sent again from its start: lines that
are in are answered from the ledger, and doubled by nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Batch, Draft, Item, Problem, Sender, Submission
from ordermill.core.errors import Conflict, Invalid, Overloaded, Refusal
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.mill import Mill
from ordermill.core.query import ItemQuery
from ordermill.core.store import Store
from ordermill.dialects.dialect import Dialect
from ordermill.store.imports import ImportLedger
from ordermill.web import import_shapes as shapes
from ordermill.web import telling
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.limits import ClientGone
from ordermill.web.parameters import choice, flag, read_query, text
from ordermill.web.shapes import CONTRACTS

NDJSON = "application/x-ndjson"
CHUNK_LINES = 500
CHUNK_BYTES = 1024 * 1024
LINE_BYTES_MAX = 4 * 1024 * 1024
IDLE_S = 0.1  # what came is taken in when nothing follows for so long
MEMO_KEY = range(0x21, 0x7F)
_encode = telling.encode

PARAMETERS = (
    choice("contract", "The form of the orders.", CONTRACTS, required=True),
    text("source", "Source or store of orders that name none."),
    flag("historical", "true: past orders, nobody is told of each. false unless told."),
    choice("outcomes", "Which lines are answered: all (unless told), or only those that failed.", ("all", "failed")),
)

Line = tuple[int, bytes]


class Streams:
    """The handler."""

    def __init__(
        self,
        mill: Mill,
        store: Store,
        imports: ImportLedger,
        dialects: Mapping[str, Dialect],
        stopping: asyncio.Event,
    ) -> None:
        self.mill = mill
        self.store = store
        self.imports = imports
        self.dialects = dialects
        self.stopping = stopping

    async def stream(self, request: Request) -> Reply:
        """POST /orders/stream."""
        asked = read_query(request.query(), PARAMETERS)
        assert request.stream is not None
        job = await self._job(request, asked)
        intake = _Intake(self, request, asked, job)
        return Reply(200, b"", NDJSON, stream=intake.answer)

    async def _job(self, request: Request, asked: dict[str, Any]) -> ImportJob:
        """The stream that the key began, or a new one. Raises Conflict while another connection has it."""
        sent = request.headers.get("idempotency-key")
        fingerprint = ""
        if sent is not None:
            if not 0 < len(sent) <= 255 or any(ord(char) not in MEMO_KEY for char in sent):
                raise Invalid(
                    "the Idempotency-Key must be 1 to 255 printable ASCII characters without blanks",
                    field="Idempotency-Key",
                )
            said = "\0".join((sent, asked["contract"], asked.get("source", ""), str(bool(asked.get("historical")))))
            fingerprint = hashlib.sha256(f"stream\0{request.who.key_id}\0{said}".encode()).hexdigest()
        fresh = ImportJob(
            account_id=0,
            id=0,
            mode=request.who.mode,
            key_id=request.who.key_id,
            name="stream",
            state=ImportState.STOPPED,
            fingerprint=fingerprint,
        )
        taken = await self.imports.take_stream(request.who, fresh, request.request_id)
        if taken is None:
            raise Conflict(
                "a stream with this Idempotency-Key is open on another connection",
                hint="try again in a minute",
                retry_after_s=60,
            )
        return taken

    def calls(self) -> tuple[Call, ...]:
        return (
            Call(
                method="POST",
                pattern="/orders/stream",
                id="streamOrders",
                tag="Intake",
                summary="Take orders in, one a line, as many as there are",
                description="NDJSON, plain or gzipped. Each line is answered on a line of its own, in order, once "
                "it is durable; the last line sums up. Read while you send. With an Idempotency-Key a stream that "
                "broke off is sent again from its start and doubles nothing.",
                handler=self.stream,
                scope="orders:write",
                write=True,
                stream=True,
                parameters=PARAMETERS,
                takes={"type": "string", "description": "NDJSON"},
                media=(NDJSON,),
                answers=(
                    Answer(
                        status=200,
                        sentence="A line for each line, then the sum.",
                        media=NDJSON,
                        body={"type": "string"},
                    ),
                ),
                refuses=(400, 409, 415, 422),
            ),
        )


class _Intake:
    """One stream, from first line to last."""

    def __init__(self, streams: Streams, request: Request, asked: dict[str, Any], job: ImportJob) -> None:
        self.streams = streams
        self.request = request
        self.job = job
        self.dialect = streams.dialects[asked["contract"]]
        self.source: str = asked.get("source", "")
        self.announce = not asked.get("historical", False)
        self.all = asked.get("outcomes") != "failed"
        self.batch: Batch | None = None
        self.lines = 0

    @property
    def who(self) -> Sender:
        return self.request.who

    async def answer(self) -> AsyncIterator[bytes]:
        """The lines of the answer. Whatever happens, the last one says how far it came."""
        message, done = "", False
        try:
            if self.job.batch_id is not None:
                self.batch = await self.streams.mill.get_batch(self.who, self.job.batch_id)
            assert self.request.stream is not None
            async for chunk in chunks_of(self.request.stream, self.streams.stopping):
                yield await self._take(chunk)
            if self.streams.stopping.is_set():
                message = "the server is leaving; send the stream again"
            else:
                await self._end()
                done = True
        except ClientGone:
            await self._stop()
            return
        except Refusal as refusal:
            message = refusal.message
        except BaseException:  # ours, or the connection's: whoever sends it again shall not have to wait
            await self._stop()
            raise
        if not done:
            await self._stop()
        yield self._last(done, message)

    async def _take(self, lines: Sequence[Line]) -> bytes:
        """One chunk: what is in already is answered from the ledger, the rest is settled."""
        first = self.lines
        self.lines += len(lines)
        received = self.batch.counts.received if self.batch else 0
        known = lines[: max(0, received - first)]
        fresh = lines[len(known) :]
        out = await self._replayed(known, first) if known else b""
        if fresh:
            out += await self._settled(fresh, last=False)
        return out

    async def _settled(self, lines: Sequence[Line], *, last: bool) -> bytes:
        drafts = tuple(self._draft(number, document) for number, document in lines)
        submission = self._submission(drafts, sum(len(document) for _, document in lines))
        if self.batch is None:
            number = await self.streams.imports.open_batch(self.job, self._submission((), 0))
            self.job = msgspec.structs.replace(self.job, batch_id=number)
            self.batch = await self.streams.mill.get_batch(self.who, number)
        elif not await self.streams.imports.renew(self.job, 0):
            raise Conflict("this stream is open on another connection by now")
        into = (self.batch.id, self.batch.counts.received)
        settled = await self.streams.store.settle(self.who, submission, None, into=into, last=last)
        self.batch = settled.batch
        numbers = [number for number, _ in lines]
        return b"".join(self._told(number, item) for number, item in zip(numbers, settled.items, strict=True))

    def _draft(self, number: int, document: bytes) -> Draft:
        if len(document) > LINE_BYTES_MAX:
            problem = Problem(code="too_large", message=f"the line is longer than {LINE_BYTES_MAX:,} bytes")
            return Draft(str(number), None, (problem,), document[:1000].decode("utf-8", "replace"))
        return self.dialect.read_draft(str(number), document, now=self.request.now, source=self.source)

    def _submission(self, drafts: tuple[Draft, ...], size_bytes: int) -> Submission:
        return Submission(
            dialect=self.dialect.name,
            drafts=drafts,
            source=self.source,
            announce=self.announce,
            origin="stream",
            size_bytes=size_bytes,
        )

    async def _replayed(self, lines: Sequence[Line], first: int) -> bytes:
        """Outcomes of lines that are in. Raises Conflict where it is another order that is sent now."""
        assert self.batch is not None
        query = ItemQuery(batch_id=self.batch.id, after_position=first - 1, limit=len(lines))
        page = await self.streams.mill.find_items(self.who, query)
        out = []
        for (number, document), item in zip(lines, page.entries, strict=True):
            draft = self._draft(number, document)
            if draft.reference and item.reference and draft.reference != item.reference:
                raise Conflict(
                    f"line {number} is order {draft.reference!r} now, and was {item.reference!r} before under this key"
                )
            out.append(self._told(number, item, replayed=True))
        return b"".join(out)

    def _told(self, number: int, item: Item, *, replayed: bool = False) -> bytes:
        word = item.outcome.word
        if not self.all and word != "failed":
            return b""
        order_id = None
        if item.order_id is not None:
            order_id = ids.spell("ord", item.account_id, self.who.mode, item.order_id)
        said = shapes.Line(
            line=number,
            outcome=word,  # type: ignore[arg-type]
            key=item.key,
            reference=item.reference,
            order_id=order_id,
            problems=[telling.problem(problem) for problem in item.problems],
            replayed=replayed,
        )
        return _encode(said) + b"\n"

    async def _end(self) -> None:
        """Closes the batch: an empty last chunk."""
        if self.batch is not None and not self.batch.status.final:
            if self.lines < self.batch.counts.received:
                raise Conflict(
                    f"the stream ended after {self.lines} lines, {self.batch.counts.received} of it are in already"
                )
            into = (self.batch.id, self.batch.counts.received)
            settled = await self.streams.store.settle(self.who, self._submission((), 0), None, into=into, last=True)
            self.batch = settled.batch
        if self.job.state is ImportState.STREAMING:
            await self.streams.imports.leave(
                msgspec.structs.replace(self.job, state=ImportState.COMPLETED, permille=1000)
            )

    async def _stop(self) -> None:
        """Whoever sends it again may go on at once."""
        if self.job.state is ImportState.STREAMING:
            with suppress(Overloaded):  # the lease ends by itself
                await self.streams.imports.leave(msgspec.structs.replace(self.job, state=ImportState.STOPPED))

    def _last(self, done: bool, message: str) -> bytes:
        batch = self.batch
        end = shapes.StreamEnd(
            done=done,
            batch_id=None if batch is None else telling.spell_batch(batch.id),
            counts=None if batch is None else telling.counts(batch.counts),
            received=0 if batch is None else batch.counts.received,
            message=message,
        )
        return _encode(end) + b"\n"


async def chunks_of(pieces: AsyncIterator[bytes], stopping: asyncio.Event) -> AsyncIterator[list[Line]]:
    """Lines with their numbers, in chunks: as many as come at once, up to the limits. Ends where `stopping` is set."""
    cutter = _Cutter()
    source = aiter(pieces)
    pending: asyncio.Task[bytes] | None = None
    try:
        while not stopping.is_set():
            if pending is None:
                pending = asyncio.ensure_future(_next(source))
            finished, _ = await asyncio.wait({pending}, timeout=IDLE_S if cutter.lines else 1.0)
            if not finished:
                if cutter.lines:
                    yield cutter.taken()
                continue
            piece, pending = pending.result(), None
            if not piece:
                cutter.end()
                if cutter.lines:
                    yield cutter.taken()
                return
            for full in cutter.cut(piece):
                yield full
    finally:
        if pending is not None:
            pending.cancel()


class _Cutter:
    """Pieces of any size in, numbered lines out."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._held = 0
        self._number = 0
        self._rest = b""

    def cut(self, piece: bytes) -> Iterator[list[Line]]:
        """Every chunk that became full. Raises Invalid for a line without end."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        for line in whole:
            self._add(line)
            if len(self.lines) >= CHUNK_LINES or self._held >= CHUNK_BYTES:
                yield self.taken()
        if len(self._rest) > LINE_BYTES_MAX:
            raise Invalid(f"line {self._number + 1} is longer than {LINE_BYTES_MAX:,} bytes")

    def end(self) -> None:
        """What stands behind the last line end is a line as well."""
        self._add(self._rest)

    def taken(self) -> list[Line]:
        lines, self.lines, self._held = self.lines, [], 0
        return lines

    def _add(self, line: bytes) -> None:
        self._number += 1
        line = line.strip()
        if line:
            self.lines.append((self._number, line))
            self._held += len(line)


async def _next(source: AsyncIterator[bytes]) -> bytes:
    """The next piece, b'' at the end."""
    async for piece in source:
        return piece
    return b""
