"""Ordermill with a watch on its event loop: how long one turn of it works, at most.

Counted is the processor time of the loop's own thread between two ticks: what other programs and other threads take
away meanwhile is not the fault of whoever holds the loop. Written to the file named, twice a second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import orjson

from ordermill import running
from ordermill.app import House
from ordermill.config import load

TICK_S = 0.001
REPORT_S = 0.5
LONG_S = 0.005


async def watch(report: Path, house: House) -> None:
    held = 0.0
    turns = long = 0
    told = time.monotonic()
    while not house.stopping.is_set():
        before = time.thread_time()
        await asyncio.sleep(TICK_S)
        taken = time.thread_time() - before
        turns += 1
        long += taken > LONG_S
        held = max(held, taken)
        if time.monotonic() - told > REPORT_S:
            told = time.monotonic()
            if anew(report):
                held, turns, long = 0.0, 0, 0
            tell(report, held_ms=held * 1000, turns=turns, long=long)


def anew(report: Path) -> bool:
    """Whoever reads the report removes it to begin anew."""
    return not report.exists()


def tell(report: Path, **figures: float) -> None:
    fresh = report.with_suffix(".part")
    fresh.write_bytes(orjson.dumps(figures))
    fresh.rename(report)


def main() -> int:
    report = Path(sys.argv[1])
    config = load(options={"port": 0}).config
    return running.serve(config, lambda house, _url: watch(report, house))


if __name__ == "__main__":
    sys.exit(main())
