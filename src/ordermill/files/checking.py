"""What an import found, grouped by cause: counts, an example, what to do. Bounded, however many orders fail."""

from __future__ import annotations

import msgspec

from ordermill.core.batch import Problem
from ordermill.files import fields
from ordermill.files.errors_file import Origin
from ordermill.files.reading import Piece

CAUSES_MAX = 200


class Cause(msgspec.Struct, kw_only=True):
    """One reason, how many orders it concerns, and the first of them. `column`: where in the file it stands."""

    code: str
    field: str
    column: str
    message: str
    hint: str
    count: int = 0
    row: int = 0
    value: str | None = None
    warning: bool = False


class Report(msgspec.Struct, kw_only=True):
    """The sums of a file. `lost`: our field -> orders whose value the contract cannot carry."""

    orders: int = 0
    rows: int = 0
    failed: int = 0
    with_lines: int = 0
    warned: int = 0
    causes: list[Cause] = []
    more_causes: int = 0
    lost: dict[str, int] = {}

    @property
    def fine(self) -> int:
        return self.orders - self.failed

    def sorted_causes(self) -> list[Cause]:
        """Errors before warnings, the most frequent first."""
        return sorted(self.causes, key=lambda cause: (cause.warning, -cause.count))


class Tally:
    """Collects while pieces go by. An order counts once for each of its causes."""

    def __init__(self, origin: Origin, given: set[str]) -> None:
        self.origin = origin
        self.given = given
        self.report = Report(causes=[], lost={})
        self._causes: dict[tuple[str, str, bool], Cause] = {}
        self._more: set[tuple[str, str, bool]] = set()

    def add(self, piece: Piece, refused: tuple[Problem, ...] = ()) -> None:
        """One order of the file; `refused`: what only the ledger had to say of it."""
        report = self.report
        report.orders += 1
        report.rows += len(piece.rows) or 1
        report.with_lines += len(piece.rows) > 1
        problems = piece.draft.problems or refused
        if problems:
            report.failed += 1
            self._count(problems, piece, warning=False)
        if piece.made.warnings:
            report.warned += 1
            self._count(piece.made.warnings, piece, warning=True)
        for name in piece.made.lost:
            if not problems if name in FILLED_IN else name in self.given:  # an order that fails is sent nothing
                report.lost[name] = report.lost.get(name, 0) + 1

    def _count(self, problems: tuple[Problem, ...], piece: Piece, *, warning: bool) -> None:
        seen = set()
        for problem in problems:
            key = (problem.code, fields.without_index(problem.field), warning)
            if key in seen:
                continue
            seen.add(key)
            cause = self._causes.get(key)
            if cause is None:
                if len(self._causes) >= CAUSES_MAX:
                    self._more.add(key)
                    self.report.more_causes = len(self._more)
                    continue
                cause = self._causes[key] = Cause(
                    code=problem.code,
                    field=key[1],
                    column=self.origin.column(key[1]),
                    message=problem.message,
                    hint=problem.hint,
                    row=_row(piece, problem),
                    value=problem.value,
                    warning=warning,
                )
                self.report.causes.append(cause)
            cause.count += 1


# What a contract insists on and is given where the file does not say it; shown, because nobody wrote it.
FILLED_IN = {"lines.weight": ("karrio", "0 KG is sent where no weight is told")}


def _row(piece: Piece, problem: Problem) -> int:
    if not piece.rows:
        return int(piece.draft.key) if piece.draft.key.isdecimal() else piece.position + 1
    line = fields.line_index(problem.field) or 0
    return piece.rows[line if line < len(piece.rows) else 0][0]
