"""New connections, taken in as soon as they come, however busy the others keep the event loop.

The loop's own servers accept one connection in each of its turns (libuv does, since 1.45). Under load a turn takes a
tenth of a second: of 3,000 clients that came at once, 950 were not heard for as long as the others went on sending
(4 s), instead of being told to come back.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import structlog

# Connections that wait to be accepted. Who comes beyond it is told nothing: the client thinks that it is connected, and
# what it sends is lost until it sends it again, seconds later. The system caps this (somaxconn, 4,096 on Linux).
BACKLOG = 8192
AT_ONCE = 512  # between so many the others get their turn
PAUSE_S = 0.5  # when the process may open no more files
_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
log = structlog.get_logger()


class Acceptor:
    """One listening socket. `make`: the protocol of a connection. Stands where uvicorn keeps its servers."""

    def __init__(self, listening: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        self.listening = listening
        self.make = make
        self.loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._closed = False
        listening.setblocking(False)
        listening.listen(BACKLOG)
        self._go_on()

    def close(self) -> None:
        """Accepts nothing more. The socket is closed by whoever opened it."""
        self._closed = True
        self.loop.remove_reader(self.listening)

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _go_on(self) -> None:
        if not self._closed:
            self.loop.add_reader(self.listening, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _address = self.listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_MORE:  # it would be told of the same one again and again
                    log.error("server.cannot_accept", error=error.strerror)
                    self.loop.remove_reader(self.listening)
                    self.loop.call_later(PAUSE_S, self._go_on)
                    return
                continue  # that client is gone already
            self._open(connection)

    def _open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self.loop.create_task(self._connect(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(self.make, connection)
        except OSError:  # gone meanwhile
            connection.close()
