"""Calls of the mounted APIs from within: the very handler a client would meet, on behalf of a session, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.errors import Conflict, Forbidden, Invalid, MethodNotAllowed, NotFound, Refusal
from ordermill.core.order import Mode
from ordermill.core.watching import Session
from ordermill.web.face import Face, Router
from ordermill.web.http import Reply, Request

KEY_ID = "console"
OURS = "/api/v1"


class Inside:
    """Finds the face of a path and calls its handler. `record` is told of every call that may change something."""

    def __init__(self, faces: Sequence[Face], clock: Callable[[], int], record: Callable[..., None]) -> None:
        self.faces = [(face, Router(face)) for face in faces]
        self.clock = clock
        self.record = record

    def has(self, method: str, path: str) -> bool:
        """Whether there is such a call, so that a page can leave out what this server cannot do."""
        try:
            self._find(method, path)
        except (NotFound, MethodNotAllowed):
            return False
        return True

    async def call(
        self,
        session: Session,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        mode: Mode | None = None,
        stream: AsyncIterator[bytes] | None = None,
        request_id: str = "",
    ) -> Reply:
        """What the contract answers, its refusals included. `request_id`: under what it stands in the log."""
        face, router = self._find(method, path)
        started = self.clock()
        request = Request(
            method=method,
            path=path,
            raw_query=urlencode(dict(query or {})).encode(),
            headers={"content-type": "application/json", **(headers or {})},
            body=body,
            request_id=request_id or uuid4().hex,
            now=started,
            sender=sender_of(session, mode),
            stream=stream,
        )
        request.sender = msgspec.structs.replace(request.who, request_id=request.request_id)
        told: dict[str, Any] = {"account_id": session.account_id, "key_id": request.who.key_id}
        try:
            route, request.params = router.find(method, path)
            if not session.allows(route.scope):
                raise Forbidden(f"this session may not do that: it lacks the scope {route.scope}")
            reply = await route.handler(request)
        except Refusal as refusal:
            told["refusal"] = refusal.code
            reply = face.write_refusal(refusal, request)
        if method != "GET":  # what the console reads for its own pages is nobody's request
            self.record(face.name, request, reply, (self.clock() - started) / 1_000_000, told)
        return reply

    async def ask(
        self,
        session: Session,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        mode: Mode | None = None,
        stream: AsyncIterator[bytes] | None = None,
    ) -> Any:
        """A call of our own API: its answer as plain values. Raises the Refusal that the answer tells of."""
        sent = b"" if body is None else msgspec.json.encode(body)
        reply = await self.call(session, method, OURS + path, sent, query=query, mode=mode, stream=stream)
        if reply.status >= 400:
            raise _refusal(reply)
        return msgspec.json.decode(reply.body) if reply.body else None

    def _find(self, method: str, path: str) -> tuple[Face, Router]:
        for face, router in self.faces:
            if path.startswith(face.prefix) and path[len(face.prefix) : len(face.prefix) + 1] in ("", "/"):
                router.find(method, path)
                return face, router
        raise NotFound(f"there is nothing at {path[:200]}")


def sender_of(session: Session, mode: Mode | None = None) -> Sender:
    return Sender(
        account_id=session.account_id,
        mode=session.mode if mode is None else mode,
        key_id=session.key_id or KEY_ID,
    )


def _refusal(reply: Reply) -> Refusal:
    try:
        told = msgspec.json.decode(reply.body)
        message, hint = str(told.get("detail") or told.get("title")), str(told.get("hint") or "")
    except (msgspec.DecodeError, AttributeError):
        message, hint = f"answered with {reply.status}", ""
    kinds: dict[int, type[Refusal]] = {403: Forbidden, 404: NotFound, 409: Conflict}
    return kinds.get(reply.status, Invalid)(message, hint=hint)
