"""Which addresses events may go to: one strict reading of a URL, and our own tables of what is not the open internet.

The same guard serves saving, testing and delivering. The check that counts is made on the very address that is dialled
(`Guard.open_socket`): a name may answer one thing when it is asked and another when it is called.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import quote

import msgspec

from ordermill.core.errors import Invalid

SETTING = "ORDERMILL_WEBHOOK_ALLOW"
URL_CHARS_MAX = 2_048
LOOK_UP_S = 3.0
LOOK_UPS_MAX = 96

IPv4 = ipaddress.IPv4Network
IPv6 = ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The standard library's is_global differs between its versions and lets NAT64, 6to4 and more through; so: our own.
_DENIED_V4 = tuple(
    IPv4(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
)  # fmt: skip
_PUBLIC_V6 = IPv6("2000::/3")
_DENIED_V6 = tuple(
    IPv6(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)  # fmt: skip
# Where clouds tell a machine its own credentials: never by a range, only when named one by one.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")
)
# Ports of other protocols, which a POST could be made to speak to (mail, shells, databases), after the Fetch standard.
_DENIED_PORTS = frozenset(
    (
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
        110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
        531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
        5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211,
    )
)  # fmt: skip
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F))

Resolve = Callable[[str, int], Awaitable[Sequence[Any]]]


class Refused(Exception):
    """The address that would be dialled is not one events may go to."""


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart and put together again. `url` is what is called: no fragment, no second reading possible."""

    scheme: str
    host: str
    port: int
    url: str

    @property
    def literal(self) -> Address | None:
        """The host's address, where the host is one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@lru_cache(maxsize=4096)  # the same few addresses are called again and again
def read_url(text: str, *, field: str = "url") -> Target:
    """The one reading of a URL. Raises Invalid with what to do about it; never anything else."""

    def no(message: str, hint: str = "") -> Invalid:
        return Invalid(message, field=field, hint=hint)

    if not isinstance(text, str) or not text or len(text) > URL_CHARS_MAX:
        raise no(f"the URL must be a text of 1 to {URL_CHARS_MAX} characters")
    if any(char <= " " or char == "\x7f" for char in text):
        raise no("the URL holds a blank or a control character", "percent-encode it")
    match = _URL.fullmatch(text)
    if match is None:
        raise no("the URL must start with http:// or https://")
    scheme, authority, rest = match[1].lower(), match[2], match[3]
    if not authority.isascii():
        raise no("the host is not plain ASCII", "write it in its xn-- form")
    if "@" in authority:
        raise no("the URL must not hold a user name or password", "the signature tells who sends")
    if "\\" in authority or "%" in authority:
        raise no("the host of the URL cannot be read")
    host, port = _read_authority(authority.lower(), scheme, no)
    path = rest if rest.startswith("/") else "/" + rest
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == (443 if scheme == "https" else 80) else f"{shown}:{port}"
    # What no request line can carry is percent-encoded; everything else stays as it was written.
    return Target(scheme, host, port, f"{scheme}://{place}{quote(path, safe=_PLAIN, errors='replace')}")


def _read_authority(authority: str, scheme: str, no: Callable[..., Invalid]) -> tuple[str, int]:
    if authority.startswith("["):
        inside, bracket, tail = authority[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise no("the host of the URL cannot be read")
        try:
            host = str(ipaddress.IPv6Address(inside))
        except ValueError:
            raise no("the IPv6 address in the URL cannot be read") from None
        port_text = tail[1:] if tail else None
    else:
        host, colon, after = authority.partition(":")
        port_text = after if colon else None
        _check_name(host, no)
    return host, _read_port(port_text, scheme, no)


def _check_name(host: str, no: Callable[..., Invalid]) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise no("the host of the URL is not a name or an address")
    if _NUMERIC.fullmatch(labels[-1]):
        # Resolvers read 127.1, 2130706433, 0x7f.1 and 0177.0.0.1 as addresses: only the one plain form is taken.
        try:
            plain = str(ipaddress.IPv4Address(host)) == host
        except ValueError:
            plain = False
        if not plain:
            raise no("the host of the URL looks like a number, but is no IPv4 address", "write it as a.b.c.d")


def _read_port(text: str | None, scheme: str, no: Callable[..., Invalid]) -> int:
    if text is None:
        return 443 if scheme == "https" else 80
    if not text.isdecimal() or not text.isascii() or len(text) > 5 or not 0 < int(text) < 65_536:
        raise no("the port of the URL is not a number from 1 to 65535")
    if int(text) in _DENIED_PORTS:
        raise no(f"port {int(text)} belongs to another protocol", "receive webhooks on another port")
    return int(text)


class Guard:
    """The policy: what is open to everybody, plus what the operator allows.

    `allow`: comma list of CIDRs, addresses and host names, each optionally with `:port`; `*.example` allows every name
    below. `own_ports`: ports of this program on this machine, refused on private addresses unless they are named.
    """

    def __init__(
        self,
        allow: str = "",
        *,
        https_only: bool = False,
        own_ports: frozenset[int] = frozenset(),
        resolve: Resolve | None = None,
    ) -> None:
        self.https_only = https_only
        self.own_ports = own_ports
        self.resolve = resolve or look_up
        self._networks: list[tuple[IPv4 | IPv6, int | None]] = []
        self._hosts: set[tuple[str, int | None]] = set()
        for entry in (part.strip().lower() for part in allow.split(",")):
            if entry:
                self._add(entry)

    def _add(self, entry: str) -> None:
        """Raises ValueError for what is neither a network nor a name."""
        try:
            self._networks.append((ipaddress.ip_network(entry, strict=False), None))
            return
        except ValueError:
            pass
        head, colon, tail = entry.rpartition(":")
        port = int(tail) if colon and tail.isdecimal() else None
        name = head.strip("[]") if port is not None else entry
        try:
            self._networks.append((ipaddress.ip_network(name, strict=False), port))
            return
        except ValueError:
            pass
        labels = name.removeprefix("*.").split(".")
        if not all(_LABEL.fullmatch(label) for label in labels) or _NUMERIC.fullmatch(labels[-1]):
            raise ValueError(f"{SETTING}: {entry!r} is neither a network (10.0.0.0/8) nor a host name")
        self._hosts.add((name, port))

    # saving

    async def check_url(self, text: str, *, field: str = "url") -> Target:
        """A URL that may be saved. Raises Invalid, naming the setting to change. A name that cannot be resolved now is
        taken: it may come up later, and is checked when it is called."""
        target = self.read(text, field=field)
        if target.literal is not None:
            addresses = [target.literal]
        elif self.host_allowed(target.host, target.port):
            return target
        else:
            addresses = await self._look_up(target)
        for address in addresses:
            if not self.allows(address, target.port):
                raise Invalid(self.why_not(target.host, address), field=field, hint=self.hint(target.host))
        return target

    def read(self, text: str, *, field: str = "url") -> Target:
        """`read_url` and the https-only switch. Raises Invalid."""
        target = read_url(text, field=field)
        if self.https_only and target.scheme != "https":
            raise Invalid("the URL must start with https://", field=field, hint="ORDERMILL_WEBHOOK_HTTPS_ONLY is on")
        return target

    async def _look_up(self, target: Target) -> list[Address]:
        try:
            found = await asyncio.wait_for(self.resolve(target.host, target.port), LOOK_UP_S)
        except (OSError, TimeoutError, UnicodeError):
            return []
        return [ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in found]

    # dialling

    def host_allowed(self, host: str, port: int) -> bool:
        """Whether the operator named this host: then it may be anywhere (but where clouds keep their credentials)."""
        names = {host, *("*." + host.split(".", depth)[depth] for depth in range(1, host.count(".") + 1))}
        ports = (port,) if port in self.own_ports else (port, None)
        return any((name, one) in self._hosts for name in names for one in ports)

    def allows(self, address: Address, port: int) -> bool:
        """Whether an address may be dialled when only the address is known."""
        address = _unmapped(address)
        if self._listed(address, port):
            return True
        return address not in _METADATA and _open_to_all(address)

    def allows_named(self, address: Address, port: int) -> bool:
        """The same for a host that the operator named."""
        address = _unmapped(address)
        return address not in _METADATA or self._listed(address, port)

    def _listed(self, address: Address, port: int) -> bool:
        for network, only in self._networks:
            if address.version != network.version or address not in network or only not in (None, port):
                continue
            if address in _METADATA and network.num_addresses > 1:
                continue
            if port in self.own_ports and only is None and not _open_to_all(address):
                continue  # our own doors have to be named with their port
            return True
        return False

    def why_not(self, host: str, address: Address) -> str:
        """For the owner of the URL. What a name resolves to inside is nobody's business."""
        if host == str(address):
            return f"{host} is not on the open internet"
        return f"{host} resolves to an address that is not on the open internet"

    def hint(self, host: str) -> str:
        return f"the operator can allow it: {SETTING}={host}"

    def open_socket(self, addr_info: Any) -> socket.socket:
        """For aiohttp's connector: a socket for an address it is about to dial. Raises Refused."""
        return self._open(addr_info, self.allows)

    def open_named_socket(self, addr_info: Any) -> socket.socket:
        """The same for a host that the operator named."""
        return self._open(addr_info, self.allows_named)

    def _open(self, addr_info: Any, allowed: Callable[[Address, int], bool]) -> socket.socket:
        family, kind, proto, _, place = addr_info
        address = ipaddress.ip_address(place[0].partition("%")[0])
        if not allowed(address, place[1]):
            raise Refused(str(address))
        return socket.socket(family=family, type=kind, proto=proto)


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _open_to_all(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _DENIED_V6)


@cache
def _threads() -> ThreadPoolExecutor:
    """Look-ups hang for many seconds when a name server is silent: not in the few threads that everybody shares."""
    return ThreadPoolExecutor(LOOK_UPS_MAX, thread_name_prefix="look-up")


async def look_up(host: str, port: int) -> Sequence[Any]:
    """getaddrinfo for one host, asked anew each time. Raises OSError, UnicodeError."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return await asyncio.get_running_loop().run_in_executor(_threads(), ask)
