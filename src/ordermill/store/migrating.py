"""Applies the numbered schema files once, in order, under a lock; refuses a database that is newer than the program.

Before the first change to a database that is in use already, an SQLite ledger is copied beside itself.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib.resources import files

import msgspec

from ordermill.store.backup import BadCopy
from ordermill.store.engine import Engine


class Migration(msgspec.Struct, frozen=True):
    """One file. `version`: its name. `_pre_` runs before the new program starts, `_post_` after the old one is gone."""

    version: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class SchemaTrouble(Exception):
    """The database and the program do not fit together; the message says what to do."""


def shipped(engine_name: str) -> tuple[Migration, ...]:
    """The files that come with this program, in order."""
    folder = files("ordermill.store") / engine_name / "migrations"
    found = [
        Migration(path.name.removesuffix(".sql"), path.read_text(encoding="utf-8"))
        for path in folder.iterdir()
        if path.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda migration: migration.version))


def applied(engine: Engine) -> dict[str, str]:
    """Version -> checksum of what the database has. Writes nothing."""
    connection = engine.connect(read_only=True)
    try:
        with connection.transaction() as tx:
            if tx.one("has_migrations") is None:
                return {}
            return {version: checksum for version, checksum, _ in tx.all("find_migrations")}
    finally:
        connection.close()


def pending(engine: Engine) -> tuple[Migration, ...]:
    """What would be applied now. Writes nothing. Raises SchemaTrouble when program and database do not fit together."""
    there = applied(engine)
    known = {migration.version: migration for migration in shipped(engine.name)}
    newer = sorted(set(there) - set(known))
    if newer:
        raise SchemaTrouble(
            f"the database was made by a newer Ordermill (it has {newer[-1]}); start that version, or restore a backup"
        )
    for version, checksum in sorted(there.items()):
        if known[version].checksum != checksum:
            raise SchemaTrouble(f"the migration {version} was changed after it was applied; reinstall this version")
    return tuple(migration for version, migration in sorted(known.items()) if version not in there)


def migrate(engine: Engine, now: int) -> tuple[str, ...]:
    """Applies what is pending, each file in a transaction of its own. The versions that were applied here."""
    if not pending(engine):
        return ()
    done = []
    with engine.alone():
        waiting = pending(engine)
        if waiting and applied(engine):
            _keep_copy(engine, waiting[0].version, now)
        for migration in waiting:
            if engine.script(migration.text, record=(migration.version, migration.checksum, now)):
                done.append(migration.version)
    return tuple(done)


def _keep_copy(engine: Engine, version: str, now: int) -> None:
    moment = datetime.fromtimestamp(now / 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        engine.keep_copy(f"before-{version}-{moment}")
    except (BadCopy, OSError) as error:
        raise SchemaTrouble(f"nothing was changed, because the copy to fall back on failed: {error}") from error
