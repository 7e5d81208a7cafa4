"""`ordermill presets`: mappings kept under a name, for the next file of that shape."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from ordermill.cli.batches import json_option, test_option
from ordermill.cli.connecting import connected, server_options
from ordermill.cli.importing import CONTRACTS
from ordermill.cli.options import fail, store_options
from ordermill.cli.plans import make_plan, plan_options
from ordermill.cli.showing import as_json, note, table
from ordermill.client.steps import Refused
from ordermill.files.mapping import IGNORE
from ordermill.files.sniffing import Unusable
from ordermill.web.plans import tell_plan

SERVER = ("server", "key", "key_file", "profile", "data", "database_url", "test")


@click.group()
def presets() -> None:
    """Mappings of your own, kept under a name: ordermill import FILE --preset NAME."""


@presets.command("list")
@json_option
@test_option
@server_options
@store_options
def list_(json_: bool, **options: Any) -> None:
    """All presets of your own, by name."""
    with connected(options) as client:
        found = client.presets()
    if json_:
        as_json(found)
    elif found:
        rows = [("preset", "contract", "columns", "saved at")]
        for preset in found:
            taken = sum(field != IGNORE for field in preset.plan.columns.values())
            columns = f"{taken} of {len(preset.plan.columns)}"
            rows.append((preset.name, preset.plan.contract or "as guessed", columns, preset.updated_at[:19]))
        table(rows, right=(2,))
    else:
        note("no preset of your own yet: ordermill presets save NAME --map FILE.toml")
    if not found:
        sys.exit(6)


@presets.command("save")
@click.argument("name")
@click.option("--as", "contract", type=CONTRACTS, help="As which contract's orders they go in.")
@click.option("--historical/--live", default=True, show_default=True, help="Past orders, or live ones.")
@plan_options
@test_option
@server_options
@store_options
def save(name: str, historical: bool, **options: Any) -> None:
    """Keep a mapping under a name. One of that name is replaced.

    `ordermill map FILE --write MAP.toml` writes the mapping of a file, for --map here.
    """
    where = {option: options.pop(option) for option in SERVER}
    try:
        plan = msgspec.structs.replace(make_plan(**options), historical=historical)
    except Unusable as error:
        fail(str(error), 2)
    with connected(where) as client:
        try:
            made = client.save_preset(name, tell_plan(plan))
        except Refused as error:
            if error.status not in (409, 422):
                raise
            fail(error.message + (f" ({error.hint})" if error.hint else ""), 2)
    note(f"saved; use it with --preset '{made.name}'")


@presets.command("delete")
@click.argument("name")
@test_option
@server_options
@store_options
def delete(name: str, **options: Any) -> None:
    """Forget a preset. What was imported by it stays as it is."""
    with connected(options) as client:
        client.delete_preset(name)
    note(f"deleted {name}")
