"""`ordermill login-link`: a way into the console for whoever may run commands on this machine."""

from __future__ import annotations

from typing import Any

import click

from ordermill.cli.options import open_store, settings, store_options
from ordermill.cli.remote import address_of
from ordermill.config import Config
from ordermill.core.account import DEFAULT_ACCOUNT


@click.command("login-link")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Whose orders it shows.")
@click.option("--test", "test", is_flag=True, help="Begin in test mode; the mode can be switched in the console.")
@click.option("--url", metavar="URL", help="How the console is reached; default: the running server, or the settings.")
@store_options
def login_link(account: str, test: bool, url: str | None, **options: Any) -> None:
    """Print a link that signs in once, within a quarter of an hour. Whoever has it may do everything."""
    from ordermill.app import clock
    from ordermill.core.order import Mode
    from ordermill.store import accounts
    from ordermill.store.console import make_link

    config = settings(**options)
    with open_store(config) as transact:
        account_id = transact(lambda tx: accounts.get_account_by_name(tx, account)).id
        token = transact(lambda tx: make_link(tx, account_id, Mode.TEST if test else Mode.LIVE, clock()))
    click.echo(f"{(url or _base(config)).rstrip('/')}/login/{token}")


def _base(config: Config) -> str:
    """Where the server on this ledger answers, else where the settings would have it answer."""
    running = address_of(config)
    if running is None:
        host = f"[{config.host}]" if ":" in config.host else config.host
        running = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{config.port}"
    return running + config.root_path
