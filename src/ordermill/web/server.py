"""The server: uvicorn with one deadline per request, and a run that ends within its grace on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ordermill.web.accepting import Acceptor

GRACE_S = 8.0
STREAMING_PATHS = frozenset(("/api/v1/orders/stream", "/api/v1/imports"))  # bodies of any size
STREAM_IDLE_S = 300.0  # how long such a body may say nothing


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol, cutting whoever takes longer than `deadline_s` to send one request, head and body.

    uvicorn itself never cuts a silent or dripping client: every byte renews its keep-alive timer. One timer per request
    is enough; one per message costs more than it guards. A head above `header_bytes_max` is cut off as well.
    """

    deadline_s = 30.0
    header_bytes_max = 32 * 1024
    streaming_paths = STREAMING_PATHS
    _streaming = False
    _deadline: asyncio.TimerHandle | None = None
    _awaiting = True  # the next byte begins a request

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaiting and self._deadline is None:
            self._start_deadline()
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._awaiting = False
        self._head_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.header_bytes_max:
            self.transport.close()
            return
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        if self._streaming:  # of any size, so any time, as long as something comes
            self._stop_deadline()
            self._start_deadline()
        super().on_body(body)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._streaming = self.scope.get("path") in self.streaming_paths

    def on_message_complete(self) -> None:
        self._awaiting = True
        self._streaming = False
        self._stop_deadline()
        super().on_message_complete()

    def _start_deadline(self) -> None:
        wait_s = STREAM_IDLE_S if self._streaming else self.deadline_s
        self._deadline = self.loop.call_later(wait_s, self._cut)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self) -> None:
        self._deadline = None
        if self._streaming and self.flow is not None and self.flow.read_paused:  # it is us who keep the client waiting
            self._start_deadline()
            return
        self.transport.close()


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
