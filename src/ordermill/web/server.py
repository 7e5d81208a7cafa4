"""The server: uvicorn with one deadline per request, and a run that ends within its grace on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ordermill.web.accepting import Acceptor
from ordermill.web.http import STREAMING

GRACE_S = 8.0
STREAM_IDLE_S = 300.0  # how long a body of any size, once it is let in, may say nothing


class HeadTooLarge(Exception):
    """Ends the parsing: nothing of the request is to be worked on."""


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol, cutting whoever takes longer than `deadline_s` to send one request, head and body.

    uvicorn itself never cuts a silent or dripping client: every byte renews its keep-alive timer. One timer per request
    is enough; one per message costs more than it guards. Only a request that the application has marked as STREAMING
    in its scope's state, which it does once it knows who sends, may take as long as something comes.

    A head above `header_bytes_max` is refused: by its parts as they are read, and by its bytes while the parser keeps
    them to itself (it hands out a header when that is whole, and puts it together in time that grows with the square).
    """

    deadline_s = 30.0
    header_bytes_max = 32 * 1024
    _deadline: asyncio.TimerHandle | None = None
    _awaiting = True  # the next byte begins a request
    _head_bytes = 0  # of the parts that were read
    _held_bytes = 0  # since a head, a piece of a body or a message last ended: of a head, or of trailers
    _too_large = False
    _heard_at = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaiting and self._deadline is None:
            self._start_deadline()
        self._held_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held_bytes > self.header_bytes_max:
            self._refuse_head()
        elif self._deadline is None and not self._awaiting:  # it began behind the end of the one before
            self._start_deadline()

    def on_message_begin(self) -> None:
        self._awaiting = False
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._held_bytes = 0
        if self._is_streaming():
            self._heard_at = self.loop.time()
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._held_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._held_bytes = 0
        self._awaiting = True
        self._stop_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_streaming() and self.cycle.response_complete:  # answered before its end: now it is as any other
            self.scope["state"].pop(STREAMING)
            self._stop_deadline()
            self._start_deadline()

    def send_400_response(self, msg: str) -> None:
        if self._too_large:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.header_bytes_max:
            self._too_large = True
            raise HeadTooLarge

    def _refuse_head(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # else this would stand within another answer
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def _is_streaming(self) -> bool:
        return not self._awaiting and STREAMING in self.scope["state"]

    def _start_deadline(self) -> None:
        self._heard_at = self.loop.time()
        self._deadline = self.loop.call_later(self.deadline_s, self._cut)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        left_s = self._streaming_left_s() if self._is_streaming() else 0.0
        if left_s > 0:
            self._deadline = self.loop.call_later(left_s, self._cut)
            return
        self._deadline = None
        self.transport.close()

    def _streaming_left_s(self) -> float:
        if self.flow.read_paused:  # it is us who keep the client waiting
            return STREAM_IDLE_S
        return self._heard_at + STREAM_IDLE_S - self.loop.time()


def protocol(deadline: float, header_bytes: int) -> type[DeadlineProtocol]:
    """The protocol with these limits (uvicorn makes the instances, so they stand on a class)."""

    class Configured(DeadlineProtocol):
        deadline_s = deadline
        header_bytes_max = header_bytes

    return Configured


class Server(uvicorn.Server):
    """Signals are the caller's: the first asks to stop, the second stops at once."""

    def __init__(self, app: Any, host: str, port: int, *, deadline_s: float, header_bytes_max: int) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol(deadline_s, header_bytes_max),
            loop="uvloop",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(GRACE_S),
            proxy_headers=False,
        )
        super().__init__(config)
        self.ready = asyncio.Event()
        self.asked_to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Each socket with an acceptor of ours: `serve` is to be given those to listen on."""
        await super().startup([])
        for listening in sockets or ():
            self.servers.append(cast("Any", Acceptor(listening, self._make_protocol)))
        self.ready.set()

    def _make_protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def install_signal_handlers_on(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)

    def ask_to_stop(self) -> None:
        """The first time: finish what is in hand. The second time: stop at once."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.asked_to_stop.set()

    def capture_signals(self) -> Any:  # uvicorn would re-raise the signal after a clean stop, and exit non-zero
        return contextlib.nullcontext()
