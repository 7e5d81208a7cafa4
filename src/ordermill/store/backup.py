"""Copies of an SQLite ledger: taken while it is in use, checked before they count, never half there under a name."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

PAGES_PER_STEP = 4096  # between two steps the writer gets its turn


class BadCopy(Exception):
    """The copy is not sound; the message says what is wrong with it."""


def copy(source: Path, target: Path) -> None:
    """Everything that was committed when this began, as one file without a log beside it. Raises BadCopy, OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source, timeout=30)) as there, closing(sqlite3.connect(part)) as here:
            there.backup(here, pages=PAGES_PER_STEP)
            here.execute("PRAGMA journal_mode=DELETE")
        verify(part)
        _sync(part)
        part.rename(target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise BadCopy(f"{target} could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def verify(path: Path) -> None:
    """Raises BadCopy unless every page, index and foreign key of the file is sound."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as raw:
            said = raw.execute("PRAGMA integrity_check").fetchone()[0]
            orphan = raw.execute("PRAGMA foreign_key_check").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damage is told of in its own bytes
        raise BadCopy(f"{path} cannot be read: {error}") from error
    if said != "ok":
        raise BadCopy(f"{path} is damaged: {said}")
    if orphan is not None:
        raise BadCopy(f"{path} is damaged: a row of {orphan[0]} belongs to nothing")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is, beside it as JSON. `created_at`: when it began; all that was answered before is in it."""

    name: str
    created_at: str
    size_bytes: int
    sha256: str
    schema: str
    orders: int
    batches: int
    scheduled: bool = False


def create(source: Path, folder: Path, *, scheduled: bool = False) -> Manifest:
    """A backup and its manifest in the folder. Raises BadCopy, OSError."""
    began = datetime.now(UTC)
    target = folder / f"ordermill-{began.strftime('%Y%m%dT%H%M%S')}.{began.microsecond // 1000:03d}Z.db"
    copy(source, target)
    schema, orders, batches = _contents(target)
    manifest = Manifest(
        name=target.name,
        created_at=began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        size_bytes=target.stat().st_size,
        sha256=_digest(target),
        schema=schema,
        orders=orders,
        batches=batches,
        scheduled=scheduled,
    )
    beside = target.with_suffix(".json")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    _sync(beside)
    _sync(folder)
    return manifest


def found(folder: Path) -> list[Manifest]:
    """The backups of a folder that have a manifest, oldest first."""
    manifests = []
    for path in sorted(folder.glob("ordermill-*.json")):
        try:
            manifests.append(msgspec.json.decode(path.read_bytes(), type=Manifest))
        except (OSError, msgspec.DecodeError):
            continue
    return manifests


def check(path: Path) -> Manifest:
    """Raises BadCopy unless the file is the one its manifest tells of, and sound."""
    try:
        manifest = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Manifest)
        size, digest = path.stat().st_size, _digest(path)
    except FileNotFoundError as error:
        raise BadCopy(
            f"{error.filename} is not there: a backup is two files, the .db and the .json beside it"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise BadCopy(f"{path} has no manifest that can be read: {error}") from error
    if (size, digest) != (manifest.size_bytes, manifest.sha256):
        raise BadCopy(f"{path} is not the file that was written: its size or SHA-256 differs from the manifest")
    verify(path)
    if _contents(path) != (manifest.schema, manifest.orders, manifest.batches):
        raise BadCopy(f"{path} does not hold what its manifest says")
    return manifest


def restore(backup: Path, database: Path) -> Path | None:
    """Puts a backup in the place of the ledger; what was there is kept under another name, which is returned.

    Nobody may have the ledger open. Raises BadCopy, OSError; then the ledger is as it was.
    """
    check(backup)
    database.parent.mkdir(parents=True, exist_ok=True)
    part = database.with_name(database.name + ".part")
    shutil.copyfile(backup, part)
    _sync(part)
    kept = None
    if database.exists():
        kept = database.with_name(f"{database.name}.before-restore-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}")
        for ending in ("-wal", "-shm", ""):  # the log belongs to the file: together they are what was there
            beside = database.with_name(database.name + ending)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + ending))
    part.rename(database)
    _sync(database.parent)
    return kept


def thin_out(folder: Path, keep: int) -> list[str]:
    """Removes all but the newest backups that were made on schedule; those made by hand stay. Their names."""
    scheduled = [manifest for manifest in found(folder) if manifest.scheduled]
    gone = scheduled[: max(0, len(scheduled) - keep)]
    for manifest in gone:
        (folder / manifest.name).unlink(missing_ok=True)
        (folder / manifest.name).with_suffix(".json").unlink(missing_ok=True)
    return [manifest.name for manifest in gone]


def _contents(path: Path) -> tuple[str, int, int]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as raw:
            schema = raw.execute("SELECT max(version) FROM schema_migration").fetchone()[0]
            orders = raw.execute("SELECT count(*) FROM orders").fetchone()[0]
            batches = raw.execute("SELECT count(*) FROM batch").fetchone()[0]
    except sqlite3.Error as error:
        raise BadCopy(f"{path} is no ledger: {error}") from error
    return schema or "", orders, batches


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
