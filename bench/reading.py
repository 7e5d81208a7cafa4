"""Reading: bodies decoded and validated in this process, and pages of a ledger that grows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import orjson

from bench.context import Bench, Result, median, send, spell
from bench.corpus import with_bad
from bench.load import get
from bench.server import KEY, Server

PAGES = 30  # requests per kind of page


def decoding(rounds: int) -> list[Result]:
    """Decode and validate 1,000 orders beside orjson.loads of the same body; then with 5 % bad orders among them.

    Two figures for Brevo: what is asked (types, limits, every order by itself), and all that a reading does besides:
    money and instants in one spelling, identifiers, content hash, the draft for the ledger.
    """
    from bench.corpus import Corpus
    from ordermill.core.limits import Limits
    from ordermill.dialects.brevo import inbound as brevo
    from ordermill.dialects.centra import inbound as centra
    from ordermill.dialects.karrio import wire
    from ordermill.dialects.karrio.inbound import Reader
    from ordermill.running import calm_collector

    limits = Limits()
    rules = wire.rules(
        "source", "contract", text_chars=limits.text_chars, lines=limits.lines_per_order, keys=limits.metadata_keys,
        nesting=limits.nesting,
    )  # fmt: skip
    karrio = Reader(rules, wire.strict_decoder(rules), limits.orders)
    corpus = Corpus()
    bodies = {name: [corpus.body(name, n * 1000, 1000) for n in range(6)] for name in ("brevo", "karrio", "centra")}
    bodies["brevo, 5 % bad"] = [with_bad(body, 0.05) for body in bodies["brevo"]]
    decoder = brevo._order_decoder

    def validated(body: bytes) -> Any:
        return [decoder.decode(raw) for raw in brevo.read_envelope(body)[1]]

    readings: dict[str, tuple[str, Callable[[bytes], Any]]] = {
        "brevo, decode and validate": ("brevo", validated),
        "brevo, the whole reading": ("brevo", lambda body: brevo.read_batch(body, now=1)),
        "brevo, 5 % bad": ("brevo, 5 % bad", lambda body: brevo.read_batch(body, now=1)),
        "karrio, the whole reading": ("karrio", lambda body: karrio.read_batch(body, now=1)),
        "centra, the whole reading": ("centra", lambda body: centra.read_batch(body, now=1)),
    }
    taken: dict[str, list[float]] = {name: [] for name in readings}
    beside: dict[str, list[float]] = {name: [] for name in readings}
    gc.collect()
    calm_collector()  # as the server does
    for _ in range(rounds):
        for name, (kind, read) in readings.items():
            for body in bodies[kind]:
                beside[name].append(_cpu(orjson.loads, body))
                taken[name].append(_cpu(read, body))
    results = []
    for name in readings:
        ratio, of, figure = median(taken[name]) / median(beside[name]), "orjson.loads", None
        if name == "brevo, 5 % bad":
            ratio, of, figure = median(taken[name]) / median(taken["brevo, the whole reading"]), "all good", 1.1
        elif name == "brevo, decode and validate":
            figure = 1.3
        result = Result(
            store="-", case=name, ratio=ratio, of=of, figure=figure, least=False, p50_ms=median(taken[name]) * 1000
        )
        print(f"  {result.store:<8} {result.case:<44} {spell(result)}", flush=True)
        results.append(result)
    return results


def _cpu(read: Callable[[bytes], Any], body: bytes) -> float:
    started = time.process_time()
    kept = read(body)
    taken = time.process_time() - started
    del kept
    return taken


def pages(bench: Bench) -> None:
    """Pages at the sizes asked for, first and deep ones, what has changed lately; and the rate of new orders."""
    rates: dict[int, float] = {}
    taken: dict[str, dict[int, float]] = {}
    with bench.server() as server:
        stored = 0
        for size in bench.sizes.stored:
            while stored < size:
                step = min(20, (size - stored + 999) // 1000)
                send(server, bench.batches(server, "brevo", step), 4)
                stored += step * 1000
            for name, path in _asked(server, size).items():
                request = get(server.url, path[1], path[0], KEY)
                load = send(server, [request] * PAGES, 1)
                taken.setdefault(name, {})[size] = load.quantile_ms(0.5)
            rates[size] = median(
                10_000 / send(server, bench.batches(server, "brevo", 10), 4).seconds for _ in range(bench.sizes.rounds)
            )
            stored += 10_000 * bench.sizes.rounds
        idle = server.memory_mb()
    least, most = min(bench.sizes.stored), max(bench.sizes.stored)
    for name, found in taken.items():
        spelled = ", ".join(f"{size:,}: {ms:.1f} ms" for size, ms in found.items())
        bench.note(f"page, {name}", ratio=found[most] / found[least], of=f"the same at {least:,}", note=spelled)
    bench.note(
        f"rate of new orders at {most:,} stored", ratio=rates[most] / rates[least], of=f"the rate at {least:,}",
        figure=0.8, per_s=rates[most], peak_mb=idle,
    )  # fmt: skip


def _asked(server: Server, size: int) -> dict[str, tuple[str, str]]:
    """Name -> (contract, path) of the pages that are read; the deep one lies in the middle of what is there."""
    middle = size // 2
    first = orjson.loads(_once(server, get(server.url, "/api/v1/orders?limit=50", "ordermill", KEY)))
    following = first.get("nextCursor") or first.get("next") or ""
    found = {
        "brevo newest 50": ("brevo", "/v3/orders?limit=50"),
        "brevo 50 from the middle on": ("brevo", f"/v3/orders?limit=50&offset={middle}"),
        "brevo modifiedSince, nothing newer": ("brevo", "/v3/orders?limit=50&modifiedSince=2030-01-01T00:00:00Z"),
        "brevo modifiedSince, all newer": ("brevo", "/v3/orders?limit=50&modifiedSince=2020-01-01T00:00:00Z"),
        "own API first 50": ("ordermill", "/api/v1/orders?limit=50"),
    }
    if following:
        found["own API next 50"] = ("ordermill", f"/api/v1/orders?limit=50&cursor={following}")
    return found


def _once(server: Server, request: bytes) -> bytes:
    from bench.context import run
    from bench.load import connections

    async def ask() -> bytes:
        async with connections(server.url, 1) as (connection,):
            return (await connection.send(request))[1]

    return run(ask())  # type: ignore[no-any-return]
