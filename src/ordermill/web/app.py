"""The ASGI application: finds the face, guards the request, turns every Refusal and Fault into the face's words."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from random import getrandbits
from typing import Any

from ordermill.core.account import ApiKey
from ordermill.core.errors import (
    BadHeader,
    Failed,
    KeyReused,
    MethodNotAllowed,
    NotAcceptable,
    Overloaded,
    Refusal,
    Unauthorized,
    UnsupportedMedia,
)
from ordermill.core.limits import Limits
from ordermill.core.memo import AlreadyRemembered, Remembered
from ordermill.core.store import Store
from ordermill.failpoints import reach
from ordermill.web import observe
from ordermill.web.auth import Authenticator, require, sender_of
from ordermill.web.face import Face, Router
from ordermill.web.http import STREAMING, Reply, Request, Route
from ordermill.web.limits import AtWork, BodyReader, ClientGone, RateLimiter, stream_body
from ordermill.web.throttle import Addresses, FailedKeys

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Plain = Callable[[Request], Awaitable[Reply]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{1,200}")
_MEMO_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_FORMS = ("application/x-www-form-urlencoded", "multipart/")


class Web:
    """Everything between server and handlers. `plain`: open paths (health, metrics); `console` takes what is left.

    `record` is told of every answered request of a face, once the answer is sent.
    """

    def __init__(
        self,
        faces: Sequence[Face],
        store: Store,
        authenticator: Authenticator,
        limits: Limits,
        rate_limiter: RateLimiter,
        *,
        plain: Mapping[str, Plain],
        console: Any = None,
        access_log: bool = True,
        failed_keys: FailedKeys | None = None,
        addresses: Addresses | None = None,
        at_work: AtWork | None = None,
    ) -> None:
        self.faces = [(face, Router(face)) for face in faces]
        self.store = store
        self.authenticator = authenticator
        self.bodies = BodyReader(limits)
        self.rate_limiter = rate_limiter
        self.plain = dict(plain)
        self.console = console
        self.access_log = access_log
        self.failed_keys = failed_keys or FailedKeys(0)
        self.at_work = at_work or AtWork(0)
        self.addresses = addresses or Addresses("")
        self.draining = False
        self.record: Callable[[str, Request, Reply, float, dict[str, Any]], None] | None = None
        self._memo_locks: dict[tuple[int, str], asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            return
        path = scope["path"]
        for face, router in self.faces:
            if path.startswith(face.prefix) and (path[len(face.prefix) : len(face.prefix) + 1] in ("", "/")):
                await self._face(face, router, scope, receive, send)
                return
        if path in self.plain:
            await self._plain(self.plain[path], scope, send)
        elif self.console is not None:
            await self.console(scope, receive, send)
        else:
            await _send(send, Reply(404, b'{"message":"there is nothing here"}'), "")

    # open paths

    async def _plain(self, handler: Plain, scope: Scope, send: Send) -> None:
        request = _request(scope)
        if scope["method"] not in ("GET", "HEAD"):
            reply = Reply(405, b'{"message":"use GET"}', headers=(("allow", "GET, HEAD"),))
        else:
            reply = await handler(request)
        await _send(send, reply, request.request_id, head=scope["method"] == "HEAD")

    # faces

    async def _face(self, face: Face, router: Router, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of one face, from headers to answer. Nothing but a lost client leaves here unanswered."""
        started = time.perf_counter()
        request = _request(scope)
        told: dict[str, Any] = {}
        try:
            reply = await self._guarded(face, router, request, receive, told, scope)
        except ClientGone:
            return
        except Refusal as refusal:
            observe.REJECTIONS.labels(face.name, refusal.code).inc()
            told["refusal"] = refusal.code
            reply = _refuse(face, refusal, request)
        except Exception:
            observe.log.exception("request.failed", request_id=request.request_id, path=request.path)
            reply = _fault(face, request)
        throttle = told.pop("throttle", ())
        reach("answer.ready")
        await _send(send, reply, request.request_id, extra=throttle, head=request.method == "HEAD")
        reach("answer.sent")
        self._tell(face, request, reply, started, told)

    async def _guarded(
        self, face: Face, router: Router, request: Request, receive: Receive, told: dict[str, Any], scope: Scope
    ) -> Reply:
        peer = (scope.get("client") or ("",))[0]
        try:
            route, request.params = router.find(request.method, request.path)
        except MethodNotAllowed:
            await self._known(face, request, peer, told)  # it is there, so it answers to its own people only
            raise
        told["route"] = route.pattern
        key = await self._known(face, request, peer, told)
        require(key, route.scope)
        if not route.stream:  # a file is of any type
            _check_media(face, request)
        if request.method not in ("POST", "PUT", "PATCH"):
            with self.at_work:
                return await self._remembered(route, request)
        if self.draining:
            raise Overloaded("the server is leaving; send this again in a moment", retry_after_s=2)
        if route.stream:
            scope.setdefault("state", {})[STREAMING] = True  # from here on the server's deadline is a patient one
            request.stream = stream_body(request.headers, receive)
            return await route.handler(request)
        body = await self.bodies.read(request.headers, receive, face.body_bytes_max)
        try:
            request.body = body.data
            told["bytes"] = len(request.body)
            with self.at_work:
                return await self._remembered(route, request)
        finally:
            body.release()

    async def _known(self, face: Face, request: Request, peer: str, told: dict[str, Any]) -> ApiKey:
        """The key behind the request, noted and counted; from here on the request has a sender."""
        key = await self._authenticated(face, request, peer)
        told["key_id"] = key.id
        told["account_id"] = key.account_id
        request.sender = sender_of(key, request.request_id)
        self._throttle(face, key, told)
        return key

    async def _authenticated(self, face: Face, request: Request, peer: str) -> ApiKey:
        text = face.read_key(request.headers)
        address = self.addresses.of(peer, request.headers)
        self.failed_keys.check(address, text)
        try:
            key = await self.authenticator.find(text)
        except Unauthorized:
            self.failed_keys.failed(address)
            raise
        self.failed_keys.good(text)
        return key

    def _throttle(self, face: Face, key: ApiKey, told: dict[str, Any]) -> None:
        try:
            told["throttle"] = face.throttle_headers(*self.rate_limiter.count(key.id, key.rate_limit))
        except Refusal as refusal:
            limit = key.rate_limit or self.rate_limiter.default
            told["throttle"] = face.throttle_headers(limit, 0, refusal.retry_after_s or 60)
            raise

    async def _remembered(self, route: Route, request: Request) -> Reply:
        """The handler's answer; with an Idempotency-Key the first answer that key got, whoever waits for it."""
        sent = request.headers.get("idempotency-key")
        if sent is None or not route.write:
            return await route.handler(request)
        if not _MEMO_KEY.fullmatch(sent):
            raise BadHeader(
                "the Idempotency-Key must be 1 to 255 printable ASCII characters without blanks",
                field="Idempotency-Key",
            )
        account_id = request.who.account_id
        request.memo_key = f"{request.who.mode:d}:{sent}"
        request.fingerprint = hashlib.sha256(
            b"\0".join((request.method.encode(), request.path.encode(), request.raw_query, request.body))
        ).digest()
        async with self._memo_lock(account_id, request.memo_key):
            found = await self.store.find_answer(account_id, request.memo_key)
            if found is not None:
                return _replay(found, request)
            try:
                reply = await route.handler(request)
            except (AlreadyRemembered, Refusal):  # another process was faster, and its effect may stand in our way
                found = await self.store.find_answer(account_id, request.memo_key)
                if found is None:
                    raise
                return _replay(found, request)
            if not request.memo_taken and reply.status < 400:
                await self.store.keep_answer(account_id, request.memo_key, request.fingerprint, reply.answer)
            return reply

    @asynccontextmanager
    async def _memo_lock(self, account_id: int, key: str) -> Any:
        """One request at a time per key in this process; across processes the ledger's unique key does it."""
        lock = self._memo_locks.setdefault((account_id, key), asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not getattr(lock, "_waiters", None):
                self._memo_locks.pop((account_id, key), None)

    def _tell(self, face: Face, request: Request, reply: Reply, started: float, told: dict[str, Any]) -> None:
        seconds = time.perf_counter() - started
        if self.record is not None:  # after the answer; keeps a copy of a few kilobytes, or forgets it under load
            self.record(face.name, request, reply, seconds, told)
        route = f"{face.prefix}{told.pop('route', '*')}"
        observe.count_answer(route, request.method, reply.status, seconds)
        if self.access_log:
            observe.tell_answer(
                {
                    "request_id": request.request_id,
                    "contract": face.name,
                    "method": request.method,
                    "route": route,
                    "status": reply.status,
                    "took_ms": round(seconds * 1000, 2),
                    **told,
                }
            )


def _request(scope: Scope) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = value if name not in headers else f"{headers[name]}, {value}"
    own = headers.get("x-request-id", "")
    return Request(
        method=scope["method"],
        path=scope["path"],
        raw_query=scope["query_string"],
        headers=headers,
        body=b"",
        request_id=own if _REQUEST_ID.fullmatch(own) else f"req_{getrandbits(128):032x}",
        now=time.time_ns() // 1000,
        base_url=f"{scope['scheme']}://{headers.get('host', '')}{scope.get('root_path', '')}",
    )


def _check_media(face: Face, request: Request) -> None:
    """Raises UnsupportedMedia, NotAcceptable, by what the face says of media types."""
    if face.media == "any":
        return
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if face.media == "json":
        if request.method in ("POST", "PUT", "PATCH") and kind and kind != "application/json":
            raise UnsupportedMedia(f'Unsupported media type "{kind[:100]}" in request.', hint="send application/json")
        accept = request.headers.get("accept", "")
        if accept and not any(word in accept for word in ("*/*", "application/*", "application/json")):
            raise NotAcceptable("Could not satisfy the request Accept header.")
    elif kind.startswith(_FORMS):
        raise UnsupportedMedia(f"the content type {kind[:100]} is not read here", hint="send application/json")


def _refuse(face: Face, refusal: Refusal, request: Request) -> Reply:
    reply = face.write_refusal(refusal, request)
    extra: tuple[tuple[str, str], ...] = ()
    if isinstance(refusal, MethodNotAllowed) and refusal.allowed:
        extra += (("allow", ", ".join(refusal.allowed)),)
    names = {name for name, _ in reply.headers}
    if refusal.retry_after_s is not None and "retry-after" not in names:
        extra += (("retry-after", str(refusal.retry_after_s)),)
    return Reply(reply.status, reply.body, reply.content_type, reply.headers + extra)


def _fault(face: Face, request: Request) -> Reply:
    """We failed: in the face's own form, with nothing of the inside."""
    reply = face.write_refusal(Failed(), request)
    return Reply(500, reply.body, reply.content_type, reply.headers)


def _replay(found: Remembered, request: Request) -> Reply:
    if found.fingerprint != request.fingerprint:
        raise KeyReused
    answer = found.answer
    return Reply(answer.status, answer.body, answer.content_type, (*answer.headers, ("idempotent-replayed", "true")))


async def _send(
    send: Send, reply: Reply, request_id: str, *, extra: tuple[tuple[str, str], ...] = (), head: bool = False
) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers + extra]
    if reply.body or reply.status not in (204, 304):
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
        if reply.stream is None:
            headers.append((b"content-length", str(len(reply.body)).encode()))
    if request_id:
        headers.append((b"x-request-id", request_id.encode()))
    headers.append((b"x-content-type-options", b"nosniff"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.stream is None or head:
        await send({"type": "http.response.body", "body": b"" if head else reply.body})
        return
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
    async for part in reply.stream():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
