"""What our own API says of keys and accounts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ordermill.web.shapes import Instant, ModeWord, NoControl, ScopeWord, Shape


class Key(Shape, kw_only=True):
    """A key, never its secret. `hint`: its last four characters."""

    id: str
    name: str
    mode: ModeWord
    scopes: list[ScopeWord]
    hint: str
    rate_limit: int | None
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class MadeKey(Key, kw_only=True):
    """A new key with its secret, which is shown this once and kept nowhere."""

    key: str


Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=NoControl)]
Rate = Annotated[int, Meta(ge=1, le=1_000_000, description="Requests a minute.")]


class NewKey(Shape, kw_only=True, forbid_unknown_fields=True):
    """`mode` and `account`: those of the key that asks, unless told."""

    name: Name
    mode: ModeWord | None = None
    scopes: Annotated[list[ScopeWord], Meta(min_length=1, max_length=10)] | None = None
    rate_limit: Rate | None = None
    expires_at: Instant | None = None
    account: Name | None = None


class Rotation(Shape, kw_only=True, forbid_unknown_fields=True):
    """How long the old key goes on beside the new one."""

    overlap_hours: Annotated[int, Meta(ge=0, le=24 * 90)] = 24


class Rotated(Shape, kw_only=True):
    """`made` replaces `old`, which ends at its `expiresAt`."""

    made: MadeKey
    old: Key


class Account(Shape, kw_only=True):
    id: str
    name: str
    created_at: Instant


class NewAccount(Shape, kw_only=True, forbid_unknown_fields=True):
    name: Name
