"""The pipeline as the delivery tests need it: a ledger, a dispatcher over it, endpoints in one line."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.delivery import Delivery, Endpoint, EndpointState, Kind, Policy, own_voice
from ordermill.core.delivery_query import DeliveryQuery, NewEndpoint
from ordermill.core.errors import NotFound
from ordermill.core.event import Voice
from ordermill.delivery.addressing import Guard
from ordermill.delivery.composing import notify_voice
from ordermill.delivery.dispatcher import Bounds, Dispatcher
from ordermill.delivery.sender import Sender as Post
from ordermill.store.ledger import Ledger

VOICES: dict[str, Voice] = {Kind.OWN: own_voice(), Kind.NOTIFY: notify_voice()}
LOOPBACK = "127.0.0.0/8"


def policy(delays_s: Iterable[float] | None = None, jitter: float = 0.0) -> Policy:
    given = {} if delays_s is None else {"delays_s": tuple(delays_s)}
    return Policy(jitter=lambda: jitter, **given)


class House:
    """One process's share of the deliveries. `clock` stands still unless the test moves it.

    Its endpoints end with it, unless `keep`: a dispatcher works for everybody, and so for the tests before as well.
    """

    def __init__(
        self, ledger: Ledger, *, allow: str = LOOPBACK, attempt_s: float = 15.0, keep: bool = False, **given: Any
    ) -> None:
        self.ledger = ledger
        self.keep = keep
        self.made: list[tuple[Sender, Endpoint]] = []
        self.outbox = ledger.outbox
        self.clock = ledger.clock
        self.post = Post(Guard(allow), attempt_s=attempt_s)
        voices = given.pop("voices", VOICES)
        kept = given.pop("policy", policy())
        bounds = given.pop("bounds", Bounds(poll_s=0.05))
        self.dispatcher = Dispatcher(
            self.outbox, {"http": self.post}, voices, kept, ledger.clock, bounds=bounds, **given
        )

    async def __aenter__(self) -> House:
        self.outbox.on_deliveries = self.dispatcher.wake
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatcher.stop(5)
        for who, endpoint in () if self.keep else self.made:
            with contextlib.suppress(NotFound):
                await self.outbox.change_endpoint(who, endpoint.id, ended)

    async def endpoint(self, who: Sender, url: str, **facts: Any) -> Endpoint:
        made = await self.outbox.create_endpoint(who, NewEndpoint(url=url, **facts))
        self.made.append((who, made))
        return made

    async def turn(self) -> int:
        """Everything that is due now is attempted, and recorded. How many looks found something."""
        looks = 0
        while await self.dispatcher.dispatch_once():
            await self.dispatcher.settle_down()
            looks += 1
        return looks

    async def deliveries(self, who: Sender, **query: Any) -> tuple[Delivery, ...]:
        page = await self.outbox.find_deliveries(who, DeliveryQuery(limit=1000, **query))
        return page.entries

    async def until_done(self, who: Sender, timeout_s: float = 20) -> tuple[Delivery, ...]:
        """Waits until nothing of a sender's is pending any more, with the loops running."""

        async def done() -> bool:
            return all(entry.finished_at is not None for entry in await self.deliveries(who))

        await until(done, timeout_s)
        return await self.deliveries(who)


def ended(known: Endpoint) -> Endpoint:
    return msgspec.structs.replace(known, state=EndpointState.DELETED)


async def until(happened: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    """Asks again and again, for so long at most."""
    async with asyncio.timeout(timeout_s):
        for pause_s in itertools.chain((0.0,), itertools.repeat(0.02)):
            await asyncio.sleep(pause_s)
            if await happened():
                return
