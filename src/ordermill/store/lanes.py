"""Lanes: threads with a write connection each. Submissions that wait at the same moment share one transaction.

There is no timer: a lane takes what waits when it becomes free (a fixed wait of 2 ms halved the rate,
docs/performance.md). Small ones wake a lane at the end of the event loop's turn, when all that arrived in it are
there. They go first, then a thousand orders of large ones: a till does not wait behind an import.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import msgspec

from ordermill.core.batch import Settled
from ordermill.core.errors import Overloaded
from ordermill.failpoints import reach
from ordermill.store.engine import Collided, Connection, Engine, Transaction
from ordermill.store.intake import Job, settle

T = TypeVar("T")
SMALL = 32  # orders; what has no more goes first
GROUP_MAX = 1000  # orders of submissions that share a transaction
TRIES = 20


class Waiting(msgspec.Struct):
    """A job, and where its answer is awaited."""

    job: Job
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Settled]


class Call(msgspec.Struct):
    """Any other writing verb, and where its answer is awaited."""

    verb: Callable[[Transaction], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


def in_transaction(connection: Connection, verb: Callable[[Transaction], T]) -> T:
    """Runs a verb in a transaction, again when another process was faster. Raises Overloaded when it always was."""
    lost: Collided | None = None
    for attempt in range(TRIES):
        try:
            with connection.transaction(again=attempt > 0) as tx:
                return verb(tx)
        except Collided as error:
            lost = error
    raise Overloaded("too many others are writing the same orders; nothing was stored", retry_after_s=1) from lost


class Lanes:
    """The writing threads of one process, and the reading ones beside them."""

    def __init__(self, engine: Engine, clock: Callable[[], int], settle_verb: Any = settle) -> None:
        self.engine = engine
        self.clock = clock
        self.settle = settle_verb
        self._small: deque[Waiting] = deque()
        self._large: deque[Waiting | Call] = deque()
        self._lock = threading.Lock()
        self._waking: set[asyncio.AbstractEventLoop] = set()  # will put a ticket at the end of their turn
        self._tickets: SimpleQueue[bool] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"lane-{n}", daemon=True) for n in range(engine.lanes)
        ]
        self._local = threading.local()
        self._readers = ThreadPoolExecutor(engine.readers, thread_name_prefix="reader")
        self._open: list[Connection] = []
        self._closed = False
        for thread in self._threads:
            thread.start()

    # for the event loop

    def submit(self, job: Job) -> asyncio.Future[Settled]:
        """The answer of a job, durable when it comes."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(job, loop, loop.create_future())
        if len(job.submission.drafts) > SMALL:
            self._enqueue(waiting, self._large)
            return waiting.answer
        with self._lock:
            self._refuse_when_closed()
            self._small.append(waiting)
            wake = loop not in self._waking
            self._waking.add(loop)
        if wake:
            loop.call_soon(self._wake, loop)
        return waiting.answer

    async def write(self, verb: Callable[[Transaction], T]) -> T:
        """Any other verb that writes, in a transaction of its own."""
        loop = asyncio.get_running_loop()
        call = Call(verb, loop, loop.create_future())
        self._enqueue(call, self._large)
        answer: T = await call.answer
        return answer

    async def read(self, verb: Callable[[Transaction], T]) -> T:
        """A verb that only reads, beside the writers."""
        if self._closed:
            raise Overloaded("the server is leaving")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, verb)

    def _enqueue(self, entry: Any, queue: deque[Any]) -> None:
        with self._lock:
            self._refuse_when_closed()
            queue.append(entry)
            self._tickets.put(True)

    def _refuse_when_closed(self) -> None:
        """Behind the tickets that end the lanes there would be nobody to take it."""
        if self._closed:
            raise Overloaded("the server is leaving")

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """One ticket for all that this turn of the loop brought: waking a thread costs as much as an order."""
        with self._lock:
            self._waking.discard(loop)
        self._tickets.put(True)

    def waiting(self) -> int:
        """How many jobs wait for a lane."""
        return len(self._small) + len(self._large)

    def close(self) -> None:
        """Ends every thread once it has done what it holds. What still waits is done first."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for _ in self._threads:
                self._tickets.put(False)
        for thread in self._threads:
            thread.join()
        self._readers.shutdown()
        for connection in self._open:
            connection.close()
        self.engine.close()

    # in the threads

    def _read(self, verb: Callable[[Transaction], T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self.engine.connect(read_only=True)
            self._open.append(connection)
        with connection.transaction() as tx:
            return verb(tx)

    def _work(self) -> None:
        connection = self.engine.connect()
        try:
            going_on = True
            while going_on:
                going_on = self._tickets.get()
                while self._small or self._large:  # a ticket stands for any number of them
                    self._do(connection, self._take(self._small))
                    large = self._take(self._large)
                    if isinstance(large, Call):
                        self._call(connection, large)
                    else:
                        self._do(connection, large)
        finally:
            connection.close()

    def _take(self, queue: deque[Any]) -> Any:
        """What waits longest: one other verb, or as many submissions as share a transaction."""
        taken: list[Waiting] = []
        orders = 0
        if not queue:
            return taken
        with self._lock:
            while queue:
                if isinstance(queue[0], Call):
                    return taken or queue.popleft()
                orders += len(queue[0].job.submission.drafts)
                if taken and orders > GROUP_MAX:
                    break
                taken.append(queue.popleft())
        return taken

    def _do(self, connection: Connection, group: list[Waiting]) -> None:
        """One transaction for the group; when it fails, its members one by one, so that each gets its own answer.

        Not so when the database cannot be used: that is nobody's fault and everybody's answer, and a commit whose
        outcome is not known must not be repeated by anybody but the client.
        """
        if not group:
            return
        try:
            answers = in_transaction(connection, lambda tx: self._settle_all(tx, group))
        except Exception as error:
            if len(group) == 1 or isinstance(error, Overloaded):
                _deliver(group, [error] * len(group))
            else:
                for waiting in group:
                    self._do(connection, [waiting])
            return
        reach("lane.committed")
        _deliver(group, answers)

    def _settle_all(self, tx: Transaction, group: Sequence[Waiting]) -> list[Settled]:
        """Each account and mode of the group on its own, in one transaction."""
        scopes: dict[tuple[int, int], list[int]] = {}
        for index, waiting in enumerate(group):
            sender = waiting.job.sender
            scopes.setdefault((sender.account_id, sender.mode), []).append(index)
        answers: dict[int, Settled] = {}
        now = self.clock()
        for _, members in sorted(scopes.items()):
            settled = self.settle(tx, [group[index].job for index in members], now)
            answers.update(zip(members, settled, strict=True))
        return [answers[index] for index in range(len(group))]

    def _call(self, connection: Connection, call: Call) -> None:
        try:
            answer = in_transaction(connection, call.verb)
        except Exception as error:
            _deliver([call], [error])
        else:
            _deliver([call], [answer])


def _deliver(group: Sequence[Waiting | Call], answers: Sequence[Any]) -> None:
    """One wake-up of each event loop for the whole group. A loop that has ended awaits nothing any more."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for waiting, answer in zip(group, answers, strict=True):
        by_loop.setdefault(waiting.loop, []).append((waiting.answer, answer))
    for loop, fulfilled in by_loop.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_fulfil, fulfilled)


def _fulfil(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():  # the client is gone; what was settled stays settled
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
