"""The command line: nouns and verbs. Each noun is a module of this folder, imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from ordermill import __version__

# name -> (module, attribute, what it does). A table, so that --help imports nothing but click.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("serving", "serve", "Run the server in the foreground."),
    "worker": ("serving", "worker", "Deliver events, run imports and clean up, without a server."),
    "demo": ("demo", "demo", "Start the server and push the documented examples through it."),
    "login-link": ("login", "login_link", "Print a one-time link that signs in to the console."),
    "import": ("importing", "import_", "Import orders from CSV, XLSX, ODS, NDJSON or JSON files."),
    "map": ("importing", "map_", "Show how a file's columns are understood."),
    "presets": ("presets", "presets", "List, save and delete mappings of your own, for import --preset."),
    "push": ("pushing", "push", "Push a file to any server that speaks one of the contracts."),
    "convert": ("convert", "convert", "Convert orders from one contract's form to another's."),
    "batches": ("batches", "batches", "List, show, watch, retry and cancel batches; get their failed orders."),
    "orders": ("orders", "orders", "List, show, export and erase orders."),
    "keys": ("keys", "keys", "Create, list, rotate and revoke API keys."),
    "accounts": ("keys", "accounts", "Create and list accounts."),
    "webhooks": ("webhooks", "webhooks", "Endpoints and deliveries: add, test, pause, replay, listen."),
    "migrate": ("schema", "migrate", "Bring the database's schema up to date, or show what would be done."),
    "migrate-store": ("moving", "migrate_store", "Move a ledger from SQLite to PostgreSQL, or back."),
    "backup": ("backup", "backup", "Make, check, list and restore backups of the SQLite ledger."),
    "erase": ("erasing", "erase", "Erase a person from the ledger."),
    "doctor": ("doctor", "doctor", "Check settings, database, backups and the running server."),
    "config": ("settings", "config", "Show and check the settings."),
    "completion": ("completion", "completion", "Print what completes commands in your shell."),
    "version": ("settings", "version", "Show the version."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"ordermill.cli.{entry[0]}"), entry[1])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="Ordermill")
def root() -> None:
    """Ordermill: a durable intake for orders that speaks Brevo, Karrio and Centra."""


def main(arguments: list[str] | None = None) -> Any:
    """Entry point. Exit codes: 0 good, 1 some orders failed, 2 usage, 3 environment, 4 not authorised, 5 network."""
    from ordermill.config import BadConfig

    try:
        return root.main(arguments, prog_name="ordermill")
    except BadConfig as error:
        print(f"ordermill: {error}", file=sys.stderr)
        sys.exit(3)
    except OSError as error:  # a file or folder that was named; whatever else the system refuses is a fault of ours
        if error.filename is None:
            raise
        print(f"ordermill: {error.filename} cannot be used: {error.strerror}", file=sys.stderr)
        sys.exit(3)
