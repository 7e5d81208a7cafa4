"""Receivers that hang, drip, redirect, lie and flood: each leaves its word in the log, and harms nobody else."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
import subprocess
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from delivery.house import House, until
from delivery.receiver import OK, Behave, Got, Receiver, answering, status
from ledgers import Clock, order, put, put_one, sender

from ordermill.core.delivery import Delivery, DeliveryState, Failure
from ordermill.delivery.addressing import Guard
from ordermill.delivery.dispatcher import Bounds
from ordermill.delivery.sender import ANSWER_S, Sender, read_retry_after, snippet_of
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
ATTEMPT_S = 1.5


async def hang(_got: Got, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(_got: Got, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 600:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_the_body(_got: Got, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n")
    for _ in range(600):
        writer.write(b"z")
        await writer.drain()
        await asyncio.sleep(0.1)


async def flood(_got: Got, writer: asyncio.StreamWriter) -> None:
    """100 MB, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n")
    for _ in range(100):
        writer.write(b"x" * 1_048_576)
        await writer.drain()


async def endless_headers(_got: Got, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def hang_up(_got: Got, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(_got: Got, writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def answer_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server that expects plain HTTP says to the first bytes of TLS."""
    writer.write(status(400))
    writer.close()


REDIRECT = status(302, "location: http://169.254.169.254/latest/meta-data/")
CASES: dict[str, tuple[Behave, str, int | None]] = {
    "hangs": (hang, "timeout", None),
    "drips": (drip, "timeout", None),
    "drips its body": (drip_the_body, "answer_cut", 200),
    "floods": (flood, "answer_cut", 200),
    "sends headers without end": (endless_headers, "broken_http", None),
    "redirects": (answering(REDIRECT), "redirected 302", 302),
    "redirects for ever": (answering(status(308, "location: /hook")), "redirected 308", 308),
    "says not modified": (answering(status(304)), "redirected 304", 304),
    "fails": (answering(status(500, body=b"boom")), "server_error 500", 500),
    "is throttled": (answering(status(429, "retry-after: 120")), "throttled 429", 429),
    "does not want it": (answering(status(404)), "client_error 404", 404),
    "is gone": (answering(status(410)), "gone", 410),
    "answers nonsense": (answering(b"220 mail.example ESMTP\r\n"), "broken_http", None),
    "answers half a head": (answering(b"HTTP/1.1 200"), "timeout", None),
    "lies about its length": (
        answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        "broken_http",
        None,
    ),
    "answers 99999": (answering(b"HTTP/1.1 99999 X\r\ncontent-length: 0\r\n\r\n"), "broken_http", None),
    "answers 600": (answering(status(600)), "broken_http 600", 600),
    "hangs up": (hang_up, "disconnected", None),
    "resets": (reset, "disconnected", None),
    "speaks another protocol": (answering(status(101, "upgrade: x", "connection: upgrade")), "broken_http 101", 101),
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Signed by nobody we know."""
    folder: Path = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    done = subprocess.run(
        [*command, "-keyout", folder / "key", "-out", folder / "cert"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("openssl is missing here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


def logged(entry: Delivery) -> tuple[str, int | None]:
    return entry.last_error, entry.last_status


async def test_each_has_its_word_in_the_log_and_a_healthy_one_is_served(
    live_ledger: Ledger, certificate: ssl.SSLContext
) -> None:
    who = sender()
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(House(live_ledger, attempt_s=ATTEMPT_S))
        expected: dict[int, tuple[str, str, int | None]] = {}
        for name, (behave, word, code) in CASES.items():
            receiver = await stack.enter_async_context(Receiver(behave))
            endpoint = await house.endpoint(who, receiver.url, events=("batch.*",))
            expected[endpoint.id] = (name, word, code)
        untrusted = await stack.enter_async_context(Receiver(tls=certificate))
        plain = await asyncio.start_server(answer_at_once, "127.0.0.1", 0)
        await stack.enter_async_context(plain)
        plain_port = plain.sockets[0].getsockname()[1]
        silent_port = free_port()
        for name, url, word in (
            ("has a bad certificate", untrusted.url, "tls"),
            ("speaks plain on https", f"https://127.0.0.1:{plain_port}/", "tls"),
            ("is not there", f"http://127.0.0.1:{silent_port}/", "unreachable"),
            ("has no address", "http://nowhere.invalid/", "name_not_found"),
        ):
            expected[(await house.endpoint(who, url, events=("batch.*",))).id] = (name, word, None)
        healthy = await stack.enter_async_context(Receiver())
        good = await house.endpoint(who, healthy.url)
        house.dispatcher.start()
        started = time.monotonic()
        await put(live_ledger, who, *(order(f"O{number}") for number in range(50)))
        await healthy.wait_for(51, 5)
        assert time.monotonic() - started < 5

        async def all_tried() -> bool:
            return all(entry.tries for entry in await house.deliveries(who))

        await until(all_tried)
        found = {entry.endpoint_id: entry for entry in await house.deliveries(who) if entry.endpoint_id != good.id}
        seen = {name: logged(found[number]) for number, (name, _, _) in expected.items()}
        assert seen == {name: (word, code) for name, word, code in expected.values()}
        assert untrusted.got == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_receivers_that_hang_do_not_slow_a_healthy_one_or_the_intake(live_ledger: Ledger) -> None:
    """Twenty of them, with much to do for each; the healthy one is new as well."""
    who = sender()
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(House(live_ledger, attempt_s=5, bounds=Bounds(poll_s=0.2)))
        for _ in range(20):
            receiver = await stack.enter_async_context(Receiver(hang))
            await house.endpoint(who, receiver.url)
        healthy = await stack.enter_async_context(Receiver())
        await house.endpoint(who, healthy.url, events=("order.*",))
        house.dispatcher.start()
        most = 0.0
        for batch in range(5):
            started = time.monotonic()
            await put(live_ledger, who, *(order(f"O{batch}-{number}") for number in range(20)))
            most = max(most, time.monotonic() - started)
        await healthy.wait_for(100, 5)
        assert most < 2
        assert house.dispatcher.in_flight <= 64


async def test_receivers_that_worked_and_then_hang_leave_places_for_others(live_ledger: Ledger) -> None:
    """Ten that are trusted with eight places each would fill the house."""
    who = sender()
    hanging = False

    async def moody(got: Got, writer: asyncio.StreamWriter) -> None:
        if hanging:
            await hang(got, writer)
        writer.write(OK)
        await writer.drain()

    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(House(live_ledger, attempt_s=8))
        for _ in range(10):
            receiver = await stack.enter_async_context(Receiver(moody))
            await house.endpoint(who, receiver.url, events=("order.*",))
        healthy = await stack.enter_async_context(Receiver())
        await house.endpoint(who, healthy.url, events=("batch.*",))
        house.dispatcher.start()
        await put(live_ledger, who, order("first"))
        await house.until_done(who)
        hanging = True
        await put(live_ledger, who, *(order(f"O{number}") for number in range(30)))
        await healthy.wait_for(2, 4)
        await asyncio.sleep(0.5)  # by now whatever can be under way is
        await put(live_ledger, who, order("last"))
        await healthy.wait_for(3, 4)
        assert sum(desk.in_flight for desk in house.dispatcher.desks.values()) <= 48


async def test_places_are_bounded_and_a_failing_endpoint_has_two(live_ledger: Ledger) -> None:
    who = sender()
    most = {"now": 0, "ever": 0}

    async def counting(_got: Got, writer: asyncio.StreamWriter) -> None:
        most["now"] += 1
        most["ever"] = max(most["ever"], most["now"])
        await asyncio.sleep(0.05)
        most["now"] -= 1
        writer.write(OK if answers_well else status(500))
        await writer.drain()

    answers_well = True
    async with Receiver(counting) as receiver, House(live_ledger) as house:
        await house.endpoint(who, receiver.url, events=("order.*",))
        house.dispatcher.start()
        await put(live_ledger, who, *(order(f"O{number}") for number in range(60)))
        await house.until_done(who)
        assert most["ever"] == 8
        answers_well = False
        await put(live_ledger, who, *(order(f"P{number}") for number in range(30)))
        await receiver.wait_for(75)
        most["ever"] = 0
        await receiver.wait_for(85)
        assert most["ever"] <= 2


async def test_connections_are_used_again(live_ledger: Ledger) -> None:
    who = sender()
    async with Receiver() as receiver, House(live_ledger) as house:
        await house.endpoint(who, receiver.url)
        house.dispatcher.start()
        await put(live_ledger, who, *(order(f"O{number}") for number in range(300)))
        await house.until_done(who)
        assert len(receiver.got) == 301
        assert receiver.connections <= 8


async def test_retry_after_is_respected(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with Receiver(answering(status(429, "retry-after: 120"), OK)) as receiver, House(ledger) as house:
        await house.endpoint(who, receiver.url)
        await put_one(ledger, who, order("A"))
        await house.turn()
        (entry,) = await house.deliveries(who)
        assert entry.due_at == clock.now + 120_000_000
        clock.advance(119)
        await house.turn()
        assert len(receiver.got) == 1
        clock.advance(1)
        await house.turn()
        assert len(receiver.got) == 2


async def test_a_flood_is_not_held_in_memory() -> None:
    async with Receiver(flood) as receiver:
        post = Sender(Guard("127.0.0.1"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers = await asyncio.gather(*(post.post(receiver.url, {}, b"{}") for _ in range(8)))
        await post.close()
    assert {(answer.status, answer.failure, len(answer.snippet)) for answer in answers} == {(200, Failure.CUT, 1024)}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB
    assert all(answer.took_ms < ANSWER_S * 1000 for answer in answers)


async def test_nothing_but_what_we_say_goes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy of the environment, no netrc, no cookie that was set before, no redirect."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    setting = status(200, "set-cookie: session=1; Path=/")
    async with Receiver(answering(setting, OK)) as receiver:
        post = Sender(Guard("127.0.0.1"))
        for _ in range(2):
            assert (await post.post(receiver.url, {"content-type": "application/json"}, b"{}")).delivered
        await post.close()
        for got in receiver.got:
            assert set(got.headers) <= {
                "host", "accept", "accept-encoding", "user-agent", "content-type", "content-length",
            }  # fmt: skip


def test_retry_after_as_a_date_or_as_nonsense() -> None:
    assert read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert read_retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == 86_400
    for text in (None, "", "soon", "-5", "1e9", "٣", "Wed, 99 Foo"):
        assert read_retry_after(text) is None


def test_snippets_are_short_and_plain() -> None:
    assert snippet_of(b"caf\xc3\xa9 \x00\x1b[31m\xff") == "café ��[31m�"
    assert len(snippet_of("€".encode() * 5000).encode()) <= 1024


async def test_a_database_that_is_away_for_a_while_loses_nothing(
    live_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ordermill.core.errors import Overloaded

    who = sender()
    outbox = live_ledger.outbox
    away = {"left": 6}
    for name in ("find_busy", "claim", "record"):
        real = getattr(outbox, name)

        async def unsteady(*given: object, real: object = real) -> object:
            if away["left"]:
                away["left"] -= 1
                raise Overloaded("away")
            return await real(*given)  # type: ignore[operator]

        monkeypatch.setattr(outbox, name, unsteady)
    async with Receiver() as receiver, House(live_ledger) as house:
        await house.endpoint(who, receiver.url)
        house.dispatcher.start()
        await put(live_ledger, who, *(order(f"O{number}") for number in range(20)))
        await receiver.wait_for(10)
        away["left"] = 6
        done = await house.until_done(who)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        assert len({got.headers["webhook-id"] for got in receiver.got}) == 21
