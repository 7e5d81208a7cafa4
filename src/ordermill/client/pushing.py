"""Pushing many orders to a server of one of the contracts: in chunks, side by side, at its pace, and resumable.

A chunk that is done is noted in a journal with what failed of it. What is in doubt when a push is interrupted is sent
again under the same Idempotency-Key: an Ordermill answers it from memory, other servers by their contract's own rule
for an order that they know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ordermill.client.contracts import BYTES_MAX, ORDERS_MAX, Sent, Trouble, Verdict, Wire, base_url, call_of
from ordermill.client.steps import Answer, Conversation, Refused, Unreachable, Wait, asked_wait_s, exchange, refused
from ordermill.client.transports import Asynchronous

SPLIT = frozenset((400, 409, 413, 422))  # what may be the fault of single orders


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How it is sent. `per_second`: requests, None for as fast as the server takes them."""

    orders: int = ORDERS_MAX
    size_bytes: int = BYTES_MAX
    parallel: int = 4
    per_second: float | None = None
    timeout_s: float = 120.0


class Chunk(msgspec.Struct, frozen=True):
    """Orders of one request; `first`: the position of its first order in the push."""

    index: int
    first: int
    orders: tuple[Sent, ...]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one chunk: a line of the journal. `failed`: position in the push -> troubles."""

    chunk: int
    orders: int
    failed: dict[int, tuple[Trouble, ...]] = {}
    batch: str = ""


class Journal:
    """Which chunks are done: a file that is appended to and flushed with every chunk; None of it is needed to start."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.done: dict[int, Done] = {}

    def read(self) -> bool:
        """Whether there is a journal of this very push."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return False
        if not lines or lines[0].decode("utf-8", "replace") != self.identity:
            return False
        for line in lines[1:]:
            try:
                done = msgspec.json.decode(line, type=Done)
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed
            self.done[done.chunk] = done
        return True

    def begin(self) -> None:
        self.done.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.identity + "\n", encoding="utf-8")

    def note(self, done: Done) -> None:
        self.done[done.chunk] = done
        with open(self.path, "ab") as file:
            file.write(msgspec.json.encode(done) + b"\n")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def chunks(orders: Iterator[Sent], pace: Pace, around_bytes: int) -> Iterator[Chunk]:
    """The same orders cut the same way every time."""
    taken: list[Sent] = []
    size = index = first = 0
    for order in orders:
        weight = len(order.document) + around_bytes
        if taken and (len(taken) >= pace.orders or size + weight > pace.size_bytes - 64):
            yield Chunk(index, first, tuple(taken))
            index, first, size = index + 1, first + len(taken), 0
            taken = []
        taken.append(order)
        size += weight
    if taken:
        yield Chunk(index, first, tuple(taken))


class Gate:
    """Lets requests through at the pace that was asked for, and holds all of them back while the server asks for it."""

    def __init__(self, per_second: float | None) -> None:
        self.gap_s = 0.0 if not per_second else 1 / per_second
        self.next_at = 0.0

    async def passed(self) -> None:
        while True:
            now = time.monotonic()
            if now >= self.next_at:
                self.next_at = now + self.gap_s
                return
            await asyncio.sleep(min(self.next_at - now, 1.0))

    def hold(self, seconds: float) -> None:
        self.next_at = max(self.next_at, time.monotonic() + seconds)


class Push:
    """One push. `told` is called after every chunk, resumed ones included."""

    def __init__(
        self,
        url: str,
        wire: Wire,
        key: str,
        *,
        identity: str,
        pace: Pace | None = None,
        historical: bool = True,
        journal: Journal | None = None,
        told: Callable[[Done], None] = lambda done: None,
    ) -> None:
        self.wire = wire
        self.key = key
        self.identity = identity
        self.pace = pace or Pace()
        self.historical = historical
        self.journal = journal
        self.told = told
        self.transport = Asynchronous(base_url(wire, url), connections=self.pace.parallel)
        self.gate = Gate(self.pace.per_second)

    async def run(self, orders: Iterator[Sent], stopping: asyncio.Event | None = None) -> bool:
        """True when everything was sent, False when it was asked to stop before.

        Raises Refused (not authorised, nothing there, …) or Unreachable; what was noted stays noted.
        """
        todo = chunks(orders, self.pace, self.wire.around_bytes)
        running: set[asyncio.Task[None]] = set()
        whole = True
        try:
            while (chunk := await asyncio.to_thread(next, todo, None)) is not None:
                known = self.journal.done.get(chunk.index) if self.journal else None
                if known is not None:
                    self.told(known)
                    continue
                if stopping is not None and stopping.is_set():
                    whole = False
                    break
                running.add(asyncio.create_task(self._send(chunk)))
                if len(running) >= self.pace.parallel:
                    finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        task.result()
            for task in list(running):
                await task
                running.discard(task)
            return whole
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.gather(*running, return_exceptions=True)
            await self.transport.close()

    async def _send(self, chunk: Chunk) -> None:
        memo = f"push-{self.identity[:40]}-{chunk.index}"
        failed: dict[int, tuple[Trouble, ...]] = {}
        batch = await self._part(chunk.orders, range(len(chunk.orders)), memo, failed)
        done = Done(
            chunk=chunk.index,
            orders=len(chunk.orders),
            failed={chunk.first + index: troubles for index, troubles in failed.items()},
            batch=batch,
        )
        if self.journal is not None:
            self.journal.note(done)
        self.told(done)

    async def _part(
        self, orders: Sequence[Sent], places: Sequence[int], memo: str, failed: dict[int, tuple[Trouble, ...]]
    ) -> str:
        """Some orders of a chunk. What a server refuses as a whole is sent again without those at fault: those it
        names, else (when it names none) by halves, until they are found."""
        if not orders:
            return ""
        answer = await self._call(orders, memo)
        verdict = self._verdict(orders, answer)
        for index, troubles in verdict.failed.items():
            failed[places[index]] = troubles
        if not verdict.whole:
            return verdict.batch
        if verdict.failed and answer.status != 413:
            left = [index for index in range(len(orders)) if index not in verdict.failed]
            return await self._part([orders[i] for i in left], [places[i] for i in left], f"{memo}-r", failed)
        if len(orders) == 1:
            failed[places[0]] = verdict.whole
            return ""
        half = len(orders) // 2
        first = await self._part(orders[:half], places[:half], f"{memo}-a", failed)
        second = await self._part(orders[half:], places[half:], f"{memo}-b", failed)
        return first or second

    def _verdict(self, orders: Sequence[Sent], answer: Answer) -> Verdict:
        """Raises Refused for what no other choice of orders would mend."""
        if answer.status >= 300 and answer.status not in SPLIT:
            raise refused(answer)
        return self.wire.read(orders, answer)

    async def _call(self, orders: Sequence[Sent], memo: str) -> Answer:
        call = call_of(
            self.wire, orders, self.key, historical=self.historical, memo=memo, timeout_s=self.pace.timeout_s
        )
        # Sending twice is what the contracts are made for: by key here, by order id elsewhere.
        answer = await self._drive(exchange(call, repeatable=True))
        wait = asked_wait_s(answer.headers)
        if wait is not None:
            self.gate.hold(wait)
        return answer

    async def _drive(self, conversation: Conversation[Answer]) -> Answer:
        """As the transport would, but what one request is asked to wait, all of them wait."""
        step: Any = next(conversation)
        while True:
            try:
                if isinstance(step, Wait):
                    self.gate.hold(step.seconds)
                    step = conversation.send(None)
                    continue
                await self.gate.passed()
                try:
                    answer = await self.transport.send(step)
                except Unreachable as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
            except StopIteration as end:
                result: Answer = end.value
                return result


__all__ = ["Chunk", "Done", "Gate", "Journal", "Pace", "Push", "Refused", "Unreachable", "chunks"]
