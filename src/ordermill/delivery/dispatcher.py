"""The loop that turns due deliveries into attempts: claims ahead, sends with bounds, records in groups.

Any number of these may run on one database. What a crash leaves claimed is due again when its lease ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from ordermill.core.delivery import Answer, Claim, Due, Endpoint, Failure, Policy, Recorded, Result
from ordermill.core.event import Event, Subject, Voice
from ordermill.delivery.composing import Parcel, compose
from ordermill.delivery.desk import Desk
from ordermill.delivery.meters import Meters
from ordermill.failpoints import reach

POINTS = ("delivery.claimed", "delivery.sent", "delivery.recorded")  # failpoints, in the order they are reached
BROKER_PREFIX = "nats:"
RECORDED_AT_ONCE = 500
UNRECORDED_MAX = 2_000  # results held while the database is away; then nothing more is sent
log: Any = structlog.get_logger()


class Queue(Protocol):
    """What is needed of the ledger."""

    async def find_busy(self) -> tuple[Endpoint, ...]: ...

    async def find_due(self, wanted: Sequence[tuple[Endpoint, int]]) -> list[Due]: ...

    async def find_claim(self, account_id: int, delivery_id: int) -> tuple[Endpoint, Due] | None: ...

    async def claim(self, found: Sequence[Due], owner: str, lease_us: int) -> list[Claim]: ...

    async def release(self, claims: Sequence[Claim], owner: str) -> None: ...

    async def record(self, results: Sequence[Result], owner: str, policy: Policy) -> Recorded: ...

    async def find_subject(self, about: Event) -> Subject: ...


class Post(Protocol):
    """One attempt at an address. Never raises."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer: ...

    async def close(self) -> None: ...


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once. Endpoints that fail, or have yet to show that they work, share `unproven` of all the places."""

    in_flight: int = 64
    per_endpoint: int = 8
    failing: int = 2
    unproven: int = 32
    ahead: int = 256
    poll_s: float = 1.0
    lease_s: float = 60.0
    attempt_s: float = (
        20.0  # what an attempt takes at most, with room: a claim is not sent later than this before its end
    )


class Dispatcher:
    """`clock` gives µs since 1970 UTC. `posts`: "http", and "nats" where a broker is set up."""

    def __init__(
        self,
        queue: Queue,
        posts: Mapping[str, Post],
        voices: Mapping[str, Voice],
        policy: Policy,
        clock: Callable[[], int],
        *,
        bounds: Bounds | None = None,
        meters: Meters | None = None,
        show_secret: bool = False,
    ) -> None:
        self.queue = queue
        self.posts = posts
        self.voices = voices
        self.policy = policy
        self.clock = clock
        self.bounds = bounds or Bounds()
        self.meters = meters or Meters()
        self.show_secret = show_secret
        self.owner = secrets.token_hex(8)
        self.desks: dict[int, Desk] = {}
        self.in_flight = 0
        self._unproven = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._hint = asyncio.Event()
        self._results: list[Result] = []
        self._fresh = asyncio.Event()
        self._returned: list[Claim] = []
        self._writing = asyncio.Lock()
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []

    # life

    def start(self) -> None:
        """Starts the loops; `stop` ends them."""
        self._loops = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._record())]

    def wake(self) -> None:
        """Something may be due. A hint only: the next poll would find it as well."""
        self._hint.set()

    async def stop(self, grace_s: float) -> None:
        """Claims nothing more, lets attempts under way end within the grace, writes down what came of them."""
        self._stopping = True
        self._hint.set()
        for desk in self.desks.values():
            self._returned += desk.give_back(0)
        ending = {*self._tasks, *self._loops[:1]}  # a claim that is being made is given back as well
        if ending:
            await asyncio.wait(ending, timeout=grace_s)
        with contextlib.suppress(Exception):  # what cannot be written down now is sent once more, after its lease
            await self._write_down()
        left = [*self._tasks, *self._loops]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for post in self.posts.values():
            await post.close()

    async def settle_down(self) -> None:
        """Waits until nothing that was claimed is left undone and unrecorded."""
        while self._tasks or self._results or self._returned:
            if self._tasks:
                await asyncio.wait(set(self._tasks))
            await self._write_down()

    # claiming

    async def _dispatch(self) -> None:
        while not self._stopping:
            self._hint.clear()
            started = time.monotonic()
            try:
                found = await self.dispatch_once()
            except Exception as error:
                log.warning("delivery.dispatch_failed", error=repr(error))
                await asyncio.sleep(self.bounds.poll_s)
                continue
            if found == 0:
                # Not busier than a tenth of the time, however many endpoints have to be looked at.
                rest_s = max(self.bounds.poll_s, 10 * (time.monotonic() - started))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hint.wait(), rest_s)

    async def dispatch_once(self) -> int:
        """One look at what is due: claims what there is room for and starts sending it. How many were due."""
        busy = await self.queue.find_busy()
        wanted = []
        for endpoint in busy:
            desk = self.desks.setdefault(endpoint.id, Desk(endpoint))
            desk.refresh(endpoint)
            room = self._room(desk)
            if room > 0:
                wanted.append((endpoint, room))
        found = await self.queue.find_due(wanted) if wanted else []
        if found and not self._stopping:
            await self._claim(found, {endpoint.id: room for endpoint, room in wanted})
        self._drop_idle({endpoint.id for endpoint in busy})
        return len(found)

    async def _claim(self, found: Sequence[Due], wanted: Mapping[int, int]) -> None:
        lease_us = int(self.bounds.lease_s * 1_000_000)
        send_before = time.monotonic() + self.bounds.lease_s - self.bounds.attempt_s
        claims = await self.queue.claim(found, self.owner, lease_us)
        reach("delivery.claimed")
        if self._stopping:
            self._returned += claims
            return
        seen: dict[int, int] = {}
        for due in found:
            seen[due.claim.endpoint_id] = seen.get(due.claim.endpoint_id, 0) + 1
        for endpoint_id, count in seen.items():
            self.desks[endpoint_id].more = count >= wanted[endpoint_id]
        for claim in claims:
            self.desks[claim.endpoint_id].ready.append((claim, send_before))
        self._staff()

    def _room(self, desk: Desk) -> int:
        """How many more deliveries of an endpoint to claim."""
        if desk.closed or self._stopping or len(self._results) > UNRECORDED_MAX:
            return 0
        slots = self._cap(desk)
        return desk.ahead(slots, self.bounds.ahead) - len(desk.ready) - max(0, desk.in_flight - slots)

    def _cap(self, desk: Desk) -> int:
        return self.bounds.failing if desk.failing else self.bounds.per_endpoint

    def _drop_idle(self, busy: set[int]) -> None:
        if self._results:  # what a desk knows of its endpoint is not in the ledger yet
            return
        for endpoint_id in [key for key, desk in self.desks.items() if desk.idle and key not in busy]:
            del self.desks[endpoint_id]

    # sending

    def _staff(self) -> None:
        """Starts as many attempts as there are places for, a round for everybody before a second one for anybody."""
        waiting = [desk for desk in self.desks.values() if desk.ready]
        while waiting and not self._stopping:
            waiting = [desk for desk in waiting if desk.ready and self._start(desk)]

    def _start(self, desk: Desk) -> bool:
        """One more attempt of a desk, if there is a place for it. False: this desk is done for now."""
        if not self._place_for(desk, 0) or (claim := desk.next_claim()) is None:
            return False
        unproven = not desk.proven
        desk.in_flight += 1
        self.in_flight += 1
        self._unproven += unproven
        task = asyncio.create_task(self._work(desk, claim, unproven))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def _place_for(self, desk: Desk, held: int) -> bool:
        """Whether one more attempt fits, `held` being places this desk's asker has already.

        The fuller the house, the fewer for each: a few receivers that hang must not take every place.
        """
        total = self.in_flight - held
        share = 1 + (self.bounds.in_flight - total) // 8
        if desk.in_flight - held >= min(self._cap(desk), share) or total >= self.bounds.in_flight:
            return False
        return desk.proven or self._unproven - held < self.bounds.unproven

    async def _work(self, desk: Desk, first: Claim, unproven: bool) -> None:
        """One place at an endpoint: attempt after attempt, while there is something to send and the place is free."""
        claim: Claim | None = first
        try:
            while claim is not None:
                at = self.clock()
                answer = await self._attempt(desk.endpoint, claim, at)
                reach("delivery.sent")
                self._note(desk, Result(claim, answer, at))
                stay = not self._stopping and unproven == (not desk.proven) and self._place_for(desk, 1)
                claim = desk.next_claim() if stay else None
        finally:
            desk.in_flight -= 1
            self.in_flight -= 1
            self._unproven -= unproven
            if desk.more and len(desk.ready) < self.bounds.per_endpoint:
                self._hint.set()
            self._staff()

    def _note(self, desk: Desk, result: Result) -> None:
        desk.note(result.answer)
        if not result.answer.delivered:
            self._returned += desk.give_back(0 if desk.closed else self.bounds.failing)
        self._results.append(result)
        self._fresh.set()
        if desk.more and len(desk.ready) < desk.ahead(self.bounds.per_endpoint, self.bounds.ahead) // 2:
            self._hint.set()
        self.meters.attempted(result)
        claim, answer = result.claim, result.answer
        log.info(
            "delivery.attempted", delivery_id=claim.delivery_id, endpoint_id=claim.endpoint_id,
            account_id=claim.account_id, type=claim.event.type.value, attempt=claim.attempt, status=answer.status,
            failure=answer.failure and answer.failure.value, took_ms=answer.took_ms,
        )  # fmt: skip

    async def _attempt(self, endpoint: Endpoint, claim: Claim, at: int) -> Answer:
        """Never raises: what fails on our side is a failure of its own kind."""
        try:
            voice = self.voices[endpoint.kind]
            subject = await self.queue.find_subject(claim.event) if voice.asks_subject else None
            parcel = compose(endpoint, voice, claim.event, subject, at, show_secret=self.show_secret)
            return await self._send(claim.url or endpoint.url, claim, parcel)
        except Exception as error:
            log.exception("delivery.failed", delivery_id=claim.delivery_id)
            return Answer(status=None, failure=Failure.INTERNAL, took_ms=0, snippet=type(error).__name__)

    async def _send(self, url: str, claim: Claim, parcel: Parcel) -> Answer:
        if not url.startswith(BROKER_PREFIX):
            return await self.posts["http"].post(url, parcel.headers, parcel.body)
        broker = self.posts.get("nats")
        if broker is None:
            return Answer(status=None, failure=Failure.BROKER, took_ms=0, snippet="no broker is set up")
        subject = f"{url.removeprefix(BROKER_PREFIX)}.{claim.event.type.value}"
        return await broker.post(subject, parcel.headers, parcel.body)

    async def try_now(self, account_id: int, delivery_id: int) -> Answer | None:
        """One attempt at once, whatever else waits; None when somebody else holds the delivery."""
        found = await self.queue.find_claim(account_id, delivery_id)
        if found is None:
            return None
        endpoint, due = found
        claims = await self.queue.claim([due], self.owner, int(self.bounds.lease_s * 1_000_000))
        if not claims:
            return None
        at = self.clock()
        answer = await self._attempt(endpoint, claims[0], at)
        await self.queue.record([Result(claims[0], answer, at)], self.owner, self.policy)
        return answer

    # recording

    async def _record(self) -> None:
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            try:
                await self._write_down()
            except Exception as error:
                log.warning("delivery.record_failed", error=repr(error), waiting=len(self._results))
                await asyncio.sleep(self.bounds.poll_s)
                self._fresh.set()

    async def _write_down(self) -> None:
        """Everything that waits to be recorded, in groups: one commit serves many attempts."""
        async with self._writing:
            while self._returned:
                returned, self._returned = self._returned, []
                await self.queue.release(returned, self.owner)
            while self._results:
                results = self._results[:RECORDED_AT_ONCE]
                recorded = await self.queue.record(results, self.owner, self.policy)
                reach("delivery.recorded")
                del self._results[: len(results)]
                self.meters.recorded(recorded)
                if recorded.woken or recorded.deliveries:
                    self._hint.set()
