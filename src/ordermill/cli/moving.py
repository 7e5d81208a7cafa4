"""`ordermill migrate-store`: a ledger from SQLite to PostgreSQL, or back."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ordermill.cli.options import fail, settings, told_plainly


@click.command("migrate-store")
@click.option("--from", "source", required=True, metavar="WHERE", help="A data directory, or postgresql://…")
@click.option(
    "--to", "target", required=True, metavar="WHERE", help="A data directory, or postgresql://…; a fresh one."
)
def migrate_store(source: str, target: str) -> None:
    """Move a whole ledger to the other database: orders, history, batches, keys, events, everything.

    No server may use either of the two meanwhile. Ids and keys stay the same; the source is not changed.
    """
    from ordermill.app import DATABASE_FILE, make_engine, prepare
    from ordermill.holding import lock_data
    from ordermill.store.moving import CannotMove, move

    base = settings(bootstrap_key="")
    configs = [msgspec.structs.replace(base, bootstrap_key="", **_place(where)) for where in (source, target)]
    if not configs[0].database_url and not (Path(configs[0].data) / DATABASE_FILE).is_file():
        fail(f"there is no ledger in {source}")  # a slip of the pen must not become an empty ledger that was "moved"
    with told_plainly():
        locks = [lock_data(config) for config in configs]
        engines = [make_engine(config) for config in configs]
        for engine, config in zip(engines, configs, strict=True):
            prepare(engine, config)
        try:
            moved = move(engines[0], engines[1])
        except CannotMove as error:
            fail(str(error))
        for lock in locks:
            if lock is not None:
                lock.close()
    for table, rows in moved.items():
        if rows:
            click.echo(f"{table:<20} {rows}")
    click.echo(f"moved {sum(moved.values())} rows; start the server on the new ledger", err=True)


def _place(where: str) -> dict[str, str]:
    if where.startswith(("postgresql://", "postgres://")):
        return {"database_url": where}
    return {"database_url": "", "data": where}
