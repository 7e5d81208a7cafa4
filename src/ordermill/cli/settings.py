"""`ordermill config` and `ordermill version`."""

from __future__ import annotations

import os
import platform
import sqlite3

import click

from ordermill import __version__
from ordermill.config import SECRETS, Config, load, sentence, unknown


@click.group()
def config() -> None:
    """Show and check the settings."""


@config.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(as_json: bool) -> None:
    """Every setting, its value and where it came from. Secrets are hidden."""
    import msgspec

    loaded = load()
    told = {
        name: {
            "value": "…" if name in SECRETS and getattr(loaded.config, name) else getattr(loaded.config, name),
            "origin": loaded.origins[name],
            "meaning": sentence(name),
        }
        for name in Config.__struct_fields__
    }
    if as_json:
        click.echo(msgspec.json.encode(told).decode())
        return
    for name, entry in told.items():
        click.echo(f"{name:<26} {entry['value']!s:<20} {entry['origin']:<12} {entry['meaning']}")


@config.command("check")
def check() -> None:
    """Exit 0 when every setting can be used, else say which cannot."""
    from ordermill.app import webhook_policy

    webhook_policy(load().config)
    for told in unknown(os.environ):
        click.echo(f"warning: {told}", err=True)
    click.echo("the settings can be used")


@click.command()
def version() -> None:
    """Show the version, and what it runs on."""
    click.echo(f"Ordermill {__version__}   Python {platform.python_version()}   SQLite {sqlite3.sqlite_version}")
