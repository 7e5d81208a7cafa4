"""Applies the numbered schema files once, in order, under a lock, and refuses a database newer than the program."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import msgspec

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


def pending(engine: Engine) -> tuple[Migration, ...]:
    """What would be applied now. Raises SchemaTrouble when the database knows what this program does not."""
    connection = engine.connect()
    try:
        with connection.transaction() as tx:
            tx.run("create_migrations")
            applied = {version: checksum for version, checksum, _ in tx.all("find_migrations")}
    finally:
        connection.close()
    known = {migration.version: migration for migration in shipped(engine.name)}
    newer = sorted(set(applied) - set(known))
    if newer:
        raise SchemaTrouble(
            f"the database was made by a newer Ordermill (it has {newer[-1]}); start that version, or restore a backup"
        )
    for version, checksum in applied.items():
        if known[version].checksum != checksum:
            raise SchemaTrouble(f"the migration {version} was changed after it was applied; reinstall this version")
    return tuple(migration for version, migration in sorted(known.items()) if version not in applied)


def migrate(engine: Engine, now: int) -> tuple[str, ...]:
    """Applies what is pending, each file in a transaction of its own. The versions applied."""
    done = []
    for migration in pending(engine):
        engine.script(migration.text, record=(migration.version, migration.checksum, now))
        done.append(migration.version)
    return tuple(done)
