"""Events out: what announcing costs the intake, and how fast what is owed goes out to a receiver on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.context import Bench, median, send
from bench.intake import warm_up
from bench.server import KEY, ROOT, Server

DELIVERIES_PER_S = 2_000
CONTRACT = "karrio"  # its batches are live by default


def events(bench: Bench) -> None:
    """Batches of 1,000 live orders without an endpoint and with one that is paused; then it is enabled."""
    rounds: dict[str, list[float]] = {"without": [], "with": []}
    with receiver() as url, bench.server(webhook_allow="127.0.0.1", access_log="false", log_level="warning") as server:
        warm_up(bench, server)
        for _ in range(bench.sizes.rounds):
            for name in rounds:
                endpoint = (
                    ask(server, "POST", "/endpoints", {"url": url, "state": "paused"}) if name == "with" else None
                )
                load = send(server, bench.batches(server, CONTRACT, 4), 1)
                rounds[name].append(load.seconds / 4 * 1000)
                if endpoint is not None:
                    ask(server, "DELETE", f"/endpoints/{endpoint['id']}")
        ratios = [both / alone for both, alone in zip(rounds["with"], rounds["without"], strict=True)]
        bench.note(
            "batch of 1,000 live orders, one endpoint", ratio=median(ratios), of="without", least=False,
            p50_ms=median(rounds["with"]),
        )  # fmt: skip
        _drain(bench, server, url)


def _drain(bench: Bench, server: Server, url: str) -> None:
    """A backlog, and the time until the receiver has had all of it."""
    count = bench.sizes.batches // 2
    endpoint = ask(server, "POST", "/endpoints", {"url": url, "state": "paused"})
    send(server, bench.batches(server, CONTRACT, count), 2)
    owed = count * 1_001
    before, cpu = received(url), server.cpu_s()
    started = time.perf_counter()
    ask(server, "PATCH", f"/endpoints/{endpoint['id']}", {"state": "active"})
    while received(url) - before < owed:
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    bench.note(
        "deliveries to one receiver", ratio=owed / seconds, of="1/s", figure=DELIVERIES_PER_S, per_s=owed / seconds,
        cpu_us=(server.cpu_s() - cpu) / owed * 1e6, note="(CPU per delivery)",
    )  # fmt: skip


@contextmanager
def receiver() -> Iterator[str]:
    """A receiver as a process of its own; its address."""
    command = [sys.executable, "-m", "bench.receiving"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def received(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.read())


def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    """One call of our own API, decoded."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{server.url}/api/v1{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = answer.read()
    return json.loads(found) if found else None
