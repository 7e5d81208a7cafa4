"""Taking batches in: each contract beside the raw limit, the same orders again, newer versions of them."""

from __future__ import annotations

from bench.context import Bench, median, send
from bench.server import Server

LANES = 4  # batches under way at once
RAW_CONNECTIONS = {"sqlite": 1, "postgres": 2}
OF_RAW = {"sqlite": 0.30, "postgres": 0.45}
CPU_US = {"sqlite": 22, "postgres": 16}


def batches(bench: Bench) -> None:
    """Batches of 1,000 in every contract and of 100, each round beside the bulk load of the same rows."""
    rounds: dict[str, list[float]] = {name: [] for name in ("brevo", "karrio", "centra", "brevo 100", "raw")}
    cpu: dict[str, list[float]] = {name: [] for name in rounds}
    latencies: dict[str, list[float]] = {name: [] for name in rounds}
    count = bench.sizes.batches
    with bench.server() as server:
        warm_up(bench, server)
        raw = bench.raw()
        for _ in range(bench.sizes.rounds):
            for name in ("brevo", "karrio", "centra", "brevo 100"):
                size = 100 if name == "brevo 100" else 1000
                requests = bench.batches(server, name.split()[0], count * 1000 // size, size)
                before = server.cpu_s()
                load = send(server, requests, LANES if size == 1000 else 16)
                cpu[name].append((server.cpu_s() - before) / count * 1000)
                rounds[name].append(count * 1000 / load.seconds)
                latencies[name] += load.latencies
                if name == "brevo":
                    rows = raw.newest(count)
                    rounds["raw"].append(count * 1000 / raw.load(rows, RAW_CONNECTIONS[bench.store])[-1])
        raw.close()
        peak = server.memory_mb(peak=True)
    bench.note("raw: the same rows in bulk, no index", per_s=median(rounds["raw"]))
    ratios = [own / limit for own, limit in zip(rounds["brevo"], rounds["raw"], strict=True)]
    for name in ("brevo", "brevo 100", "karrio", "centra"):
        found = sorted(latencies[name])
        beside = [own / brevo for own, brevo in zip(rounds[name], rounds["brevo"], strict=True)]
        bench.note(
            f"batches, {name if ' ' in name else name + ' 1,000'}",
            ratio=median(ratios) if name == "brevo" else median(beside),
            of="raw" if name == "brevo" else "brevo 1,000",
            figure=OF_RAW[bench.store] if name == "brevo" else 0.8 if name in ("karrio", "centra") else None,
            per_s=median(rounds[name]),
            p50_ms=found[len(found) // 2] * 1000,
            p99_ms=found[int(len(found) * 0.99)] * 1000,
            cpu_us=median(cpu[name]),
            peak_mb=peak,
        )
    bench.note(
        "program CPU per order, brevo 1,000", ratio=median(cpu["brevo"]), of="1 µs", figure=CPU_US[bench.store],
        least=False,
    )  # fmt: skip


def warm_up(bench: Bench, server: Server) -> None:
    send(server, bench.batches(server, "brevo", 4), 2)


def alone(bench: Bench) -> None:
    """One batch at a time: how long until it is acknowledged, beside the bare commit of the same rows."""
    count = max(30, bench.sizes.batches * bench.sizes.rounds)
    with bench.server() as server:
        warm_up(bench, server)
        raw = bench.raw()
        own: list[float] = []
        bare: list[float] = []
        for _ in range(count // 10):
            own += send(server, bench.batches(server, "brevo", 10), 1).latencies
            bare += raw.load(raw.newest(10))[:-1]
        raw.close()
    for share, figure, name in ((0.5, 2.0, "p50"), (0.99, 6.0, "p99")):
        mine, theirs = (sorted(values)[int(len(values) * share)] * 1000 for values in (own, bare))
        bench.note(
            f"one batch of 1,000 alone, {name}", ratio=mine / theirs, of=f"bare commit ({theirs:.1f} ms)",
            figure=figure, least=False, p50_ms=mine if share == 0.5 else None, p99_ms=mine if share != 0.5 else None,
        )  # fmt: skip


def again(bench: Bench) -> None:
    """The same orders once more (unchanged), and a newer version of each (updated), beside new ones."""
    size, total = 1000, bench.sizes.repeated
    steps = 5
    part = total // steps
    rates: dict[str, list[float]] = {"new": [], "unchanged": [], "updated": []}
    with bench.server() as server:
        warm_up(bench, server)
        for step in range(steps):
            first = bench.fresh(part)
            for name, change in (("new", 0), ("unchanged", 0), ("updated", 1 + step)):
                requests = [
                    bench.batch(server, "brevo", bench.corpus.body("brevo", first + at, size, change))
                    for at in range(0, part, size)
                ]
                rates[name].append(part / send(server, requests, LANES).seconds)
    for name, figure in (("unchanged", 1.5), ("updated", None)):
        beside = [one / other for one, other in zip(rates[name], rates["new"], strict=True)]
        bench.note(
            f"{total:,} orders once more, {name}", ratio=median(beside), of="new ones", figure=figure,
            per_s=median(rates[name]),
        )  # fmt: skip
