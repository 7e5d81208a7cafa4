"""The data directory of an SQLite ledger: made, held by one process at a time, and who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from ordermill.config import Config


class Unavailable(Exception):
    """Something this process needs is taken (data directory, port); the message says by whom or what to do."""


def data_folder(config: Config) -> Path:
    """The data directory, made if it is missing. Raises Unavailable."""
    folder = Path(config.data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    return folder


def _unusable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"the data directory {folder} cannot be used: {error.strerror}; name another with --data (ORDERMILL_DATA)"
    )


def lock_data(config: Config) -> IO[str] | None:
    """Holds the data directory for as long as the file stays open. Raises Unavailable. None on PostgreSQL."""
    if config.database_url:
        return None
    folder = data_folder(config)
    try:
        lock = open(folder / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - held for the life of the process
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise Unavailable(
            f"the data directory {folder} is in use by another ordermill (process {holder}); "
            "stop it, or give this one a directory of its own with --data"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def note_address(config: Config, url: str) -> None:
    """Leaves beside the lock where its holder answers, for commands that find the directory in use."""
    if not config.database_url:
        (Path(config.data) / "address").write_text(url.replace("//0.0.0.0:", "//127.0.0.1:") + "\n", encoding="utf-8")


def running_at(config: Config) -> str | None:
    """The address of the server that holds the data directory; to be asked only while the lock is held."""
    try:
        return (Path(config.data) / "address").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
