"""The geometry of bar charts; the macros draw it as SVG. Widths in percent, so that it fits without any script."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HEIGHT = 140  # pixels between the zero line and the highest tick


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: what it stands for and its two parts."""

    label: str
    title: str
    completed: int
    failed: int


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar as drawn. x and width in percent, the rest in pixels from the top."""

    x: float
    width: float
    completed_y: float
    completed_height: float
    failed_y: float
    failed_height: float
    title: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """`ticks`: the numbers beside the lines, from the top. `lines`: where they lie."""

    height: int
    ticks: tuple[int, ...]
    lines: tuple[float, ...]
    bars: tuple[Bar, ...]


def bars(columns: Sequence[Column]) -> Chart:
    """A chart of stacked bars, completed below failed."""
    top, steps = _scale(max((column.completed + column.failed for column in columns), default=0))
    pitch = 100 / max(len(columns), 1)
    drawn = []
    for place, column in enumerate(columns):
        completed = HEIGHT * column.completed / top
        failed = HEIGHT * column.failed / top
        if column.failed:
            failed = max(failed, 2.0)  # a failure is always to be seen
        drawn.append(
            Bar(
                x=round(place * pitch + pitch * 0.12, 3),
                width=round(pitch * 0.76, 3),
                completed_y=round(HEIGHT - completed, 2),
                completed_height=round(completed, 2),
                failed_y=round(HEIGHT - completed - failed, 2),
                failed_height=round(failed, 2),
                title=column.title,
            )
        )
    ticks = tuple(top - top * step // steps for step in range(steps + 1))
    lines = tuple(round(HEIGHT * step / steps, 2) for step in range(steps + 1))
    return Chart(height=HEIGHT, ticks=ticks, lines=lines, bars=tuple(drawn))


def _scale(highest: int) -> tuple[int, int]:
    """A round number not below the highest bar, and into how many steps it is cut."""
    if highest <= 4:
        return max(highest, 1), max(highest, 1)
    unit = 1
    while True:
        for factor, steps in ((5, 5), (10, 2), (15, 3), (20, 4), (30, 3), (40, 4)):
            if factor * unit >= highest:
                return factor * unit, steps
        unit *= 10


def share(part: int, whole: int) -> float:
    """Percent with one digit; never nothing for something, never everything for less."""
    if not whole or not part:
        return 0.0
    return 100.0 if part >= whole else min(max(round(100 * part / whole, 1), 0.4), 99.6)
