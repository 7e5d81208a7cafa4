"""Limits are exact, before and after gunzip, and whoever lies about a length or takes too long is turned away."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess
from trust.conftest import DEADLINE_S
from trust.wire import request, speak

BREVO_BYTES = 5_242_880
BATCH = "/v3/orders/status/batch"
CHUNKED = b"POST /v3/orders/status/batch HTTP/1.1\r\nHost: a\r\napi-key: KEY\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = "/api/v1/orders/stream?contract=brevo"


def order(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"o{number}", "createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": "2024-01-01T00:00:00.000Z",
        "status": "completed", "amount": 1, "products": [{"productId": "P", "price": 1}], **more,
    }  # fmt: skip


def batch(count: int = 1, size: int = 0, **more: Any) -> bytes:
    """A valid batch of exactly so many bytes (blanks at the end make them up)."""
    body = json.dumps({"orders": [order(number) for number in range(count)], **more}).encode()
    return body + b" " * (size - len(body))


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)


def push(server: ServerProcess, body: bytes, *headers: str, **how: Any) -> int:
    return speak(server.url, request("POST", BATCH, server.key, body, *headers), **how).status


@pytest.mark.parametrize(("size", "status"), [(BREVO_BYTES, 202), (BREVO_BYTES + 1, 413)])
def test_the_size_is_exact(server: ServerProcess, size: int, status: int) -> None:
    assert push(server, batch(size=size)) == status
    assert push(server, zipped(batch(size=size)), "Content-Encoding: gzip") == status
    chunked = request("POST", BATCH, server.key, b"", "Transfer-Encoding: chunked", "Content-Type: application/json")
    body = batch(size=size)
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 60000]), body[at : at + 60000]) for at in range(0, size, 60000)
    )
    assert speak(server.url, chunked + pieces + b"0\r\n\r\n").status == status


def test_the_size_of_the_other_contracts_is_exact(server: ServerProcess) -> None:
    for path in ("/v1/batches/orders", "/centra/orders", "/api/v1/batches"):
        for size, too_large in ((16_777_216, False), (16_777_217, True)):
            heard = speak(server.url, request("POST", path, server.key, b" " * size))
            assert (heard.status == 413) is too_large, f"{path} {size}: {heard.text[:300]!r}"


def test_the_count_is_exact(server: ServerProcess) -> None:
    assert push(server, batch(1_000)) == 202
    heard = speak(server.url, request("POST", BATCH, server.key, batch(1_001)))
    assert heard.status == 400
    assert b"out_of_range" in heard.text


@pytest.mark.parametrize("layers", [1, 2])
def test_a_bomb_is_refused_and_costs_little(server: ServerProcess, layers: int) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    body = b"".join([bomb.compress(bytes(1 << 20)) for _ in range(512)] + [bomb.flush()])
    if layers == 2:
        body = zipped(body)
    before = peak_kb(server)
    for _ in range(4):
        assert push(server, body, "Content-Encoding: gzip") == (413 if layers == 1 else 400)
    assert peak_kb(server) - before < 100_000


def peak_kb(server: ServerProcess) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "identity, br"])
def test_other_codings_are_not_read(server: ServerProcess, coding: str) -> None:
    assert push(server, batch(), f"Content-Encoding: {coding}") == 415


@pytest.mark.parametrize("cut", [1, 10, -8, -4, -1])
def test_a_gzip_body_that_is_not_whole_is_refused(server: ServerProcess, cut: int) -> None:
    assert push(server, zipped(batch())[:cut], "Content-Encoding: gzip") == 400
    assert push(server, zipped(batch()) + b"more", "Content-Encoding: gzip") == 400


# messages that two readers would understand differently


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 10", "Content-Length: 11"),
        ("Content-Length: 10", "Content-Length: 10"),
        ("Content-Length: 10", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 10"),
        ("Transfer-Encoding: gzip, chunked", "Content-Length: 4"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length: +10",),
        ("Content-Length: -1",),
        ("Content-Length: 0x10",),
        ("Content-Length: 1e1",),
        ("Content-Length: 10, 10",),
        ("Content-Length: 99999999999999999999999",),
        ("Content-Length : 10",),
        ("X-A: b\r\n Content-Length: 10",),
    ],
)
def test_ambiguous_framing_is_refused_and_nothing_is_smuggled(server: ServerProcess, headers: tuple[str, ...]) -> None:
    """One refusal, then the line is closed: whoever reads the length in the other way finds no second answer."""
    inner = request("GET", "/livez", "")
    head = request("POST", BATCH, server.key, b"", *headers)
    # The client listens on: one that closes its side first may miss the very answer that must not come.
    heard = speak(server.url, head + b"0\r\n\r\n" + inner, answers=2, wait_s=DEADLINE_S + 5)
    assert heard.statuses == [400], heard.text
    assert heard.closed
    assert b"alive" not in heard.text


def test_a_body_shorter_than_announced_is_never_taken(server: ServerProcess) -> None:
    whole = request("POST", BATCH, server.key, batch(3, cut="short"))
    for cut in (1, 20):
        assert speak(server.url, whole[:-cut], half_close=True).statuses == []


def test_requests_in_one_breath_are_answered_in_order(server: ServerProcess) -> None:
    one = request("POST", BATCH, server.key, batch())
    heard = speak(server.url, one + request("GET", "/livez", "") + one + request("GET", "/nowhere", ""), answers=4)
    assert heard.statuses == [202, 200, 202, 404]


def test_a_head_beyond_32_kib_is_cut(server: ServerProcess) -> None:
    fits = [f"X-{number}: {'a' * 990}" for number in range(30)]
    assert speak(server.url, request("GET", "/livez", "", b"", *fits)).status == 200
    for headers in ([*fits, *fits], ["X-A: " + "a" * 70_000], [f"X-{n}: b" for n in range(8_000)]):
        heard = speak(server.url, request("GET", "/livez", "", b"", *headers))
        assert heard.status in (0, 400, 431)
        assert heard.closed
    assert speak(server.url, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n").status in (0, 400, 414, 431)
    endless = speak(server.url, b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 300_000, wait_s=DEADLINE_S + 5)
    assert endless.closed


@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET / HTTP/1.1\r\nX-A: ", b"GET / HTTP/1.1\r\nX-", CHUNKED + b"1\r\na\r\n0\r\nX-A: "],
    ids=["address", "value", "name", "trailer"],
)
def test_a_head_without_an_end_is_cut_at_its_limit_not_at_the_deadline(server: ServerProcess, start: bytes) -> None:
    """The parser tells of a header when that is whole; until then it must not gather what it likes."""
    heard = speak(server.url, start, *[b"a" * 8_000] * 5, pause_s=0.05)
    assert heard.closed
    assert heard.seconds < DEADLINE_S - 1
    assert heard.status in (0, 401, 431)


def test_bytes_of_bodies_are_not_those_of_heads(server: ServerProcess) -> None:
    """Bodies far beyond a head's limit, in pieces and with the next head behind them in the same breath."""
    one = request("POST", BATCH, server.key, batch(size=100_000))
    breath = one + one + request("GET", "/livez", "")
    pieces = [breath[at : at + 30_000] for at in range(0, len(breath), 30_000)]
    assert speak(server.url, *pieces, pause_s=0.02, answers=3).statuses == [202, 202, 200]
    dripped = CHUNKED.replace(b"KEY", server.key.encode()) + b"".join(b"1\r\n \r\n" for _ in range(20_000))
    heard = speak(server.url, dripped + b"0\r\nX-Trailer: a\r\n\r\n")
    assert heard.status == 400  # it was read: nothing but blanks


