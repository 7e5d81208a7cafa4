"""One HTTP attempt, bounded in time and size, that never raises: whatever happens is an Answer."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ordermill.core.delivery import RETRY_AFTER_MAX_S, SNIPPET_BYTES_MAX, Answer, Failure
from ordermill.core.errors import Invalid
from ordermill.delivery.addressing import Guard, Refused, Resolve

ATTEMPT_S = 15.0
CONNECT_S = 5.0
ANSWER_S = 2.0  # the status decides; for the rest of an answer nobody waits long
ANSWER_BYTES_MAX = 16 * 1024
# Below the five seconds after which Node.js closes an idle connection: a request on its way then would be lost.
KEEP_ALIVE_S = 4.0


class Sender:
    """Posts to receivers. Two pools of connections: one guarded by address, one for hosts that the operator named."""

    def __init__(self, guard: Guard, *, attempt_s: float = ATTEMPT_S) -> None:
        self.guard = guard
        self.attempt_s = attempt_s
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """One attempt: no redirects, no cookies, no proxies, nothing but 2xx counts."""
        started = time.monotonic()
        try:
            target = self.guard.read(url)
        except Invalid as refusal:
            return _failed(Failure.REFUSED, started, refusal.message)
        session = self._session(self.guard.host_allowed(target.host, target.port))
        request = session.post(URL(target.url, encoded=True), data=body, headers=headers, allow_redirects=False)
        try:
            async with asyncio.timeout(self.attempt_s):
                response = await request
        except Refused:
            hint = self.guard.hint(target.host)
            return _failed(Failure.REFUSED, started, f"{target.host} is not on the open internet; {hint}")
        except Exception as error:
            return _failed(classify(error), started, "")
        async with response:
            left_s = self.attempt_s - (time.monotonic() - started)
            return await _read(response, started, min(ANSWER_S, max(left_s, 0.0)))

    def _session(self, named: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(named)
        if session is None:
            session = self._sessions[named] = _make_session(self.guard, named)
        return session

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


def _make_session(guard: Guard, named: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # the dispatcher counts
        use_dns_cache=False,
        keepalive_timeout=KEEP_ALIVE_S,
        happy_eyeballs_delay=None,
        resolver=_Resolver(guard.resolve),
        socket_factory=guard.open_named_socket if named else guard.open_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    )


class _Resolver(AbstractResolver):
    """Asks anew for every connection, in threads of its own."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [_resolved(host, entry) for entry in await self._resolve(host, port)]

    async def close(self) -> None:
        pass


def _resolved(host: str, entry: Sequence[Any]) -> ResolveResult:
    family, _, proto, _, place = entry
    return ResolveResult(hostname=host, host=place[0], port=place[1], family=family, proto=proto, flags=0)


async def _read(response: aiohttp.ClientResponse, started: float, within_s: float) -> Answer:
    text, whole = await _read_some(response, within_s)
    if not whole:
        response.close()
    status = response.status
    failure = failure_of(status)
    if failure is None and not whole:
        failure = Failure.CUT
    return Answer(
        status=status,
        failure=failure,
        took_ms=_since(started),
        retry_after_s=None if failure is None else read_retry_after(response.headers.get("retry-after")),
        snippet=snippet_of(text),
    )


async def _read_some(response: aiohttp.ClientResponse, within_s: float) -> tuple[bytes, bool]:
    """The beginning of an answer, and whether that was all of it. The status is known: nothing here is a failure."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            while size < ANSWER_BYTES_MAX:
                part = await response.content.read(ANSWER_BYTES_MAX - size)
                if not part:
                    return b"".join(parts), True
                parts.append(part)
                size += len(part)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        pass
    return b"".join(parts), False


def failure_of(status: int) -> Failure | None:
    """What a status means. None: delivered."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Failure.REDIRECTED
    special = {410: Failure.GONE, 429: Failure.THROTTLED}.get(status)
    if special is not None:
        return special
    if 400 <= status < 500:
        return Failure.CLIENT
    return Failure.SERVER if 500 <= status < 600 else Failure.PROTOCOL


def classify(error: Exception) -> Failure:
    """What an exception of an attempt means."""
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure.NAME
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure.TLS
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failure.UNREACHABLE
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError):
        return Failure.DISCONNECTED
    if isinstance(error, aiohttp.ClientError | ValueError):
        return Failure.PROTOCOL
    return Failure.UNREACHABLE if isinstance(error, OSError) else Failure.INTERNAL


def read_retry_after(text: str | None) -> float | None:
    """Seconds to wait, from a number or a date; None for anything else."""
    if not text:
        return None
    if text.strip().isdecimal() and text.isascii():
        return min(float(text[:12]), RETRY_AFTER_MAX_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, min((moment - datetime.now(UTC)).total_seconds(), RETRY_AFTER_MAX_S))


def snippet_of(raw: bytes) -> str:
    """At most a kilobyte of an answer as text, without what a log or a database could stumble over."""
    text = raw[:SNIPPET_BYTES_MAX].decode("utf-8", "replace")
    plain = (
        text if text.isprintable() else "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
    )
    return plain.encode()[:SNIPPET_BYTES_MAX].decode("utf-8", "ignore")


def _failed(failure: Failure, started: float, snippet: str) -> Answer:
    return Answer(status=None, failure=failure, took_ms=_since(started), snippet=snippet[:SNIPPET_BYTES_MAX])


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
