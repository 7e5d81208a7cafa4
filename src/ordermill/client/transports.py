"""How calls travel: blocking over http.client, otherwise over aiohttp."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import aiohttp

from ordermill.client.steps import Answer, Call, Conversation, Unreachable, Wait

T = TypeVar("T")
PIECE_BYTES = 64 * 1024
USER_AGENT = "ordermill-client"


def target(base_path: str, call: Call) -> str:
    path = base_path + quote(call.path, safe="/%:~.-_")
    return f"{path}?{urlencode(call.query)}" if call.query else path


class Blocking:
    """One connection per thread, kept open."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base_url!r} is no http or https address")
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, parts.port
        self.base_path = parts.path.rstrip("/")
        self._local = threading.local()

    def run(self, conversation: Conversation[T]) -> T:
        """Does what the conversation asks for until it returns."""
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = conversation.send(None)
                    continue
                try:
                    answer = self.send(step)
                except Unreachable as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def send(self, call: Call, body: Any = None) -> Answer:
        """Raises Unreachable. `body`: an iterable of pieces instead of the call's bytes."""
        for fresh in (False, True):
            connection, used = self._connection(fresh=fresh, timeout_s=call.timeout_s)
            try:
                headers = {"User-Agent": USER_AGENT, **dict(call.headers)}
                chunked = body is not None
                connection.request(
                    call.method, target(self.base_path, call), body=body if chunked else call.body or None,
                    headers=headers, encode_chunked=chunked and "Content-Length" not in headers,
                )  # fmt: skip
                answer = connection.getresponse()
                read = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # A kept connection that the server closed meanwhile says so before anything was answered.
                if (
                    used
                    and not fresh
                    and body is None
                    and isinstance(error, http.client.RemoteDisconnected | ConnectionError)
                ):
                    continue
                raise Unreachable(f"{self.host}: {error or type(error).__name__}") from error
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, read)
        raise AssertionError("unreachable")

    def open(self, call: Call) -> tuple[Answer, Iterator[bytes]]:
        """An answer whose body comes piece by piece, on a connection of its own; the Answer itself has none."""
        connection = self._connect(call.timeout_s)
        try:
            connection.request(
                call.method, target(self.base_path, call), body=call.body or None,
                headers={"User-Agent": USER_AGENT, **dict(call.headers)},
            )  # fmt: skip
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self.host}: {error}") from error
        head = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, b"")
        if answer.status >= 400:
            head = Answer(head.status, head.headers, answer.read())
            connection.close()
            return head, iter(())

        def pieces() -> Iterator[bytes]:
            try:
                while piece := answer.read1(PIECE_BYTES):
                    yield piece
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"{self.host}: {error}") from error
            finally:
                connection.close()

        return head, pieces()

    def _connection(self, *, fresh: bool, timeout_s: float) -> tuple[http.client.HTTPConnection, bool]:
        known: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if known is not None and not fresh:
            if known.sock is not None:
                known.sock.settimeout(timeout_s)
            return known, True
        made = self._local.connection = self._connect(timeout_s)
        return made, False

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        if self.scheme == "https":
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=timeout_s, context=ssl.create_default_context()
            )
        return _Direct(self.host, self.port, timeout=timeout_s)

    def close(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


class _Direct(http.client.HTTPConnection):
    """Small requests go out at once."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Asynchronous:
    """An aiohttp session, made with the first call."""

    def __init__(self, base_url: str, *, connections: int = 16) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base_url!r} is no http or https address")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.base_path = parts.path.rstrip("/")
        self.connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def run(self, conversation: Conversation[T]) -> T:
        """Does what the conversation asks for until it returns."""
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                    step = conversation.send(None)
                    continue
                try:
                    answer = await self.send(step)
                except Unreachable as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def send(self, call: Call) -> Answer:
        """Raises Unreachable."""
        try:
            async with self.session().request(
                call.method, self.origin + target(self.base_path, call), data=call.body or None,
                headers={"User-Agent": USER_AGENT, **dict(call.headers)},
                timeout=aiohttp.ClientTimeout(total=call.timeout_s), allow_redirects=False,
            ) as answer:  # fmt: skip
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.origin}: {_why(error)}") from error

    async def stream(self, call: Call, body: AsyncIterator[bytes]) -> AsyncIterator[tuple[Answer, bytes]]:
        """Sends piece by piece while the answer is read piece by piece. A refusal comes whole, in the first Answer."""
        try:
            async with self.session().request(
                call.method, self.origin + target(self.base_path, call), data=body,
                headers={"User-Agent": USER_AGENT, **dict(call.headers)},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=call.timeout_s), allow_redirects=False,
            ) as answer:  # fmt: skip
                headers = {name.lower(): value for name, value in answer.headers.items()}
                head = Answer(answer.status, headers, b"" if answer.status < 400 else await answer.read())
                if answer.status >= 400:
                    yield head, b""
                    return
                async for piece in answer.content.iter_any():
                    yield head, piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self.origin}: {_why(error)}") from error

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.connections), auto_decompress=True, trust_env=True
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """NDJSON lines out of pieces that are cut anywhere."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _why(error: BaseException) -> str:
    """`Connection refused`, without what only whoever wrote the library wants to know (`ssl:default`)."""
    number = getattr(getattr(error, "os_error", None), "errno", None) or 0
    said = os.strerror(number) if number > 0 else str(error).replace(" ssl:default", "")
    return said or type(error).__name__
