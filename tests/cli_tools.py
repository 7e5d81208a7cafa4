"""What tests of the command line share."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from server_process import ROOT

from ordermill.examples import night

MENDED = {night.LONG_STATE: "NSW", "kgs": "KG", "UK": "GB"}


def environment(folder: Path) -> dict[str, str]:
    """No settings of the machine, and no state outside of the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERMILL_", "XDG_"))}
    return {
        **kept, "PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(folder / "state"), "NO_COLOR": "1",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }  # fmt: skip


def mended(errors: str) -> str:
    """An errors file as somebody with a spreadsheet would mend it: only the columns that are theirs."""
    rows = list(csv.reader(io.StringIO(errors, newline="")))
    width = sum(not name.startswith("ordermill_") for name in rows[0])
    goods = ("MUG-01", "Mug, stoneware", "1", "12.50", "0.38", "KG")
    for row in rows[1:]:
        row[:width] = [MENDED.get(cell, cell) for cell in row[:width]]
        if not row[9]:
            row[9:15] = goods
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def counts_of(ordermill: Any, data: Path) -> dict[str, int]:
    """How many orders the ledger holds, counted by exporting them; a reference that stands twice is a failure."""
    ran = ordermill("orders", "export", data=data)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert len(lines) == len(set(lines))
    return {"orders": len(lines)}
