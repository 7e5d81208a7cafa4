"""Who keeps sending keys that nobody knows is told to wait: failures are counted per address and minute."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Mapping

from ordermill.core.errors import TooOften

WINDOW_S = 60
ADDRESSES_MAX = 50_000
GOOD_MAX = 10_000
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class FailedKeys:
    """`limit`: failures a minute from one address, 0 for any number. Counted in this process.

    Beyond it a key is not even looked up, unless it was good before: whoever shares an address (a proxy, an office)
    with somebody who guesses is not locked out.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._window = 0
        self._failures: dict[str, int] = {}
        self._good: set[int] = set()  # hashes of keys, salted per process: no secret is held

    def check(self, address: str, key: str | None) -> None:
        """Raises TooOften before a key is looked at."""
        if not self.limit or not self._failures:
            return
        now = time.time()
        if int(now // WINDOW_S) != self._window:
            self._failures.clear()
            return
        if self._failures.get(address, 0) >= self.limit and hash(key) not in self._good:
            raise TooOften("too many unknown keys came from this address", retry_after_s=WINDOW_S - int(now % WINDOW_S))

    def failed(self, address: str) -> None:
        """One more from there."""
        if not self.limit:
            return
        window = int(time.time() // WINDOW_S)
        if window != self._window or len(self._failures) >= ADDRESSES_MAX:
            self._window = window
            self._failures.clear()
        self._failures[address] = self._failures.get(address, 0) + 1

    def good(self, key: str | None) -> None:
        """This one is known, so it is heard whatever else comes from its address."""
        if key is None or not self.limit:
            return
        if len(self._good) >= GOOD_MAX:
            self._good.clear()
        self._good.add(hash(key))


class Addresses:
    """Where a request comes from: the peer, or what a trusted proxy says of it."""

    def __init__(self, trusted: str) -> None:
        self.trusted: list[Network] = [
            ipaddress.ip_network(word.strip(), strict=False) for word in trusted.split(",") if word.strip()
        ]

    def of(self, peer: str, headers: Mapping[str, str]) -> str:
        """The right-most address of X-Forwarded-For that is no trusted proxy itself."""
        if not self.trusted or not self._is_trusted(peer):
            return peer
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            if hop.strip() and not self._is_trusted(hop.strip()):
                return hop.strip()[:64]
        return peer

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in _of_version(self.trusted, address.version))


def _of_version(networks: Iterable[Network], version: int) -> Iterable[Network]:
    return (network for network in networks if network.version == version)
