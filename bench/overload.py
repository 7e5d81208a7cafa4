"""More than the server can do: what is refused, how soon, and what that spares those that are taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from bench.context import Bench, run, send
from bench.intake import warm_up
from bench.load import Connection, Load, connections
from bench.server import Server

NORMAL = 64
TOO_MANY = (1_000, 3_000)  # twice, and six times, what is worked on at once
RETRY_S = 1.0  # what Retry-After says


def overload(bench: Bench) -> None:
    """Single upserts on too many connections at once, beside 64. Who is refused comes back when told to."""
    with bench.server() as server:
        warm_up(bench, server)
        for count in TOO_MANY:
            normal = send(server, bench.singles(server, bench.sizes.singles), NORMAL)
            taken, refused = run(_press(server, count, bench.singles(server, 1_000_000), bench.sizes.seconds))
            bench.note(
                f"p99 of what is taken, {count} connections",
                ratio=taken.quantile_ms(0.99) / normal.quantile_ms(0.99),
                of=f"the p99 on {NORMAL} ({normal.quantile_ms(0.99):.0f} ms)", figure=5, least=False,
                per_s=len(taken.latencies) / taken.seconds, p50_ms=taken.quantile_ms(0.5),
                p99_ms=taken.quantile_ms(0.99),
                note=f"{len(refused.latencies)} told to come back, p50 {refused.quantile_ms(0.5):.0f} ms",
            )  # fmt: skip


async def _press(server: Server, count: int, requests: Iterator[bytes], seconds: float) -> tuple[Load, Load]:
    taken, refused = Load(), Load()
    async with connections(server.url, count) as opened:
        started = time.perf_counter()
        ends = started + max(seconds, 3.0)
        await asyncio.gather(*(_client(connection, requests, ends, taken, refused) for connection in opened))
        taken.seconds = time.perf_counter() - started
    return taken, refused


async def _client(connection: Connection, requests: Iterator[bytes], ends: float, taken: Load, refused: Load) -> None:
    """One client that sends one order after the other, and each until it is taken."""
    for request in requests:
        while True:
            started = time.perf_counter()
            if started > ends:
                return
            status, body = await connection.send(request)
            latency = time.perf_counter() - started
            if status < 300:
                taken.latencies.append(latency)
                break
            assert status == 503, (status, body[:200])
            refused.latencies.append(latency)
            await asyncio.sleep(RETRY_S)
