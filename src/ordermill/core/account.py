"""Accounts and the keys that speak for them: how a key is made, hashed and compared."""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets

import msgspec

from ordermill.core.order import Mode

DEFAULT_ACCOUNT = "default"
DEFAULT_ACCOUNT_ID = 1
IMPORTED_LENGTH_MIN = 16
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Scope(enum.Enum):
    """What a key may do. ADMIN includes the others."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


DEFAULT_SCOPES = (Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.WEBHOOKS)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends. `notify_secret` signs what goes to one-off addresses; until then the one before it signs as well."""

    id: int
    name: str
    notify_secret: str
    created_at: int
    old_notify_secret_until: int | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the ledger knows it: never its secret, only the SHA-256 of it. Instants are µs since 1970 UTC.

    `hint`: the last four characters, to tell keys apart. `rate_limit`: requests a minute, None for no limit.
    """

    account_id: int
    id: str
    name: str
    mode: Mode
    scopes: tuple[Scope, ...]
    secret_hash: bytes
    hint: str
    rate_limit: int | None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def valid_at(self, now: int) -> bool:
        """Neither revoked nor expired at that instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: str) -> bool:
        return any(own.value == scope or own is Scope.ADMIN for own in self.scopes)


class PresentedKey(msgspec.Struct, frozen=True):
    """A key as it was sent, taken apart: under which id to look it up, and what its secret hashes to."""

    id: str
    secret_hash: bytes


def make_key(mode: Mode) -> str:
    """`omk_live_<8 characters>_<43 characters>`: 40 bits to be found by, 256 bits to be believed by."""
    word = "test" if mode is Mode.TEST else "live"
    lookup = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"omk_{word}_{lookup}_{secrets.token_urlsafe(32)}"


def take_apart(text: str) -> PresentedKey:
    """How a key is looked up. Our own carry their id; one that was made elsewhere is found by a hash of itself."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    parts = text.split("_", 3)
    if len(parts) == 4 and parts[0] == "omk" and parts[1] in ("live", "test") and len(parts[2]) == 8:
        return PresentedKey(parts[2], hashlib.sha256(parts[3].encode("utf-8", "surrogatepass")).digest())
    return PresentedKey("x" + digest.hexdigest()[:24], digest.digest())


def matches(presented: PresentedKey, key: ApiKey | None) -> bool:
    """Compares in constant time; an unknown id costs as much as a known one with another secret."""
    expected = key.secret_hash if key is not None else bytes(32)
    return hmac.compare_digest(presented.secret_hash, expected) and key is not None
