"""What a case works with, and what it reports."""

from __future__ import annotations

import statistics
from collections.abc import Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.corpus import Corpus
from bench.load import BATCHES, SINGLES, Load, drive, post
from bench.raw import Raw, RawPostgres, RawSqlite
from bench.server import KEY, Server


class Sizes(msgspec.Struct, frozen=True):
    """How much is sent. Rounds alternate between what is compared, so that both meet the same weather."""

    rounds: int
    batches: int  # of 1,000 orders in a round
    singles: int  # in a round
    stored: tuple[int, ...]  # sizes of the ledger at which pages are read
    repeated: int  # orders of the re-import
    seconds: float  # of the mixed run


QUICK = Sizes(rounds=3, batches=10, singles=3_000, stored=(1_000, 20_000), repeated=10_000, seconds=4)
FULL = Sizes(rounds=5, batches=24, singles=10_000, stored=(1_000, 100_000), repeated=100_000, seconds=10)


class Result(msgspec.Struct, kw_only=True):
    """One line of the table. `ratio` is held against `figure`; `least` False: the ratio must stay below it."""

    store: str
    case: str
    ratio: float | None = None
    figure: float | None = None
    least: bool = True
    of: str = ""  # what the ratio is a share of
    per_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None  # of the program, per order
    peak_mb: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.ratio is None or self.figure is None:
            return None
        return self.ratio >= self.figure if self.least else self.ratio <= self.figure


class Bench:
    """One store, and the results so far."""

    def __init__(self, store: str, folder: Path, sizes: Sizes, database_url: str = "") -> None:
        self.store = store
        self.folder = folder
        self.sizes = sizes
        self.database_url = database_url
        self.corpus = Corpus()
        self.results: list[Result] = []
        self.next_number = 0

    def server(self, *, module: tuple[str, ...] = ("ordermill", "serve"), **settings: str) -> Server:
        return Server(self.folder, self.database_url, module=module, **settings)

    def raw(self) -> Raw:
        return RawPostgres(self.database_url) if self.database_url else RawSqlite(self.folder)

    def note(self, case: str, **values: Any) -> Result:
        result = Result(store=self.store, case=case, **values)
        self.results.append(result)
        print(f"  {result.store:<8} {result.case:<44} {spell(result)}", flush=True)
        return result

    def fresh(self, count: int) -> int:
        """The first of `count` order numbers that were not sent before."""
        first, self.next_number = self.next_number, self.next_number + count
        return first

    def batches(self, server: Server, contract: str, count: int, size: int = 1000) -> list[bytes]:
        """Requests of orders never sent before."""
        first = self.fresh(count * size)
        return [self.batch(server, contract, self.corpus.body(contract, first + n * size, size)) for n in range(count)]

    def batch(self, server: Server, contract: str, body: bytes) -> bytes:
        return post(server.url, BATCHES[contract], contract, KEY, body)

    def singles(self, server: Server, count: int) -> Iterator[bytes]:
        first = self.fresh(count)
        for number in range(first, first + count):
            yield post(server.url, SINGLES["brevo"], "brevo", KEY, self.corpus.single("brevo", number))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine on an event loop of its own."""
    return uvloop.run(coroutine)


def send(server: Server, requests: Iterable[bytes], count: int, **options: Any) -> Load:
    return run(drive(server.url, requests, count, **options))  # type: ignore[no-any-return]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def spell(result: Result) -> str:
    """The figures of one line."""
    parts = []
    if result.ratio is not None:
        bound = "" if result.figure is None else f" ({'≥' if result.least else '≤'} {result.figure:g})"
        verdict = {True: " met", False: " MISSED", None: ""}[result.met]
        parts.append(f"{result.ratio:.2f} × {result.of}{bound}{verdict}")
    for value, unit, digits in (
        (result.per_s, "/s", 0),
        (result.p50_ms, "ms p50", 1),
        (result.p99_ms, "ms p99", 1),
        (result.cpu_us, "µs CPU/order", 1),
        (result.peak_mb, "MB", 0),
    ):
        if value is not None:
            parts.append(f"{value:,.{digits}f} {unit}")
    return "  ".join([*parts, result.note]).rstrip()
