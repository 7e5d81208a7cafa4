"""How our own API says no: RFC 9457 problem details with a stable code, the field, a hint, and every single problem."""

from __future__ import annotations

import msgspec

from ordermill.core import errors
from ordermill.core.batch import Problem
from ordermill.web.http import Reply, Request
from ordermill.web.shapes import Fault, ProblemDetails

MEDIA = "application/problem+json"
TYPE = "urn:ordermill:problem:"  # followed by the code; docs/errors.md says what each one means
FAULTS_TOLD_MAX = 100

# Refusal -> (HTTP status, title). The code is the refusal's own.
ERRORS: dict[type[errors.Refusal], tuple[int, str]] = {
    errors.Unreadable: (400, "The request cannot be read"),
    errors.TooLarge: (413, "The request is too large"),
    errors.TooMany: (413, "Too many orders in one request"),
    errors.Invalid: (422, "The content is not acceptable"),
    errors.Unauthorized: (401, "No valid key"),
    errors.Forbidden: (403, "This key may not do that"),
    errors.NotFound: (404, "Not found"),
    errors.MethodNotAllowed: (405, "Another method is needed"),
    errors.UnsupportedMedia: (415, "Content type not supported"),
    errors.NotAcceptable: (406, "No such form of answer"),
    errors.Conflict: (409, "The present state does not allow that"),
    errors.Duplicate: (409, "It exists already"),
    errors.KeyReused: (422, "Idempotency-Key used before"),
    errors.TooOften: (429, "Too many requests"),
    errors.Overloaded: (503, "Come back later"),
    errors.Failed: (500, "The server failed"),
}

_encode = msgspec.json.encode


def write_refusal(refusal: errors.Refusal, request: Request) -> Reply:
    """The refusal as problem details. All problems of the request stand in `errors`, the first 100 of them."""
    status, title = next((ERRORS[kind] for kind in type(refusal).__mro__ if kind in ERRORS), (400, "Refused"))
    details = ProblemDetails(
        type=TYPE + refusal.code,
        title=title,
        status=status,
        detail=refusal.message,
        code=refusal.code,
        field=refusal.field,
        hint=refusal.hint,
        errors=[write_fault(problem) for problem in refusal.problems[:FAULTS_TOLD_MAX]],
        request_id=request.request_id,
    )
    headers = (("www-authenticate", "Bearer"),) if status == 401 else ()
    return Reply(status, _encode(details), MEDIA, headers)


def write_fault(problem: Problem) -> Fault:
    return Fault(
        code=problem.code, field=problem.field, message=problem.message, hint=problem.hint, value=problem.value
    )


def throttle_headers(limit: int, remaining: int, reset_s: int) -> tuple[tuple[str, str], ...]:
    """RateLimit fields, as the IETF drafts before the structured ones named them: what generic clients know."""
    return (
        ("ratelimit-limit", str(limit)),
        ("ratelimit-remaining", str(remaining)),
        ("ratelimit-reset", str(reset_s)),
    )
