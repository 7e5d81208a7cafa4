"""What the commands print: results on standard output, progress and notes on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

BAR_CELLS = 30


def number(value: int) -> str:
    """`4 812`, as in every language."""
    return f"{value:,}".replace(",", " ")


def plural(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def note(text: str) -> None:
    click.echo(text, err=True)


def as_json(value: Any) -> None:
    """One document."""
    click.echo(msgspec.json.encode(value).decode())


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> None:
    """Columns aligned by blanks; `right`: those that hold numbers."""
    if not rows:
        return
    rights = set(right)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in rights else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def counts_line(counts: Any) -> str:
    """`4 201 created, 412 updated, 13 unchanged, 164 failed`"""
    said = [
        f"{number(getattr(counts, word))} {word}"
        for word in ("created", "updated", "unchanged", "failed", "waiting")
        if getattr(counts, word) or word == "created"
    ]
    return ", ".join(said)


class Progress:
    """A bar with rate and time left, on a terminal only; elsewhere a line now and then says where it is."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self.what = what
        self.quiet = quiet
        self.started = time.monotonic()
        self.first: tuple[int, float] | None = None
        self._told = 0.0
        self._live: Any = None
        self.terminal = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Progress:
        if self.terminal:
            from rich.console import Console
            from rich.live import Live
            from rich.text import Text

            self._text = Text
            console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
            self._live = Live(Text(f" {self.what} …"), console=console, refresh_per_second=8, transient=False)
            self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def show(self, done: int, share: float, failed: int) -> None:
        """`share`: 0 to 1 of the file."""
        now = time.monotonic()
        if self.first is None:
            self.first = (done, share)
        seconds = max(0.001, now - self.started)
        rate = (done - 0) / seconds
        left = seconds / share - seconds if share > 0 else 0.0
        total = int(done / share) if share > 0.001 else done
        if self._live is not None:
            self._live.update(self._text(self._line(done, total, share, failed, rate, left)))
        elif not self.quiet and now - self._told > 5 and share < 1:
            self._told = now
            told = f"{number(done)} orders ({share:.0%}), {number(failed)} failed, {number(int(rate))} orders/s"
            note(f" {self.what} {told}")

    def _line(self, done: int, total: int, share: float, failed: int, rate: float, left: float) -> str:
        encoding = (sys.stderr.encoding or "").lower()
        full, empty = ("━", "┄") if "utf" in encoding else ("#", "-")
        bar = full * round(BAR_CELLS * share) + empty * (BAR_CELLS - round(BAR_CELLS * share))
        of = f"/{number(total)}" if share >= 1 else f" of about {number(total)}"
        minutes, seconds = divmod(int(left), 60)
        hours, minutes = divmod(minutes, 60)
        return (
            f" {self.what} {bar} {number(done)}{of}   {number(failed)} failed   {number(int(rate))} orders/s"
            f"   {hours}:{minutes:02}:{seconds:02}"
        )
