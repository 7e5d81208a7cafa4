"""`ordermill serve` and `ordermill worker`."""

from __future__ import annotations

import sys

import click

from ordermill.cli.options import settings, store_options, told_plainly


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on (ORDERMILL_HOST, default 127.0.0.1).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port to listen on, 0 for a free one (ORDERMILL_PORT, 8080).",
)
@click.option("--background/--no-background", default=None, help="Deliver events and clean up in this process too.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least level to log.")
@store_options
def serve(**options: object) -> None:
    """Run the server in the foreground. SIGTERM ends it cleanly within ten seconds."""
    from ordermill.running import serve as run

    with told_plainly():
        sys.exit(run(settings(**options)))


@click.command()
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least level to log.")
@store_options
def worker(**options: object) -> None:
    """Deliver events, run imports and clean up, without a server. For PostgreSQL, beside serve --no-background."""
    from ordermill.running import work

    with told_plainly():
        sys.exit(work(settings(**options)))
