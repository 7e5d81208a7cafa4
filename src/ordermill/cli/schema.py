"""`ordermill migrate`."""

from __future__ import annotations

import click

from ordermill.cli.options import settings, store_options, told_plainly


@click.command()
@click.option("--plan", is_flag=True, help="Only show what would be applied.")
@store_options
def migrate(plan: bool, **options: object) -> None:
    """Bring the schema up to date. `serve` does it by itself at start."""
    from ordermill.app import make_engine, prepare
    from ordermill.holding import lock_data
    from ordermill.store import migrating

    config = settings(**options)
    with told_plainly():
        engine = make_engine(config)
        waiting = migrating.pending(engine)
        if plan:
            for migration in waiting:
                click.echo(f"{migration.version}\n{migration.text}")
            click.echo(f"{len(waiting)} of {len(migrating.shipped(engine.name))} schema files to apply", err=True)
            return
        lock = lock_data(config)
        for version in prepare(engine, config):
            click.echo(f"applied {version}")
        click.echo("the schema is up to date", err=True)
        if lock is not None:
            lock.close()
