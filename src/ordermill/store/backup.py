"""Copies of an SQLite ledger: taken while it is in use, checked before they count, never half there under their name."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

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
    except sqlite3.Error as error:
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
