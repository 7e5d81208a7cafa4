"""Refusals, operations and pages -> Karrio's JSON. Pure. (One order: normal.py.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Batch, BatchStatus, Item, OutcomeKind, Problem
from ordermill.core.errors import (
    Conflict,
    Duplicate,
    Forbidden,
    Invalid,
    KeyReused,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Overloaded,
    Refusal,
    TooLarge,
    TooMany,
    TooOften,
    Unauthorized,
    Unreadable,
    UnsupportedMedia,
)
from ordermill.core.order import Mode
from ordermill.dialects.karrio import wire
from ordermill.dialects.karrio.queries import Paging
from ordermill.dialects.reading import moment
from ordermill.web.http import Reply, Request

# Contract, section 2. Where the contract has no case of its own: Django REST framework's word for it.
ERRORS: dict[type[Refusal], tuple[int, str]] = {
    Unreadable: (400, "parse_error"),
    TooLarge: (413, "request_too_large"),
    TooMany: (400, "validation"),
    Invalid: (400, "validation"),
    Unauthorized: (401, "not_authenticated"),
    Forbidden: (403, "permission_denied"),
    NotFound: (404, "not_found"),
    MethodNotAllowed: (405, "method_not_allowed"),
    UnsupportedMedia: (415, "unsupported_media_type"),
    NotAcceptable: (406, "not_acceptable"),
    Conflict: (409, "state_error"),
    Duplicate: (409, "duplicate_order_id"),
    KeyReused: (422, "idempotency_key_reused"),
    TooOften: (429, "throttled"),
    Overloaded: (503, "service_unavailable"),
}
_FAILED = OutcomeKind.FAILED  # a name of the module is found five times faster than a member of an enum
SCHEMES = ("token", "basic")  # in which a key is taken (contract, section 1)
PROBLEMS_TOLD_MAX = 100  # of one refused request

ITEM_STATUS = {
    OutcomeKind.WAITING: "queued",
    OutcomeKind.CREATED: "completed",
    OutcomeKind.UPDATED: "completed",
    OutcomeKind.UNCHANGED: "completed",
    OutcomeKind.STALE: "completed",
    OutcomeKind.FAILED: "failed",
}

Headers = tuple[tuple[str, str], ...]
_encode = msgspec.json.encode


def write_refusal(refusal: Refusal, request: Request) -> Reply:
    """`{"errors": [{message, code, details}]}`: one entry per field where fields are at fault, else one."""
    status, code = next((ERRORS[kind] for kind in type(refusal).__mro__ if kind in ERRORS), (400, "error"))
    problems = refusal.problems[:PROBLEMS_TOLD_MAX]
    if problems and problems[0].code == "duplicate_reference":
        status, code = ERRORS[Duplicate]
    elif problems and status == 400:
        errors = [_error(path, " ".join(texts), code, texts) for path, texts in describe(problems).items()]
        return _errors(status, errors, request)
    hint = refusal.hint
    if isinstance(refusal, Unauthorized) and "authorization" in request.headers:
        code = "invalid_token"
        if request.headers["authorization"].partition(" ")[0].lower() not in SCHEMES:
            hint = "send it as `Authorization: Token <key>`"
    message = _with_hint(refusal.message, hint)
    if type(refusal) is Unreadable:
        message = f"JSON parse error - {message.removeprefix('the body is not valid JSON: ')}"
    path = refusal.field if code == "validation" else ""
    return _errors(status, [_error(path, message, code, [message])], request)


def _error(path: str, message: str, code: str, texts: list[str]) -> wire.Error:
    if not path:
        return wire.Error(message=message, code=code, details={})
    return wire.Error(message=f"{path}: {message}", code=code, details={path: texts})


def _errors(status: int, errors: list[wire.Error], request: Request) -> Reply:
    headers: Headers = () if request.sender is None else test_mode(request.sender.mode)
    if status == 401:
        headers += (("www-authenticate", "Token"),)
    return Reply(status, _encode(wire.Errors(errors=errors)), headers=headers)


def describe(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Path -> texts, in the order found."""
    said: dict[str, list[str]] = {}
    for problem in problems:
        text = _with_hint(problem.message, problem.hint)
        said.setdefault(problem.field or "non_field_errors", []).append(text)
    return said


def _with_hint(message: str, hint: str) -> str:
    if not hint:
        return message
    return f"{message} {hint}" if message.endswith(".") else f"{message}; {hint}"


def test_mode(mode: Mode) -> Headers:
    """Which of the two worlds the answer is about (contract, section 1)."""
    return (("x-test-mode", str(mode is Mode.TEST)),)


def throttle_headers(limit: int, remaining: int, reset_s: int) -> Headers:
    """The contract has none but Retry-After on a 429 (the guard's); these are the usual names."""
    return (
        ("x-ratelimit-limit", str(limit)),
        ("x-ratelimit-remaining", str(remaining)),
        ("x-ratelimit-reset", str(reset_s)),
    )


def write_batch(batch: Batch, items: Iterable[Item]) -> bytes:
    """BatchOperation, its resources in request order (contract, section 3)."""
    return write_operation(batch, [write_resource(batch, item) for item in items])


def write_operation(batch: Batch, resources: Sequence[wire.Resource]) -> bytes:
    """BatchOperation around resources that are written already."""
    # The contract has no word for a cancelled import.
    status = BatchStatus.FAILED if batch.status is BatchStatus.CANCELLED else batch.status
    return _encode(
        wire.Operation(
            id=ids.spell("batch", batch.account_id, batch.mode, batch.id),
            status=status.value,
            resource_type="orders",
            resources=list(resources),
            created_at=utc(batch.created_at),
            updated_at=utc(batch.updated_at),
            test_mode=batch.mode is Mode.TEST,
        )
    )


def write_resource(batch: Batch, item: Item) -> wire.Resource:
    """One order's place: the id of the order, or of the place itself where there is no order."""
    number = item.id if item.order_id is None else item.order_id
    return wire.Resource(
        id=ids.spell("ord", batch.account_id, batch.mode, number),
        status=ITEM_STATUS[item.outcome],
        errors=describe(item.problems) if item.outcome is _FAILED else None,
    )


def write_page(results: Sequence[bytes], count: int, paging: Paging, url: str) -> bytes:
    """A page with its links (contract, section 4). `url`: absolute, without a query."""
    following, before = paging.links(url, count)
    return _encode(wire.Listed(count=count, next=following, previous=before, results=[msgspec.Raw(r) for r in results]))


def utc(micros: int) -> str:
    """`2024-07-29T15:51:28.071000Z`."""
    return moment(micros).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
