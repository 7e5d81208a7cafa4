"""Nothing reaches where it must not: hundreds of addresses and names, none dialled, no fault, one allowed control."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from delivery import hostile_urls
from delivery.house import House
from delivery.receiver import Receiver
from ledgers import order, put, put_one, sender

from ordermill.core.delivery import DeliveryState, Failure
from ordermill.core.delivery_query import NewEndpoint
from ordermill.core.endpoints import Endpoints
from ordermill.core.errors import Invalid
from ordermill.delivery.addressing import Guard, Refused, read_url
from ordermill.delivery.sender import Sender
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
URLS = hostile_urls.urls()
INSIDE = {
    "mixed.example.com": ["93.184.216.34", "127.0.0.1"],
    "six.example.com": ["::1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "nat64.example.com": ["64:ff9b::7f00:1"],
    "metadata.google.internal": ["169.254.169.254"],
}


def addressed(*addresses: str) -> list[Any]:
    """As getaddrinfo answers."""
    found = []
    for text in addresses:
        six = ":" in text
        place = (text, 0, 0, 0) if six else (text, 0)
        found.append((socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM, 6, "", place))
    return found


class Names:
    """A name server of ours. `rebind.example.com` answers something public the first time it is asked."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    async def __call__(self, host: str, port: int) -> Sequence[Any]:
        self.asked[host] = self.asked.get(host, 0) + 1
        if host == "rebind.example.com" and self.asked[host] == 1:
            addresses = ["93.184.216.34"]
        else:
            addresses = INSIDE.get(host, ["127.0.0.1"])
        return [(*entry[:4], (entry[4][0], port, *entry[4][2:])) for entry in addressed(*addresses)]


