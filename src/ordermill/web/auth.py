"""From a key to a Sender: looked up by id, compared in constant time, remembered for a few seconds."""

from __future__ import annotations

import time
from typing import Protocol

from ordermill.core.account import ApiKey, matches, take_apart
from ordermill.core.batch import Sender
from ordermill.core.errors import Forbidden, Unauthorized

REMEMBERED_S = 3.0  # a revoked key works at most this much longer, on every process
REMEMBERED_MAX = 10_000


class KeyStore(Protocol):
    """What is needed of the ledger."""

    async def find_key(self, key_id: str) -> ApiKey | None: ...

    async def touch_keys(self, used: dict[tuple[int, str], int]) -> None: ...


class Authenticator:
    """Knows who sends. `used` gathers when keys were last used, for the upkeep to write down now and then."""

    def __init__(self, store: KeyStore) -> None:
        self.store = store
        self.used: dict[tuple[int, str], int] = {}
        self._known: dict[str, tuple[float, ApiKey | None]] = {}

    async def find(self, text: str | None) -> ApiKey:
        """The valid key behind the text. Raises Unauthorized, always with the same words and work."""
        if not text:
            raise Unauthorized("no API key was sent")
        presented = take_apart(text)
        key = await self._look_up(presented.id)
        now = time.time_ns() // 1000
        if not matches(presented, key) or key is None or not key.valid_at(now):
            raise Unauthorized("the API key is not known here")
        self.used[(key.account_id, key.id)] = now
        return key

    async def _look_up(self, key_id: str) -> ApiKey | None:
        now = time.monotonic()
        entry = self._known.get(key_id)
        if entry is not None and entry[0] > now:
            return entry[1]
        key = await self.store.find_key(key_id)
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[key_id] = (now + REMEMBERED_S, key)
        return key

    def forget(self) -> None:
        """After a key was changed here: the next request looks again."""
        self._known.clear()

    async def write_down(self) -> None:
        """Notes the last uses."""
        used, self.used = self.used, {}
        if used:
            await self.store.touch_keys(used)


def sender_of(key: ApiKey, request_id: str) -> Sender:
    return Sender(account_id=key.account_id, mode=key.mode, key_id=key.id, request_id=request_id)


def require(key: ApiKey, scope: str) -> None:
    """Raises Forbidden when the key's scopes do not hold that one."""
    if scope and not key.allows(scope):
        raise Forbidden(f"this key may not do that: it lacks the scope {scope}", hint="use a key with that scope")
