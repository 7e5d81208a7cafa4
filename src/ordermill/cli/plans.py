"""The options that say how a file is to be read, shared by import, map, push and convert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from ordermill.files import mapping
from ordermill.files.mapping import Plan

F = TypeVar("F", bound=Callable[..., Any])
DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}

OPTIONS = (
    click.option(
        "--preset",
        metavar="NAME",
        help="Columns of shopify, woocommerce, magento, amazon or karrio, recognised by themselves; for import also "
        "one of your own (ordermill presets).",
    ),
    click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="FILE.toml|COLUMN=FIELD",
        help="A map file, or one column; repeat. FIELD - passes a column over.",
    ),
    click.option(
        "--set",
        "constants",
        multiple=True,
        metavar="FIELD=VALUE",
        help="A value for orders that do not say it, e.g. status=completed.",
    ),
    click.option("--sheet", metavar="NAME", help="Which sheet of a spreadsheet; the first unless told."),
    click.option("--delimiter", metavar="CHAR", help="What stands between cells: , ; | tab. Found out unless told."),
    click.option("--encoding", metavar="NAME", help="How texts are coded, e.g. utf-8, cp1252. Found out unless told."),
    click.option(
        "--date-format", metavar="FORM", help="e.g. DD.MM.YYYY, MM/DD/YYYY HH:mm, unix. Found out unless told."
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="The decimal sign. Found out unless told."),
    click.option(
        "--timezone", "zone", metavar="ZONE", help="Zone of times without one, e.g. Europe/Zurich. UTC unless told."
    ),
    click.option("--currency", metavar="CODE", help="Currency of orders that name none."),
    click.option("--source", metavar="NAME", help="Source (Karrio) or store (Centra) of orders that name none."),
    click.option(
        "--group-by",
        type=click.Choice(["adjacent", "id"]),
        default="adjacent",
        show_default=True,
        help="Whether rows of one order must follow each other, or may stand anywhere.",
    ),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N orders."),
)


def plan_options(command: F) -> F:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def make_plan(
    *,
    preset: str | None,
    maps: tuple[str, ...],
    constants: tuple[str, ...],
    sheet: str | None,
    delimiter: str | None,
    encoding: str | None,
    date_format: str | None,
    decimal: Any,
    zone: str | None,
    currency: str | None,
    source: str | None,
    group_by: str,
    limit: int | None,
    contract: str | None = None,
) -> Plan:
    """Raises Unusable for what cannot be meant."""
    told = mapping.told_pairs(constants)
    for path in told:
        mapping.check_path(path)
    if currency:
        told.setdefault("currency", currency)
    plan = Plan(
        contract=contract or "",
        preset=preset or "",
        constants=told,
        sheet=sheet,
        delimiter=DELIMITERS.get(delimiter, delimiter) if delimiter else None,
        encoding=encoding,
        decimal=decimal,
        date_format=date_format,
        zone=zone or "UTC",
        source=source or "",
        group="all" if group_by == "id" else "adjacent",
        limit=limit,
    )
    pairs = []
    for entry in maps:
        if entry.endswith(".toml") and "=" not in entry:
            plan = mapping.with_preset(plan, mapping.load_preset(Path(entry)))
        else:
            pairs.append(entry)
    return msgspec.structs.replace(plan, columns=mapping.told_pairs(pairs))
