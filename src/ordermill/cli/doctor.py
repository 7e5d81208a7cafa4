"""`ordermill doctor`: what is well and what is not, each in one line; exit code 1 when something is broken."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ordermill import __version__
from ordermill.cli.options import settings, store_options
from ordermill.config import BadConfig, Config, unknown

FREE_LOW = 1024**3
BACKUP_OLD_S = 26 * 3600
Finding = tuple[str, str]  # ok, warn or FAIL, and a sentence


@click.command()
@click.option("--ready", is_flag=True, help="Only ask the running server whether it is ready (for health checks).")
@store_options
def doctor(ready: bool, **options: Any) -> None:
    """Check settings, directory, database, schema, backups and the running server."""
    config = settings(**options)
    findings = [_server(config)] if ready else list(_look(config))
    for state, sentence in findings:
        click.echo(f" {state:<4} {sentence}")
    broken = [state for state, _ in findings if state == "FAIL" or (ready and state != "ok")]
    sys.exit(1 if broken else 0)


def _look(config: Config) -> Iterator[Finding]:
    yield "ok", f"ordermill {__version__}, python {platform.python_version()}"
    yield _settings(config)
    yield from (("warn", told) for told in unknown(os.environ))
    if not config.database_url:
        yield from _directory(config)
    yield from _database(config)
    if not config.database_url:
        yield _backups(config)
    yield _server(config)


def _settings(config: Config) -> Finding:
    from ordermill.app import webhook_policy

    try:
        webhook_policy(config)
    except BadConfig as error:
        return "FAIL", str(error)
    return "ok", "the settings can be used"


def _directory(config: Config) -> Iterator[Finding]:
    folder = Path(config.data)
    if not folder.is_dir():
        yield "FAIL", f"data directory {folder} is not there   → ordermill serve makes it"
        return
    usage = shutil.disk_usage(folder)
    state = "FAIL" if usage.free < 64 * 1024**2 else "warn" if usage.free < FREE_LOW else "ok"
    yield state, f"data directory {folder} ({_size(usage.free)} free)"


def _database(config: Config) -> Iterator[Finding]:
    from ordermill.app import make_engine
    from ordermill.core.errors import Refusal
    from ordermill.store import migrating

    if not config.database_url and not (Path(config.data) / "ordermill.db").exists():
        yield "FAIL", "there is no ledger yet   → ordermill serve makes it"
        return
    try:
        engine = make_engine(config)
        waiting = migrating.pending(engine)
        total = len(migrating.shipped(engine.name))
        size = engine.size_bytes()
    except (migrating.SchemaTrouble, Refusal, OSError) as error:
        yield "FAIL", f"database: {error}"
        return
    except sqlite3.DatabaseError as error:
        yield "FAIL", f"database is damaged, or none: {error}   → keep the file; ordermill backup restore FILE"
        return
    except Exception as error:
        yield "FAIL", f"database: {type(error).__name__}"
        return
    what = "PostgreSQL" if config.database_url else f"SQLite {sqlite3.sqlite_version}"
    state = "warn" if waiting else "ok"
    yield state, f"database {what}, schema {total - len(waiting)} of {total}, {_size(size or 0)}"
    if not config.database_url:
        yield _integrity(Path(config.data) / "ordermill.db")


def _integrity(path: Path) -> Finding:
    with closing(sqlite3.connect(path, timeout=10)) as raw:
        try:
            said = raw.execute("PRAGMA quick_check").fetchone()[0]
        except sqlite3.Error as error:
            said = str(error)
    return (
        ("ok", "database is sound") if said == "ok" else ("FAIL", f"database is damaged: {said}   → restore a backup")
    )


def _backups(config: Config) -> Finding:
    from datetime import datetime

    from ordermill.store.backup import found

    manifests = found(Path(config.data) / "backups")
    if not manifests:
        return "warn", "there is no backup   → ordermill backup create, or set ORDERMILL_BACKUP_EVERY_HOURS"
    newest = manifests[-1]
    age_s = time.time() - datetime.fromisoformat(newest.created_at).timestamp()
    state = "warn" if age_s > BACKUP_OLD_S else "ok"
    return state, f"last backup {newest.created_at} ({age_s / 3600:.0f} h ago, {newest.orders} orders)"


def _server(config: Config) -> Finding:
    from ordermill.holding import running_at

    url = running_at(config) or f"http://{'127.0.0.1' if config.host == '0.0.0.0' else config.host}:{config.port}"
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=5) as answer:
            return "ok", f"server at {url} is ready ({answer.status})"
    except urllib.error.HTTPError as error:
        with error:
            return "FAIL", f"server at {url} is not ready: {error.read()[:300].decode(errors='replace')}"
    except (OSError, ValueError):
        return "warn", f"no server answers at {url}"


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count //= 1024
    return f"{count} GB"
