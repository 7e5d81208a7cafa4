"""The system: versions, store, queue, backups, settings and their origin, sessions, audit log, latest lines."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response

from ordermill.config import SECRETS, BadConfig, Config, load, sentence
from ordermill.console import formats
from ordermill.console.visit import Page, Visit
from ordermill.core.account import DEFAULT_ACCOUNT_ID, Scope
from ordermill.core.errors import Conflict, NotFound
from ordermill.store import duties
from ordermill.store.backup import BadCopy, verify
from ordermill.store.sqlite.engine import SqliteEngine
from ordermill.web import observe

ADMIN = Scope.ADMIN.value
LINES = 100


class Copy(msgspec.Struct, frozen=True):
    """A backup beside the ledger."""

    name: str
    size_bytes: int
    at: int


async def system(visit: Visit) -> Response:
    """GET /system. Who does not keep the server sees what concerns their account."""
    keeper = keeps(visit)
    facts = await asyncio.to_thread(_store_facts, visit) if keeper else {}
    return await visit.page(
        "system.html",
        title="System",
        nav="system",
        keeper=keeper,
        facts=facts,
        versions=_versions(visit) if keeper else [],
        migrations=await visit.console.ledger.lanes.read(lambda tx: tx.all("find_migrations")) if keeper else (),
        waiting=visit.console.ledger.lanes.waiting(),
        processes=await visit.console.ledger.lanes.read(duties.find_processes) if keeper else (),
        copies=await asyncio.to_thread(_copies, visit) if keeper else [],
        copying=isinstance(visit.console.ledger.engine, SqliteEngine),
        settings=settings(visit.console.config) if keeper else [],
        sessions=await visit.console.store.find_sessions(visit.account_id) if visit.may(ADMIN) else (),
        deeds=await visit.console.store.find_deeds(visit.account_id, visit.number("after")),
        lines=[line.decode("utf-8", "replace") for line in list(observe.LINES.recent)[-LINES:]] if keeper else [],
        log=visit.console.requests,
    )


def keeps(visit: Visit) -> bool:
    """Whether this is an administrator of the account that keeps the server."""
    return visit.account_id == DEFAULT_ACCOUNT_ID and visit.may(ADMIN)


def _versions(visit: Visit) -> list[tuple[str, str]]:
    engine = visit.console.ledger.engine
    store = f"SQLite {sqlite3.sqlite_version}" if isinstance(engine, SqliteEngine) else "PostgreSQL"
    return [
        ("Ordermill", visit.console.version),
        ("Python", platform.python_version()),
        ("Store", store),
        ("Running for", formats.span(visit.now - visit.console.parts.started_at)),
    ]


def _store_facts(visit: Visit) -> dict[str, Any]:
    engine = visit.console.ledger.engine
    told: dict[str, Any] = {"size": engine.size_bytes()}
    if isinstance(engine, SqliteEngine):
        wal = Path(f"{engine.path}-wal")
        told["wal"] = wal.stat().st_size if wal.exists() else 0
        told["free"] = shutil.disk_usage(engine.path.parent).free
        told["place"] = str(engine.path.parent.resolve())
    return told


def _copies(visit: Visit) -> list[Copy]:
    engine = visit.console.ledger.engine
    if not isinstance(engine, SqliteEngine):
        return []
    found = [
        Copy(path.stem, path.stat().st_size, int(path.stat().st_mtime * formats.SECOND))
        for path in (engine.path.parent / "backups").glob("*.db")
    ]
    return sorted(found, key=lambda copy: -copy.at)[:50]


def settings(config: Config) -> list[tuple[str, str, str, str]]:
    """(name, value, origin, meaning); secrets are not shown."""
    try:
        loaded = load()
    except BadConfig:
        loaded = None
    told = []
    for name in Config.__struct_fields__:
        value = getattr(config, name)
        origin = "default" if loaded is None else loaded.origins[name]
        if loaded is not None and getattr(loaded.config, name) != value:
            origin = "command line"
        shown = ("set, not shown" if value else "") if name in SECRETS else str(value)
        told.append((name, shown, origin, _meaning(name)))
    return told


_meaning = cache(sentence)


async def back_up(visit: Visit) -> Response:
    """POST /system/backup: a checked copy, now."""
    _check_keeper(visit)
    name = time.strftime("console-%Y%m%d-%H%M%S", time.gmtime())
    try:
        made = await asyncio.to_thread(visit.console.ledger.engine.keep_copy, name)
    except (BadCopy, OSError) as error:
        raise Conflict(f"The copy could not be made: {error}") from None
    if made is None:
        raise Conflict("Copies of a PostgreSQL ledger are made with its own tools.", hint="pg_dump, or base backups.")
    await visit.note("made a backup", made.name)
    return visit.go("/system", f"{made.name} is written and checked.")


async def check_copy(visit: Visit) -> Response:
    """POST /system/backup/{name}/check: every page, index and foreign key of a copy."""
    _check_keeper(visit)
    known = {copy.name for copy in await asyncio.to_thread(_copies, visit)}
    engine = visit.console.ledger.engine
    name = visit.params["name"]
    if name not in known or not isinstance(engine, SqliteEngine):
        raise NotFound("There is no such backup.")
    try:
        await asyncio.to_thread(verify, engine.path.parent / "backups" / f"{name}.db")
    except BadCopy as error:
        return visit.go("/system", str(error), "bad")
    await visit.note("checked a backup", name)
    return visit.go("/system", f"{name}.db is sound.")


async def diagnostics(visit: Visit) -> Response:
    """GET /system/diagnostics.json: what to send along with a question. No secrets, no orders."""
    _check_keeper(visit)
    told = {
        "versions": dict(_versions(visit)),
        "store": {
            name: value for name, value in (await asyncio.to_thread(_store_facts, visit)).items() if name != "place"
        },
        "migrations": [row[0] for row in await visit.console.ledger.lanes.read(lambda tx: tx.all("find_migrations"))],
        "orders": await visit.console.store.count_orders(visit.sender),
        "settings": {name: value for name, value, _, _ in settings(visit.console.config) if name != "data"},
        "requests": {"kept": visit.console.requests.kept, "lost": visit.console.requests.lost},
        "platform": platform.platform(),
    }
    headers = {"content-disposition": 'attachment; filename="ordermill-diagnostics.json"'}
    body = msgspec.json.format(msgspec.json.encode(told), indent=2)
    return Response(body, headers=headers, media_type="application/json")


def _check_keeper(visit: Visit) -> None:
    if not keeps(visit):
        raise NotFound("There is no such page.")


PAGES = (
    Page("GET", "/system", system),
    Page("GET", "/system/diagnostics.json", diagnostics, scope=ADMIN),
    Page("POST", "/system/backup", back_up, scope=ADMIN),
    Page("POST", "/system/backup/{name}/check", check_copy, scope=ADMIN),
)