# time


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST",
        b"POST /v3/orders/status/batch HTTP/1.1\r\nHost: a\r\n",
        b"POST /v3/orders/status/batch HTTP/1.1\r\nHost: a\r\napi-key: KEY\r\nContent-Length: 500000\r\n\r\n",
        b"POST /v3/orders/status/batch HTTP/1.1\r\nHost: a\r\napi-key: KEY\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nPOST /v3/orders/status/batch HTTP/1.1\r\nHost: a\r\n",
    ],
    ids=["nothing", "verb", "half a head", "half a body", "half a chunk", "half a head behind a request"],
)
@pytest.mark.parametrize("drips", [False, True])
def test_the_silent_and_the_dripping_are_cut(server: ServerProcess, start: bytes, drips: bool) -> None:
    """With the real deadline of 30 s this is 30 s; here the deadline is 3 s, and the margin the same 5 s."""
    drops = [b"1" if b"chunked" not in start else b"1\r\na\r\n"] * 30 if drips else []
    first = start.startswith(b"GET")  # is whole, and answered
    sent = start.replace(b"KEY", server.key.encode())
    heard = speak(server.url, sent, *drops, pause_s=0.25, wait_s=DEADLINE_S + 8, answers=1 + first)
    assert heard.closed
    assert heard.seconds < DEADLINE_S + 7
    assert heard.status in (0, 400, 408) or first


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", STREAM, False),
        ("POST", "/api/v1/imports", False),
        ("GET", "/api/v1/imports", False),
        ("POST", "/api/v1/orders/stream?contract=nobodys", True),
    ],
)
def test_only_who_is_let_in_may_take_longer(server: ServerProcess, method: str, path: str, known: bool) -> None:
    """Bodies of any size may drip, but not those of who got an answer already."""
    start = request(method, path, server.key if known else "", b"", "Transfer-Encoding: chunked")
    heard = speak(server.url, start, *[b"1\r\n \r\n"] * 40, pause_s=0.25, wait_s=DEADLINE_S + 12)
    assert heard.status in (401, 422, 400)
    assert heard.closed
    assert heard.seconds < DEADLINE_S + 3


