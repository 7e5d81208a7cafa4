"""Why a whole request is refused: one small tree of Refusals, each with a stable code.

    Refusal
    ├── Unreadable            the body is not what the contract asks for           (400-ish)
    │   ├── TooLarge          more bytes than the limit                            (413-ish)
    │   └── TooMany           more orders than the limit
    ├── Invalid               readable, but its content is not acceptable; carries the Problems
    │   └── BadHeader         a header of the request has a value that cannot be meant
    ├── Unauthorized          no key, or a key nobody knows
    ├── Forbidden             the key may not do this
    ├── NotFound              nothing under that name that this key may see
    ├── MethodNotAllowed      the path exists, the verb does not
    ├── UnsupportedMedia      the request is in a form that is not read here
    ├── NotAcceptable         the answer is wanted in a form that is not written here
    ├── Conflict              the state of what is there does not allow it
    │   └── Duplicate         it exists already
    ├── KeyReused             an Idempotency-Key was sent before with another body
    ├── TooOften              a rate limit was passed; says when to come back
    └── Overloaded            the house is full or leaving; says when to come back

A Problem (core.batch) is why ONE order is refused and is a value, not an exception.
Everything else that is raised is a Fault: ours, never the merchant's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ordermill.core.batch import Problem


class Refusal(Exception):
    """The request cannot be accepted."""

    code: ClassVar[str] = "refused"

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str = "",
        hint: str = "",
        problems: tuple[Problem, ...] = (),
        retry_after_s: int | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.field = field
        self.hint = hint
        self.problems = problems
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class Unreadable(Refusal):
    """The body cannot be read."""

    code = "unreadable"


class TooLarge(Unreadable):
    """The body is larger than the limit."""

    code = "too_large"


class TooMany(Unreadable):
    """The request holds more orders than the limit."""

    code = "too_many"


class Invalid(Refusal):
    """The content is not acceptable."""

    code = "invalid"


class BadHeader(Invalid):
    """A header of the request has a value that cannot be meant."""


class Unauthorized(Refusal):
    """No valid API key was sent."""

    code = "unauthorized"


class Forbidden(Refusal):
    """This key may not do that."""

    code = "forbidden"


class NotFound(Refusal):
    """There is nothing under that name."""

    code = "not_found"


class MethodNotAllowed(Refusal):
    """This path does not answer to that method."""

    code = "method_not_allowed"

    def __init__(self, message: str | None = None, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class UnsupportedMedia(Refusal):
    """The request body has a content type or coding that is not read here."""

    code = "unsupported_media"


class NotAcceptable(Refusal):
    """Answers are written as JSON only."""

    code = "not_acceptable"


class Conflict(Refusal):
    """The present state does not allow that."""

    code = "conflict"


class Duplicate(Conflict):
    """It exists already."""

    code = "duplicate"


class KeyReused(Refusal):
    """This Idempotency-Key was used before with another request."""

    code = "key_reused"


class TooOften(Refusal):
    """Too many requests; come back later."""

    code = "too_often"


class Overloaded(Refusal):
    """The server cannot take this now; come back later."""

    code = "overloaded"


class Failed(Overloaded):
    """The server failed to answer this; nothing was stored."""

    code = "fault"


REFUSALS: tuple[type[Refusal], ...] = (
    Unreadable, TooLarge, TooMany, Invalid, Unauthorized, Forbidden, NotFound, MethodNotAllowed,
    UnsupportedMedia, NotAcceptable, Conflict, Duplicate, KeyReused, TooOften, Overloaded,
)  # fmt: skip
