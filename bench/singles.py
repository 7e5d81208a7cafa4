"""One order in a request: many at once, and while batches stream in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from bench.context import Bench, median, run, send
from bench.intake import warm_up
from bench.load import drive
from bench.server import Server

CONNECTIONS = 64
EACH = {"sqlite": 5.0, "postgres": 4.0}


def singles(bench: Bench) -> None:
    """Upserts on 64 connections, beside the same server with a commit per request, beside one bare commit per order
    without any server, and beside a bare answer of the same server."""
    rates: dict[str, list[float]] = {"own": [], "ungrouped": [], "each": [], "bare": []}
    cpu: list[float] = []
    latencies: list[float] = []
    count = bench.sizes.singles
    alone = Server(bench.folder / "ungrouped", bench.database_url, module=("bench.ungrouped",))
    with bench.server() as server, alone, Server(bench.folder / "bare", module=("bench.bare",)) as bare:
        warm_up(bench, server)
        warm_up(bench, alone)
        raw = bench.raw()
        rows = raw.newest(1)[0]
        for _ in range(bench.sizes.rounds):
            requests = list(bench.singles(server, count))
            before = server.cpu_s()
            load = send(server, requests, CONNECTIONS)
            cpu.append((server.cpu_s() - before) / count * 1e6)
            rates["own"].append(count / load.seconds)
            latencies += load.latencies
            rates["each"].append(raw.commit_each(rows, min(500, count)))
            rates["ungrouped"].append(
                count / 4 / send(alone, list(bench.singles(alone, count // 4)), CONNECTIONS).seconds
            )
            rates["bare"].append(count / send(bare, list(bench.singles(bare, count)), CONNECTIONS).seconds)
        raw.close()
    found = sorted(latencies)
    for name, of, figure in (
        ("ungrouped", "one commit per request", EACH[bench.store]),
        ("each", "one bare commit each, no server", None),
        ("bare", "a bare answer", 0.35),
    ):
        bench.note(
            f"single upserts, {CONNECTIONS} connections",
            ratio=median(own / other for own, other in zip(rates["own"], rates[name], strict=True)),
            of=f"{of} ({median(rates[name]):,.0f}/s)",
            figure=figure,
            per_s=median(rates["own"]),
            p50_ms=found[len(found) // 2] * 1000,
            p99_ms=found[int(len(found) * 0.99)] * 1000,
            cpu_us=median(cpu),
        )


def mixed(bench: Bench) -> None:
    """A till beside an import: singles at an even pace while batches of 1,000 stream in without a pause."""
    seconds = bench.sizes.seconds
    with bench.server() as server:
        warm_up(bench, server)
        alone = send(server, bench.batches(server, "brevo", 20), 1)
        streamed = bench.batches(server, "brevo", int(seconds * 60))

        async def both() -> tuple[list[float], list[float]]:
            ends = time.perf_counter() + seconds

            def until(requests: Iterator[bytes]) -> Iterator[bytes]:
                for request in requests:
                    if time.perf_counter() > ends:
                        return
                    yield request

            few = until(bench.singles(server, int(seconds * 1000)))
            tills, imports = await asyncio.gather(
                drive(server.url, few, 4, pause_s=0.02), drive(server.url, until(iter(streamed)), 2)
            )
            return tills.latencies, imports.latencies

        tills, imports = run(both())
    tills.sort()
    imports.sort()
    batch = imports[len(imports) // 2]
    worst = tills[int(len(tills) * 0.99)]
    bench.note(
        "singles while two batches stream in, p99", ratio=worst / batch, figure=1.5, least=False,
        of=f"one such batch ({batch * 1000:.0f} ms, alone {alone.quantile_ms(0.5):.0f} ms)",
        p50_ms=tills[len(tills) // 2] * 1000, p99_ms=worst * 1000, per_s=len(imports) * 1000 / seconds,
        note=f"{len(tills)} singles",
    )  # fmt: skip


def loop(bench: Bench) -> None:
    """How long the event loop is held, at most, while batches of 1,000 of all contracts come in."""
    report = bench.folder / "ticks.json"
    with bench.server(module=("bench.ticking", str(report))) as server:
        for contract in ("brevo", "karrio", "centra"):
            send(server, bench.batches(server, contract, 3), 1)
            report.unlink(missing_ok=True)  # begin anew
            time.sleep(1.2)
            send(server, bench.batches(server, contract, bench.sizes.batches), 2)
            found = _report(report)
            bench.note(
                f"event loop held, {contract} 1,000, longest", ratio=found["held_ms"], of="1 ms", figure=5,
                least=False, note=f"turns above 5 ms: {found['long']} of {found['turns']}",
            )  # fmt: skip


def _report(path: Path) -> dict[str, float]:
    """What the ticker has written since the file was removed; it does so twice a second."""
    time.sleep(1.2)
    found: dict[str, float] = orjson.loads(path.read_bytes())
    return found