@pytest.mark.parametrize("pauses", [[DEADLINE_S + 1.5], [0.5] * (2 * DEADLINE_S + 3)], ids=["silent", "dripping"])
def test_a_stream_that_is_let_in_is_not_cut(server: ServerProcess, pauses: list[float]) -> None:
    start = request("POST", STREAM, server.key, b"", "Transfer-Encoding: chunked")
    line = json.dumps(order(1)).encode() + b"\n"
    piece = b"%x\r\n%s\r\n" % (len(line), line)
    heard = speak(server.url, start, *[piece] * len(pauses), b"0\r\n\r\n", pause_s=pauses[0], wait_s=30)
    assert heard.status == 200
    assert heard.text.endswith(b"0\r\n\r\n")


def test_others_are_served_meanwhile(server: ServerProcess) -> None:
    threads = [
        threading.Thread(target=speak, args=(server.url, b"POST / HTTP/1.1\r\n"), kwargs={"wait_s": DEADLINE_S + 5})
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    took = []
    for _ in range(20):
        began = time.monotonic()
        assert push(server, batch()) == 202
        took.append(time.monotonic() - began)
    for thread in threads:
        thread.join()
    assert sorted(took)[18] < 1.0


# overload and leaving


def test_the_budget_of_held_bytes_answers_503(tmp_path: Path) -> None:
    """Large bodies take turns; when what is held passes the budget, the next one is told when to come back."""
    with ServerProcess(tmp_path, buffered_bytes_max=str(6_000_000), request_deadline_s="10") as server:
        body = batch(size=BREVO_BYTES)
        slow = request("POST", BATCH, server.key, body)
        thread = threading.Thread(target=speak, args=(server.url, slow[:-1], slow[-1:]), kwargs={"pause_s": 3})
        thread.start()
        time.sleep(0.7)
        heard = speak(server.url, request("POST", BATCH, server.key, body))
        assert heard.status == 503
        assert b"retry-after" in heard.text.lower()
        assert push(server, batch()) == 202, "a small one still fits"
        thread.join()
        assert push(server, body) == 202


def test_a_full_line_is_told_at_once_in_the_words_of_each_contract(tmp_path: Path) -> None:
    """While two requests wait for the ledger, nobody else has to wait to hear that there is no room."""
    with ServerProcess(tmp_path, in_flight_max="2", log_level="warning") as server:
        told: list[int] = []
        other = sqlite3.connect(tmp_path / "ordermill.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=lambda: told.append(push(server, batch(), wait_s=12))) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        for path in (BATCH, "/v1/batches/orders", "/centra/orders", "/api/v1/batches"):
            began = time.monotonic()
            heard = speak(server.url, request("POST", path, server.key, b'{"orders":[]}'))
            assert heard.status == 503, (path, heard.text)
            assert b"retry-after: 1" in heard.text.lower()
            assert time.monotonic() - began < 5
        assert speak(server.url, request("GET", "/livez", "")).status == 200
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.join()
        assert told == [202, 202], "who was let in is served"
        assert push(server, batch()) == 202, "and there is room again"


def test_a_graceful_end_answers_what_is_in_hand(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    told: list[int] = []
    body = request("POST", BATCH, server.key, batch(500))

    def slow() -> None:
        told.append(speak(server.url, body[:-1], body[-1:], pause_s=1.5, wait_s=12).status)

    threads = [threading.Thread(target=slow) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began <= 10
    for thread in threads:
        thread.join()
    assert all(status in (202, 503) for status in told), told


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    assert server.process is not None
    held = request("POST", BATCH, server.key, batch())
    thread = threading.Thread(target=speak, args=(server.url, held[:-1]), kwargs={"wait_s": 12})
    thread.start()
    time.sleep(0.4)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.6)
    assert server.process.poll() is None, "the first signal waits for what is in hand"
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.died(5)
    assert time.monotonic() - began < 1.5
    thread.join()


# structure


@pytest.mark.parametrize(
    "body",
    [
        b'{"orders": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"orders": [' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"]}",
        json.dumps({"orders": [order(1, metaInfo={f"k{n}": n for n in range(100_000)})]}).encode(),
        json.dumps({"orders": [order(1, products=[{"productId": "P", "price": 1}] * 60_000)]}).encode(),
        json.dumps({"orders": [order(1, coupons=["c"] * 500_000)]}).encode(),
        json.dumps({"orders": [1] * 900}).encode(),
        b'{"orders": [' + b"0," * 1_000_000 + b"0]}",
        json.dumps({f"k{n}": n for n in range(100_000)}).encode(),
    ],
    ids=["deep arrays", "deep objects", "keys", "products", "coupons", "numbers", "many numbers", "members"],
)
def test_structural_caps(server: ServerProcess, body: bytes) -> None:
    for path in (BATCH, "/v3/orders/status", "/v1/batches/orders", "/v1/orders", "/centra/orders", "/api/v1/batches"):
        heard = speak(server.url, request("POST", path, server.key, body))
        assert 200 <= heard.status < 500, f"{path}: {heard.text[:200]!r}"
        assert heard.seconds < 5
