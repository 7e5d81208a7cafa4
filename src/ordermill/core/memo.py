"""Idempotency: the first answer to a key is remembered with the effect it tells of, and given again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ordermill.core.batch import Settled

KEPT_S = 24 * 3600


class Answer(msgspec.Struct, frozen=True):
    """What was answered: HTTP status, content type, body, and the headers that belong to it (lower-case names)."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Remembered(msgspec.Struct, frozen=True):
    """An answer that was given to a key, and what the request was made of."""

    fingerprint: bytes
    answer: Answer
    created_at: int


class Memo(msgspec.Struct, frozen=True):
    """What to remember with a submission: the client's key, the request's fingerprint, how its answer is written.

    `answer` is called inside the transaction, so that effect and answer become durable together.
    """

    key: str
    fingerprint: bytes
    answer: Callable[[Settled], Answer]


class AlreadyRemembered(Exception):
    """Somebody else settled the same key first: look the answer up and give that one."""
