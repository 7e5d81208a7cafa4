"""New connections are heard soon, and a process that may open no more files gets over it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest
import uvloop

from ordermill.web import accepting
from ordermill.web.accepting import Acceptor

CLIENTS = 200


class Counted(asyncio.Protocol):
    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Counted.made += 1
        transport.close()


@pytest.fixture(autouse=True)
def from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "made", 0)


def on_loop(work: Callable[[ExitStack, socket.socket], Awaitable[None]]) -> None:
    """On the loop that serves, with a bound socket."""

    async def main() -> None:
        with ExitStack() as stack:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=CLIENTS))
            await work(stack, listening)

    uvloop.run(main())


def come(stack: ExitStack, listening: socket.socket, count: int) -> None:
    for _ in range(count):
        stack.enter_context(socket.create_connection(listening.getsockname()))


def test_all_that_wait_are_taken_in_within_a_few_turns_of_the_loop() -> None:
    async def work(stack: ExitStack, listening: socket.socket) -> None:
        acceptor = Acceptor(listening, Counted)
        come(stack, listening, CLIENTS)
        for _ in range(10):
            await asyncio.sleep(0)
        acceptor.close()
        await acceptor.wait_closed()
        assert Counted.made == CLIENTS

    on_loop(work)


def test_nothing_is_taken_in_after_the_end() -> None:
    async def work(stack: ExitStack, listening: socket.socket) -> None:
        acceptor = Acceptor(listening, Counted)
        acceptor.close()
        come(stack, listening, 1)
        await asyncio.sleep(0.05)
        await acceptor.wait_closed()
        assert Counted.made == 0

    on_loop(work)


class Poor:
    """A listening socket of a process that has no file left, some times."""

    def __init__(self, listening: socket.socket, failures: list[int]) -> None:
        self.listening = listening
        self.failures = failures

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            raise OSError(self.failures.pop(), "cannot")
        return self.listening.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self.listening, name)


@pytest.mark.parametrize("failures", [[errno.EMFILE] * 2, [errno.ECONNABORTED] * 3])
def test_who_cannot_be_taken_in_now_is_taken_in_later(failures: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "PAUSE_S", 0.01)

    async def work(stack: ExitStack, listening: socket.socket) -> None:
        acceptor = Acceptor(Poor(listening, failures), Counted)  # type: ignore[arg-type]
        come(stack, listening, 3)
        async with asyncio.timeout(10):
            while Counted.made < 3:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.01)
        acceptor.close()
        await acceptor.wait_closed()
        assert failures == []

    on_loop(work)
