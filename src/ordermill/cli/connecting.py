"""One client for every command: over HTTP to a server, or, where none runs, straight into the house in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

from ordermill.cli.local import Desk
from ordermill.cli.options import fail, settings, told_plainly
from ordermill.cli.remote import own_key, running_server, server_options, server_told
from ordermill.client.blocking import Ordermill
from ordermill.client.steps import Answer, Call, Conversation, Refused, Unreachable, Wait
from ordermill.core.order import Mode

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
PIECES_AHEAD = 8
NOT_MEANT = (400, 409, 422)  # read and understood, but it cannot be meant: not a trouble of the server

__all__ = ["connected", "server_options"]


@contextmanager
def connected(options: dict[str, Any]) -> Iterator[Ordermill]:
    """The client, from --server, --key, …, --data and --test. Ends with the right exit code when the server says no."""
    test = bool(options.get("test"))
    told = server_told(**{name: options.get(name) for name in ("server", "key", "key_file", "profile")})
    config = settings(data=options.get("data"), database_url=options.get("database_url"), log_level="error")
    with told_plainly():
        server = told or running_server(config, test=test)
        try:
            if server is not None:
                with Ordermill(server.url, server.key) as client:
                    yield client
            else:
                with InProcess(Desk(config, mode=Mode.TEST if test else Mode.LIVE)) as transport:
                    yield Ordermill("http://localhost", own_key(config, test=test), transport=transport)
        except Refused as error:
            if error.status == 404:
                fail(error.message + (f" ({error.hint})" if error.hint else ""), 6)
            fail(str(error), 4 if error.status in (401, 403) else 2 if error.status in NOT_MEANT else 5)
        except Unreachable as error:
            fail(str(error), 5)


class InProcess:
    """The house on an event loop in a thread; calls reach its web application without a socket."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> InProcess:
        from ordermill.web import observe

        observe.set_up_logging("error")
        self.thread.start()
        self._open = self.desk.open()
        try:
            self._do(self._open.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._do(self._open.__aexit__(None, None, None))
        self._end()

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    # what a transport does

    def close(self) -> None: ...

    def run(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = conversation.send(None)
                else:
                    step = conversation.send(self.send(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def send(self, call: Call, body: Any = None) -> Answer:
        head, pieces = self.open(call, body)
        return Answer(head.status, head.headers, head.body or b"".join(pieces))

    def open(self, call: Call, body: Any = None) -> tuple[Answer, Iterator[bytes]]:
        """The answer's head, and its body as it comes."""
        queue: asyncio.Queue[Any] = self._do(_queue())
        task = asyncio.run_coroutine_threadsafe(self._ask(call, body, queue), self.loop)

        def take() -> Any:
            return self._do(queue.get())

        status, headers = take()

        def pieces() -> Iterator[bytes]:
            while (piece := take()) is not None:
                yield piece
            task.result()

        if status >= 400:
            return Answer(status, headers, b"".join(pieces())), iter(())
        return Answer(status, headers, b""), pieces()

    async def _ask(self, call: Call, body: Any, queue: asyncio.Queue[Any]) -> None:
        source = iter([call.body] if body is None else body)
        pending = [next(source, b"")]

        async def receive() -> Any:
            if not pending:
                return {"type": "http.disconnect"}
            piece = pending.pop()
            following = next(source, None)
            if following is not None:
                pending.append(following)
            return {"type": "http.request", "body": piece, "more_body": following is not None}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
                await queue.put((message["status"], headers))
            elif message.get("body"):
                await queue.put(message["body"])

        scope = {
            "type": "http", "method": call.method, "path": unquote(call.path), "raw_path": call.path.encode(),
            "query_string": urlencode(call.query).encode(), "scheme": "http", "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in call.headers],
            "client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0), "http_version": "1.1",
        }  # fmt: skip
        try:
            await self.desk.house.web(scope, receive, send)
        finally:
            await queue.put(None)


async def _queue() -> asyncio.Queue[Any]:
    return asyncio.Queue(PIECES_AHEAD)
