"""`make bench`, `python -m bench`: Ordermill beside the raw limit of the store it runs on, in one run.

Every comparison alternates between its sides, so that both meet the same weather; the ratio is the evidence, not the
rate. Servers listen on loopback only, everything lies in a temporary folder, and nothing is left running.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from bench import console, events, intake, overload, processes, reading, singles
from bench.context import FULL, QUICK, Bench, Result, Sizes, spell
from bench.server import ROOT

CASES: dict[str, Callable[[Bench], None]] = {
    "batches": intake.batches,
    "alone": intake.alone,
    "again": intake.again,
    "singles": singles.singles,
    "mixed": singles.mixed,
    "overload": overload.overload,
    "loop": singles.loop,
    "pages": reading.pages,
    "console": console.pages,
    "memory": processes.memory,
    "start": processes.starting,
    "two": processes.two,
    "events": events.events,
}
ON_SQLITE_ONLY = ("loop", "start")  # the store makes no difference
ON_POSTGRES_ONLY = ("two",)


def main() -> int:
    asked = _arguments()
    sizes = QUICK if asked.quick else FULL
    if asked.million:
        sizes = Sizes(**{**{n: getattr(sizes, n) for n in sizes.__struct_fields__}, "stored": (1_000, 1_000_000)})
    results: list[Result] = []
    started = time.time()
    print(f"bench: {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}", flush=True)
    if "decode" in asked.cases:
        results += reading.decoding(sizes.rounds)
    for store in asked.stores:
        results += _on_store(store, asked, sizes)
    _write(asked.json, results, started)
    _summarise(results)
    return 1 if asked.strict and any(result.met is False for result in results) else 0


def _arguments() -> argparse.Namespace:
    names = ("decode", *CASES)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=_Plain)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"any of {', '.join(names)} (all of them)")
    parser.add_argument("--quick", action="store_true", help="small sizes: about three minutes")
    parser.add_argument("--store", dest="stores", action="append", choices=("sqlite", "postgres"), help="only one")
    parser.add_argument("--postgres", metavar="URL", help="a PostgreSQL to use (default: a throw-away one)")
    parser.add_argument("--million", action="store_true", help="pages and rates at 10^6 orders, and memory over 10^6")
    parser.add_argument("--json", type=Path, help="where the results go (bench/results/<time>.json)")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a figure is missed")
    asked = parser.parse_args()
    unknown = set(asked.cases) - set(names)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    asked.cases = asked.cases or list(names)
    asked.stores = asked.stores or ["sqlite", "postgres"]
    return asked


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the paragraphs of the description."""


def _on_store(store: str, asked: argparse.Namespace, sizes: Sizes) -> list[Result]:
    skipped = ON_SQLITE_ONLY if store == "postgres" and "sqlite" in asked.stores else ()
    skipped += ON_POSTGRES_ONLY if store == "sqlite" else ()
    wanted = [name for name in CASES if name in asked.cases and name not in skipped]
    if not wanted:
        return []
    if store == "sqlite":
        return [result for name in wanted for result in _run(store, name, asked, sizes, "")]
    sys.path.insert(0, str(ROOT / "tests"))
    import postgres_server

    if asked.postgres:
        return _on_postgres(wanted, asked, sizes, asked.postgres)
    programs = next(iter(postgres_server.installations().values()))
    server = postgres_server.PostgresServer(programs)
    try:
        return _on_postgres(wanted, asked, sizes, server.url)
    finally:
        server.stop()


def _on_postgres(wanted: list[str], asked: argparse.Namespace, sizes: Sizes, url: str) -> list[Result]:
    import postgres_server

    results = []
    for name in wanted:
        database = postgres_server.fresh_database(url)
        try:
            results += _run("postgres", name, asked, sizes, database)
        finally:
            postgres_server.drop_database(url, database)
    return results


def _run(store: str, name: str, asked: argparse.Namespace, sizes: Sizes, database_url: str) -> list[Result]:
    """One case in a folder (and a database) of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ordermill-bench-"))
    bench = Bench(store, folder, sizes, database_url)
    try:
        CASES[name](bench)
        if name == "memory" and asked.million:
            processes.long_run(bench, 1_000_000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return bench.results


def _write(path: Path | None, results: list[Result], started: float) -> None:
    path = path or ROOT / "bench" / "results" / time.strftime("%Y%m%d-%H%M%S.json", time.gmtime(started))
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    rows = [
        {**{name: getattr(result, name) for name in result.__struct_fields__}, "met": result.met} for result in results
    ]
    seconds = round(time.time() - started, 1)
    path.write_bytes(
        orjson.dumps({"machine": machine, "seconds": seconds, "results": rows}, option=orjson.OPT_INDENT_2)
    )
    print(f"\nwritten to {path} after {seconds:.0f} s")


def _summarise(results: list[Result]) -> None:
    missed = [result for result in results if result.met is False]
    met = sum(result.met is True for result in results)
    print(f"{met} figures met, {len(missed)} missed")
    for result in missed:
        print(f"  {result.store:<8} {result.case:<44} {spell(result)}")


if __name__ == "__main__":
    sys.exit(main())
