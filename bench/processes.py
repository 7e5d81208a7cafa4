"""What a process costs: memory idle, under large bodies, over a long run; time to start; two on one store."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import orjson

from bench.context import Bench, median, run, send
from bench.intake import LANES, warm_up
from bench.load import Load, drive
from bench.server import ROOT, Server

LARGE = 5_200_000  # bytes
LARGE_AT_ONCE = 32


def memory(bench: Bench) -> None:
    """Idle, and 32 bodies of 5 MB at once: with few of them let in at a time, and with all of them let in."""
    rates: dict[str, list[float]] = {"few": [], "all": []}
    growth: dict[str, float] = {"few": 0.0, "all": 0.0}
    idle = 0.0
    for _ in range(2):
        for name, module in (("few", ("ordermill", "serve")), ("all", ("bench.unlimited",))):
            with bench.server(module=module) as server:
                idle = max(idle, server.memory_mb()) if name == "few" else idle
                warm_up(bench, server)
                before = server.memory_mb()
                requests = _large(bench, server, LARGE_AT_ONCE)
                server.reset_peak()
                load = send(server, requests, LARGE_AT_ONCE)
                growth[name] = max(growth[name], server.memory_mb(peak=True) - before)
                rates[name].append(LARGE_AT_ONCE / load.seconds)
    bench.note("memory, idle", ratio=idle, of="1 MB", figure=90, least=False)
    bench.note(
        f"memory, {LARGE_AT_ONCE} bodies of 5 MB at once, growth", ratio=growth["few"], of="1 MB", figure=256,
        least=False, note=f"all let in at once: {growth['all']:.0f} MB",
    )  # fmt: skip
    bench.note(
        f"throughput, {LARGE_AT_ONCE} bodies of 5 MB at once", ratio=median(rates["few"]) / median(rates["all"]),
        of="all let in at once", figure=0.95, note=f"{median(rates['few']) * 5.2:.0f} MB/s",
    )  # fmt: skip


def _large(bench: Bench, server: Server, count: int) -> list[bytes]:
    """Batches of 1,000 orders that fill the contract's 5 MB."""
    requests = []
    for _ in range(count):
        body = orjson.loads(bench.corpus.body("brevo", bench.fresh(1000), 1000))
        filler = (LARGE - len(orjson.dumps(body))) // 1000 - 20
        for order in body["orders"]:
            order["comment"] = "x" * filler
        requests.append(bench.batch(server, "brevo", orjson.dumps(body)))
    return requests


def starting(bench: Bench) -> None:
    """Seconds until /readyz with orders in the ledger, and until the help is shown."""
    stored = max(bench.sizes.stored)
    with bench.server() as server:
        while bench.next_number < stored:
            send(server, bench.batches(server, "brevo", 20), LANES)
    taken = []
    for _ in range(3):
        with bench.server() as server:
            taken.append(server.ready_s)
    bench.note(f"ready with {bench.next_number:,} orders", ratio=median(taken), of="1 s", figure=2, least=False)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    helped = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "ordermill", "--help"], env=environment, check=True, capture_output=True)
        helped.append(time.perf_counter() - started)
    bench.note("ordermill --help", ratio=median(helped), of="1 s", figure=0.15, least=False)


def long_run(bench: Bench, orders: int) -> None:
    """A day's load: what the process holds before and after."""
    with bench.server() as server:
        warm_up(bench, server)
        send(server, bench.batches(server, "brevo", 40), LANES)
        before, began = server.memory_mb(), time.perf_counter()
        for _ in range(orders // 20_000):
            send(server, bench.batches(server, "brevo", 20), LANES)
        after = server.memory_mb()
    bench.note(
        f"memory after {orders:,} orders", ratio=after / before, of=f"{before:.0f} MB before", figure=1.15,
        least=False, peak_mb=after, note=f"{time.perf_counter() - began:.0f} s",
    )  # fmt: skip


def two(bench: Bench) -> None:
    """Two processes on one PostgreSQL beside one; then both are sent the very same orders."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    count = bench.sizes.batches
    with bench.server() as one, Server(bench.folder / "second", bench.database_url) as other:
        warm_up(bench, one)
        warm_up(bench, other)
        for _ in range(bench.sizes.rounds):
            requests = bench.batches(one, "brevo", count)
            rates[1].append(count * 1000 / send(one, requests, LANES).seconds)
            halves = (bench.batches(one, "brevo", count // 2), bench.batches(other, "brevo", count // 2))
            started = time.perf_counter()
            run(_both(one, other, halves))
            rates[2].append(count // 2 * 2000 / (time.perf_counter() - started))
        first = bench.fresh(5_000)
        same = [bench.batch(one, "brevo", bench.corpus.body("brevo", first + n % 5 * 1000, 1000, n)) for n in range(20)]
        loads: list[Load] = run(_both(one, other, (same, same[::-1])))
    bench.note(
        "two processes", ratio=median(b / a for a, b in zip(rates[1], rates[2], strict=True)), of="one", figure=1.0,
        per_s=median(rates[2]),
    )  # fmt: skip
    bench.note(
        "errors, both sent the same orders", ratio=float(sum(load.errors for load in loads)), of="1", figure=0,
        least=False,
    )  # fmt: skip


async def _both(one: Server, other: Server, halves: tuple[list[bytes], list[bytes]]) -> list[Load]:
    return list(
        await asyncio.gather(
            *(
                drive(server.url, requests, LANES, may_fail=True)
                for server, requests in zip((one, other), halves, strict=True)
            )
        )
    )
