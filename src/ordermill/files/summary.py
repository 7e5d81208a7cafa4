"""How a file was understood, as it is kept with its import and shown: columns, fields, guesses, a few rows."""

from __future__ import annotations

import msgspec

from ordermill.files.errors_file import Origin
from ordermill.files.reading import Understood


class SummaryColumn(msgspec.Struct, frozen=True):
    """`field` is empty for a column that is passed over. `how`: told, preset, sure, guess, ours or ignored."""

    name: str
    field: str
    how: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of how a file was understood: enough to tell it, and to write its errors file."""

    contract: str = ""
    why: str = ""
    told: str = ""
    preset: str = ""
    sheet: str = ""
    form: str = ""
    guesses: tuple[str, ...] = ()
    columns: tuple[SummaryColumn, ...] = ()
    samples: tuple[tuple[str, ...], ...] = ()
    delimiter: str = ""


def summary(found: Understood) -> Summary:
    return Summary(
        contract=found.contract,
        why=found.why,
        told=found.sniffed.told(),
        preset=found.preset,
        sheet=found.sheet,
        form=found.form,
        guesses=found.guesses,
        columns=tuple(SummaryColumn(column.name, column.path, column.how) for column in found.columns),
        samples=found.samples,
        delimiter=found.sniffed.delimiter,
    )


def origin_of(found: Understood) -> Origin:
    return Origin(
        header=tuple(found.header),
        paths={column.path: column.name for column in found.columns if column.path},
        delimiter=found.sniffed.delimiter or ",",
        contract=found.contract,
    )


def origin_kept(understood: str) -> Origin:
    """The same from the Summary that is kept with the import."""
    kept = msgspec.json.decode(understood, type=Summary)
    return Origin(
        header=tuple(column.name for column in kept.columns),
        paths={column.field: column.name for column in kept.columns if column.field},
        delimiter=kept.delimiter or ",",
        contract=kept.contract,
    )
