"""What a client does, without doing it: calls to make, waits to keep, and when to try again.

A conversation is a generator: it yields a Call (and is sent the Answer) or a Wait (and is sent nothing), and returns
its result. A driver, blocking or not, does what is asked. So both clients behave alike, and all of it is tested without
a socket.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

T = TypeVar("T")

RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504))
TRIES = 6
WAIT_FIRST_S = 0.5
WAIT_MAX_S = 60.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. `path` begins with a slash and stands behind the server's address."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_s: float = 60.0


class Answer(msgspec.Struct, frozen=True):
    """What came back. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self, kind: Any = Any) -> Any:
        return msgspec.json.decode(self.body, type=kind)


class Wait(msgspec.Struct, frozen=True):
    """Nothing is to be done for so long."""

    seconds: float


class ClientError(Exception):
    """Anything that keeps a call from being answered as it should."""


class Unreachable(ClientError):
    """The server could not be reached, or did not answer in time. The call may have had its effect."""


class Refused(ClientError):
    """The server said no. `errors`: all that is wrong, as the server tells it."""

    def __init__(self, status: int, code: str, message: str, *, hint: str = "", errors: tuple[Any, ...] = ()) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.errors = errors
        super().__init__(f"{message} (HTTP {status}, {code})" + (f"; {hint}" if hint else ""))


Conversation = Generator[Call | Wait, Answer | None, T]


def exchange(call: Call, *, repeatable: bool | None = None, tries: int = TRIES) -> Conversation[Answer]:
    """The answer to a call, tried again while that makes sense. Raises Unreachable after the last try.

    `repeatable`: whether a call whose answer was lost may be sent again; unless told, when it changes nothing or has
    an Idempotency-Key. A call that was answered with "come back later" may always.
    """
    if repeatable is None:
        names = {name.lower() for name, _ in call.headers}
        repeatable = call.method in ("GET", "HEAD", "PUT", "DELETE") or "idempotency-key" in names
    for attempt in range(1, tries + 1):
        try:
            answer = yield call
        except Unreachable:
            if not repeatable or attempt == tries:
                raise
            yield Wait(backoff_s(attempt))
            continue
        assert answer is not None
        later = answer.status in (429, 503) or (repeatable and answer.status in RETRIED)
        if not later or attempt == tries:
            return answer
        wait = asked_wait_s(answer.headers)
        yield Wait(backoff_s(attempt) if wait is None else min(wait, 3600.0))
    raise AssertionError("unreachable")


def backoff_s(attempt: int) -> float:
    """Doubling, with as much chance in it as keeps many clients apart."""
    doubled: float = min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** (attempt - 1))
    return doubled * (0.5 + random.random() / 2)


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait: Retry-After in seconds or as a date, or x-sib-ratelimit-reset."""
    said = headers.get("retry-after", "").strip()
    if said:
        try:
            return max(0.0, float(said))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
        except (ValueError, TypeError):
            pass
    if headers.get("x-sib-ratelimit-remaining") == "0":
        try:
            return max(0.0, float(headers.get("x-sib-ratelimit-reset", "")))
        except ValueError:
            pass
    return None


def new_key() -> str:
    """An Idempotency-Key of one's own."""
    return uuid4().hex


def refused(answer: Answer) -> Refused:
    """A refusal, in whichever of the known forms it is told."""
    try:
        said = answer.json()
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    if not isinstance(said, dict):
        return Refused(answer.status, "http", answer.body[:200].decode("utf-8", "replace") or f"HTTP {answer.status}")
    message = said.get("detail") or said.get("message") or said.get("msg") or ""
    errors = said.get("errors") or ()
    if not message and errors and isinstance(errors, list) and isinstance(errors[0], dict):
        message = errors[0].get("message", "")
    code = str(said.get("code") or "refused")
    listed = tuple(errors) if isinstance(errors, list) else (errors,)
    return Refused(
        answer.status, code, str(message) or f"HTTP {answer.status}", hint=str(said.get("hint") or ""), errors=listed
    )