class Sockets:
    """Sees every address that is dialled. Nothing leaves this machine: what is not loopback is not there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dialled: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        real = loop.sock_connect

        async def connect(sock: socket.socket, address: Any) -> None:
            self.dialled.append((address[0], address[1]))
            if not ipaddress.ip_address(address[0]).is_loopback:
                raise ConnectionRefusedError
            await real(sock, address)

        monkeypatch.setattr(loop, "sock_connect", connect)


async def test_no_hostile_url_is_dialled_and_an_allowed_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(URLS) >= 150
    sockets = Sockets(monkeypatch)
    async with Receiver() as receiver:
        guarded = Sender(Guard(resolve=Names()), attempt_s=3)
        wrong = []
        for template in URLS:
            url = template.replace("{port}", str(receiver.port))
            answer = await guarded.post(url, {}, b"{}")
            if answer.failure is not Failure.REFUSED:
                wrong.append((url, answer))
        # the name that says something public the first time was dialled there, and is refused from then on
        assert [(url, answer.failure) for url, answer in wrong] == [
            (f"http://rebind.example.com:{receiver.port}/hook", Failure.UNREACHABLE)
        ]
        assert {place[0] for place in sockets.dialled} == {"93.184.216.34"}
        assert receiver.connections == 0
        await guarded.close()
        allowed = Sender(Guard("127.0.0.1/32", resolve=Names()))
        assert (await allowed.post(receiver.url, {}, b"{}")).delivered
        assert (await allowed.post(f"http://localhost:{receiver.port}/", {}, b"{}")).delivered
        await allowed.close()
        assert len(receiver.got) == 2


@pytest.mark.parametrize("url", URLS)
async def test_no_hostile_url_is_saved(url: str) -> None:
    """Raises Invalid, never anything else. The one that changes its answer is caught when it is called."""
    guard = Guard(resolve=Names())
    if "rebind." in url:
        await guard.check_url(url.replace("{port}", "8081"))
    with pytest.raises(Invalid) as refused:
        await guard.check_url(url.replace("{port}", "8081"))
    assert refused.value.field == "url"
    assert refused.value.message


async def test_a_name_that_changes_its_answer_between_check_and_call_is_refused() -> None:
    names = Names()
    guard = Guard(resolve=names)
    async with Receiver() as receiver:
        url = f"http://rebind.example.com:{receiver.port}/"
        await guard.check_url(url)
        post = Sender(guard)
        answer = await post.post(url, {}, b"{}")
        await post.close()
        assert answer.failure is Failure.REFUSED
        assert "ORDERMILL_WEBHOOK_ALLOW=rebind.example.com" in answer.snippet
        assert "127.0.0.1" not in answer.snippet
        assert receiver.connections == 0


async def test_the_same_guard_saves_tests_and_delivers(ledger: Ledger) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger, allow="") as house:
        rules = Endpoints(ledger.outbox, house.post.guard.check_url, house.dispatcher.try_now)
        with pytest.raises(Invalid, match="not on the open internet") as refused:
            await rules.create(who, NewEndpoint(url=receiver.url))
        assert refused.value.hint == "the operator can allow it: ORDERMILL_WEBHOOK_ALLOW=127.0.0.1"
        endpoint = await house.endpoint(who, receiver.url)  # as if it had been allowed once
        with pytest.raises(Invalid):
            await rules.test(who, endpoint.id)
        await put_one(ledger, who, order("A"))
        await put(ledger, who, order("B"), notify_url=receiver.url, announce=False)
        await house.turn()
        assert receiver.connections == 0
        found = await house.deliveries(who)
        assert {(entry.state, entry.last_error) for entry in found} == {(DeliveryState.EXHAUSTED, "refused")}
        assert len(found) == 3


@pytest.mark.parametrize(
    ("address", "open_"),
    [
        ("93.184.216.34", True), ("1.1.1.1", True), ("9.255.255.255", True), ("11.0.0.0", True),
        ("100.63.255.255", True), ("100.128.0.0", True), ("172.15.255.255", True), ("172.32.0.0", True),
        ("192.167.255.255", True),
        ("198.17.255.255", True), ("223.255.255.255", True), ("2606:4700::1111", True), ("2a00:1450::1", True),
        ("2001:200::1", True), ("3ffe::1", True), ("::ffff:1.1.1.1", True), ("1fff::1", False), ("4000::", False),
        ("::ffff:10.0.0.1", False), ("168.63.129.16", False),
    ],
)  # fmt: skip
def test_the_edges_of_the_tables(address: str, open_: bool) -> None:
    assert Guard().allows(ipaddress.ip_address(address), 443) is open_


@pytest.mark.parametrize(
    ("allow", "url", "taken"),
    [
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.0.0.1/", True),
        ("10.0.0.0/8", "http://192.168.1.1/", False),
        ("10.1.2.3", "http://10.1.2.3/", True),
        ("10.1.2.3:8443", "https://10.1.2.3:8443/", True),
        ("10.1.2.3:8443", "https://10.1.2.3:8444/", False),
        ("fd00::/8", "http://[fd12::1]/", True),
        ("::1", "http://[::1]:8081/", True),
        ("[::1]:8081", "http://[::1]:8081/", True),
        ("0.0.0.0/0, ::/0", "http://169.254.169.254/", False),
        ("169.254.0.0/16", "http://169.254.169.254/", False),
        ("169.254.169.254", "http://169.254.169.254/", True),
        ("127.0.0.0/8", "http://127.0.0.1:8080/", False),
        ("127.0.0.0/8", "http://127.0.0.1:8081/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("erp.lan", "http://erp.lan/", True),
        ("erp.lan", "http://ERP.LAN/", True),
        ("erp.lan", "http://other.lan/", False),
        ("*.lan", "http://deep.erp.lan/", True),
        ("*.lan", "http://lan/", False),
        ("erp.lan:8443", "http://erp.lan/", False),
        ("localhost", "http://localhost:8080/", False),
        ("localhost:8080", "http://localhost:8080/", True),
    ],
)
async def test_what_the_operator_allows(allow: str, url: str, taken: bool) -> None:
    guard = Guard(allow, own_ports=frozenset({8080}), resolve=Names())
    if taken:
        await guard.check_url(url)
    else:
        with pytest.raises(Invalid):
            await guard.check_url(url)


async def test_a_named_host_may_be_inside_but_not_where_clouds_keep_their_keys() -> None:
    async def lead_to(address: str) -> Failure | None:
        async def names(_host: str, port: int) -> Sequence[Any]:
            return [(*addressed(address)[0][:4], (address, port))]

        post = Sender(Guard("erp.lan", resolve=names), attempt_s=2)
        answer = await post.post(f"http://erp.lan:{receiver.port}/", {}, b"{}")
        await post.close()
        return answer.failure

    async with Receiver() as receiver:
        assert await lead_to("127.0.0.1") is None
        assert receiver.got[0].headers["host"] == f"erp.lan:{receiver.port}"
        assert await lead_to("169.254.169.254") is Failure.REFUSED


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "a b", "http://x", "1.2.3", "*", "-x.lan", "127.1"])
def test_what_cannot_be_allowed_is_said_at_start(entry: str) -> None:
    with pytest.raises(ValueError, match="ORDERMILL_WEBHOOK_ALLOW"):
        Guard(f"10.0.0.0/8, {entry}")


async def test_the_https_only_switch() -> None:
    guard = Guard(https_only=True, resolve=Names())
    with pytest.raises(Invalid) as refused:
        await guard.check_url("http://93.184.216.34/")
    assert "ORDERMILL_WEBHOOK_HTTPS_ONLY" in refused.value.hint
    await guard.check_url("https://93.184.216.34/")


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a/../b?x=%7e&y=#frag", "https://example.com/a/../b?x=%7e&y="),
        ("http://example.com?x", "http://example.com/?x"),
        ("http://example.com/caf\u00e9?q=\u20ac", "http://example.com/caf%C3%A9?q=%E2%82%AC"),
        ("http://[2606:4700:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://example.com/@a:b\\c", "http://example.com/@a:b\\c"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://under_score.example/", "http://under_score.example/"),
    ],
)
def test_one_reading_of_a_url(text: str, called: str) -> None:
    assert read_url(text).url == called


def test_a_socket_is_only_opened_for_what_is_allowed() -> None:
    guard = Guard()
    with pytest.raises(Refused):
        guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    with pytest.raises(Refused):
        guard.open_socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%lo", 80, 0, 1)))
    guard.open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))).close()


async def test_a_name_server_that_is_silent_does_not_hold_up_a_request() -> None:
    async def silent(_host: str, _port: int) -> Sequence[Any]:
        await asyncio.sleep(60)
        return []

    guard = Guard(resolve=silent)
    async with asyncio.timeout(5):
        await guard.check_url("http://slow.example/")
