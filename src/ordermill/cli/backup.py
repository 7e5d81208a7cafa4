"""`ordermill backup`: copies of an SQLite ledger, made while it is in use, checked, and put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from ordermill.cli.options import fail, settings, told_plainly
from ordermill.config import Config


@click.group()
def backup() -> None:
    """Make, check, list and restore backups of the SQLite ledger.

    For PostgreSQL use its own tools: docs/operations.md has the commands.
    """


@backup.command("create")
@click.option("--to", "folder", metavar="DIR", help="Where it goes; default: backups/ in the data directory.")
@click.option("--data", metavar="DIR", help="Directory of the SQLite ledger (ORDERMILL_DATA).")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
def create(folder: str | None, as_json: bool, **options: Any) -> None:
    """Copy the ledger, with the server running or not, and check the copy."""
    from ordermill.app import DATABASE_FILE
    from ordermill.store import backup as copies

    config = _sqlite(options)
    source = Path(config.data) / DATABASE_FILE
    if not source.exists():
        fail(f"there is no ledger in {config.data}")
    with told_plainly(), told_as_copy():
        manifest = copies.create(source, _folder(config, folder))
    click.echo(
        msgspec.json.encode(manifest).decode() if as_json else f"{manifest.name}   {manifest.orders} orders, sound"
    )


@backup.command("verify")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(path: Path) -> None:
    """Check that a backup is whole: size, SHA-256, every page, and that it holds what its manifest says."""
    from ordermill.store import backup as copies

    with told_as_copy():
        manifest = copies.check(path)
    click.echo(f"{manifest.name} is sound: {manifest.orders} orders, schema {manifest.schema}")


@backup.command("restore")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", metavar="DIR", help="Directory of the SQLite ledger (ORDERMILL_DATA).")
def restore(path: Path, **options: Any) -> None:
    """Put a backup in the place of the ledger. The server must not run; what is there now is kept beside it."""
    from ordermill.app import DATABASE_FILE
    from ordermill.holding import lock_data
    from ordermill.store import backup as copies

    config = _sqlite(options)
    with told_plainly(), told_as_copy():
        lock = lock_data(config)
        kept = copies.restore(path, Path(config.data) / DATABASE_FILE)
        if lock is not None:
            lock.close()
    click.echo(f"restored {path.name}" + (f"; what was there is kept as {kept.name}" if kept else ""), err=True)


@backup.command("list")
@click.option("--from", "folder", metavar="DIR", help="Where they are; default: backups/ in the data directory.")
@click.option("--data", metavar="DIR", help="Directory of the SQLite ledger (ORDERMILL_DATA).")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_(folder: str | None, as_json: bool, **options: Any) -> None:
    """The backups, oldest first."""
    from ordermill.store import backup as copies

    manifests = copies.found(_folder(_sqlite(options), folder))
    if as_json:
        click.echo(msgspec.json.encode(manifests).decode())
        return
    if not manifests:
        click.echo("no backup yet: ordermill backup create", err=True)
    for manifest in manifests:
        kind = "scheduled" if manifest.scheduled else "by hand"
        size = f"{manifest.size_bytes:>13,} bytes {manifest.orders:>9} orders"
        click.echo(f"{manifest.created_at} {size}   {kind:<9}   {manifest.name}")


def _sqlite(options: dict[str, Any]) -> Config:
    config = settings(**options)
    if config.database_url and not options.get("data"):
        fail("backups of PostgreSQL are made with its own tools: pg_dump --format=custom (docs/operations.md)")
    return config


def _folder(config: Config, named: str | None) -> Path:
    return Path(named) if named else Path(config.data) / "backups"


class told_as_copy:
    """What is wrong with a copy becomes one line and exit code 3."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from ordermill.store.backup import BadCopy

        if isinstance(error, BadCopy | OSError):
            fail(str(error))
