"""Backups: taken under load, checked, put back; damage is found; one ledger moves to the other engine and back."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crash.books import Books, check_accounting
from crash.storm import weather
from crash.traffic import Client, brevo
from postgres_server import drop_database, fresh_database, installations
from server_process import ROOT, ServerProcess

from ordermill.store import backup

RESTORED_WITHIN_S = 60


def cli(*words: str | Path, code: int = 0, **environment: str) -> str:
    command = [sys.executable, "-m", "ordermill", *map(str, words)]
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": "/tmp", **environment}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def fill(server: ServerProcess, orders: int) -> None:
    """So many orders through the contract's own door."""
    line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    for start in range(0, orders, 1000):
        numbers = range(start, min(start + 1000, orders))
        body = json.dumps({"orders": [brevo(("brevo", "", f"f{number}"), 1) for number in numbers]})
        headers = {"api-key": server.key, "Content-Type": "application/json"}
        line.request("POST", "/v3/orders/status/batch", body, headers)
        answer = line.getresponse()
        assert answer.status == 202, answer.read()
        answer.read()
    line.close()


class Quiet:
    """In place of a storm: only time passes, and something is done in it."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do = do

    def blow(self, _cycles: int) -> None:
        time.sleep(1.0)
        self.do()
        time.sleep(0.5)


def test_a_backup_under_load_holds_all_that_was_answered_before(tmp_path: Path) -> None:
    held: dict[str, Any] = {}
    (tmp_path / "data").mkdir()
    with ServerProcess(tmp_path / "data") as server:
        clients: list[Client] = []

        def take() -> None:
            held["before"] = {key: version for client in clients for key, version in list(client.newest.items())}
            # In this process: a command takes so long to start that the log would be folded in meanwhile.
            held["name"] = backup.create(tmp_path / "data" / "ordermill.db", tmp_path / "data" / "backups").name

        stop = threading.Event()
        clients += [Client(number, server.url, server.key, stop, 3) for number in range(3)]
        for client in clients:
            client.start()
        Quiet(take).blow(1)
        stop.set()
        for client in clients:
            client.join(30)
    path = tmp_path / "data" / "backups" / held["name"]
    assert "is sound" in cli("backup", "verify", path)
    assert held["name"] in cli("backup", "list", "--data", tmp_path / "data")
    fresh = tmp_path / "restored"
    cli("backup", "restore", path, "--data", fresh)
    books = Books(fresh)
    select = "SELECT dialect, source, reference, amount FROM orders"
    there = {(row[0], row[1], row[2]): int(float(row[3] or 0)) for row in books.rows(select)}
    assert len(held["before"]) > 100
    for key, version in held["before"].items():
        assert key in there, f"answered before the backup, and not in it: {key}"
        assert key[0] != "brevo" or there[key] >= version
    check_accounting(books)
    with ServerProcess(fresh) as again:
        fill(again, 10)


def test_damage_is_found_and_nothing_is_restored_from_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        fill(server, 200)
        made = json.loads(cli("backup", "create", "--data", tmp_path, "--json"))
        path = tmp_path / "backups" / made["name"]
        assert "in use" in cli("backup", "restore", path, "--data", tmp_path, code=3)
    good = path.read_bytes()
    for place in (100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        with pytest.raises(backup.BadCopy, match="not the file"):
            backup.check(path)
        with pytest.raises(backup.BadCopy, match="not the file"):
            backup.restore(path, tmp_path / "ordermill.db")
    assert "not the file" in cli("backup", "verify", path, code=3)
    path.write_bytes(good)
    before = Books(tmp_path).one("SELECT count(*) FROM orders")
    said = cli("backup", "restore", path, "--data", tmp_path)
    assert "is kept as ordermill.db.before-restore-" in said
    assert Books(tmp_path).one("SELECT count(*) FROM orders") == before == 200


def test_scheduled_backups_are_thinned_out_and_those_by_hand_are_not(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, backup_every_hours="1") as server:
        fill(server, 5)
        deadline = time.monotonic() + 10
        while not backup.found(tmp_path / "backups"):
            assert time.monotonic() < deadline, "no backup was made on schedule"
            time.sleep(0.1)
    source = tmp_path / "ordermill.db"
    by_hand = backup.create(source, tmp_path / "backups")
    for _ in range(4):
        backup.create(source, tmp_path / "backups", scheduled=True)
    backup.thin_out(tmp_path / "backups", 2)
    left = backup.found(tmp_path / "backups")
    assert [manifest.scheduled for manifest in left].count(True) == 2
    assert by_hand in left
    assert len(list((tmp_path / "backups").iterdir())) == 6


@pytest.mark.parametrize("orders", [1_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_ledger_is_restored_in_time_and_moves_both_ways(orders: int, postgres_url: str, tmp_path: Path) -> None:
    first, last, url = tmp_path / "first", tmp_path / "last", fresh_database(postgres_url)
    first.mkdir()
    with ServerProcess(first) as server:
        fill(server, orders)
        for client in weather(server, Quiet(lambda: None), 1, clients=2, seed=4):  # type: ignore[arg-type]
            assert not client.wrong
    cli("presets", "save", "Night", "--map", "Order=reference", "--data", first)
    made = json.loads(cli("backup", "create", "--data", first, "--json"))
    began = time.monotonic()
    cli("backup", "restore", first / "backups" / made["name"], "--data", tmp_path / "restored")
    took = [time.monotonic() - began]
    assert took[0] <= RESTORED_WITHIN_S
    for source, target in ((str(first), url), (url, str(last))):
        began = time.monotonic()
        cli("migrate-store", "--from", source, "--to", target)
        took.append(time.monotonic() - began)
    print(f"\n{orders} orders: restored, to PostgreSQL, back in {[round(each, 1) for each in took]} s")
    books = [Books(tmp_path / "restored"), Books(url), Books(last)]
    for table in (
        "orders",
        "item",
        "batch",
        "contact_identifier",
        "tally",
        "counter",
        "api_key",
        "memo",
        "import_preset",
    ):
        held = [contents(each, table) for each in books]
        assert held[0], table
        assert held[0] == held[1] == held[2], table
    assert "orders already" in cli("migrate-store", "--from", first, "--to", last, code=3)
    with ServerProcess(last) as server:
        fill(server, 5)
    (tmp_path / "onpg").mkdir()
    with ServerProcess(tmp_path / "onpg", database_url=url) as server:
        fill(server, 5)
    drop_database(postgres_url, url)


def contents(books: Books, table: str) -> list[str]:
    """The rows of a table, comparable over engines."""
    if isinstance(books.where, Path):
        columns = [row[1] for row in books.rows(f"PRAGMA table_info({table})")]
    else:
        named = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        columns = [row[0] for row in books.rows(named)]
    columns = sorted(set(columns) - {"last_used_at"})
    return sorted(map(repr, books.rows(f"SELECT {', '.join(columns)} FROM {table}")))


def documented(program: str, **meant: str | Path) -> list[str | Path]:
    """The command as docs/operations.md has it; `meant`: what stands there in place of each word that is an example."""
    lines = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").splitlines()
    words = shlex.split(next(line for line in lines if line.startswith(f"{program} ")))
    known = {"ordermill.dump": "file", "$ORDERMILL_DATABASE_URL": "url", "postgresql://…/ordermill_restored": "target"}
    return [meant.get(known.get(word, ""), word) for word in words[1:]]


def rows_by_table(books: Books) -> dict[str, int]:
    names = [row[0] for row in books.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: books.one(f"SELECT count(*) FROM {name}") for name in names}


def test_postgres_is_backed_up_and_restored_as_documented(postgres_url: str, tmp_path: Path) -> None:
    """The very commands of docs/operations.md, while orders come in."""
    programs = next(iter(installations().values()))
    if not (programs / "pg_dump").exists():
        programs = Path("/usr/bin")
    url, target = fresh_database(postgres_url), fresh_database(postgres_url)
    with ServerProcess(tmp_path, database_url=url) as server:
        fill(server, 500)
        stop = threading.Event()
        client = Client(0, server.url, server.key, stop, 5)
        client.start()
        time.sleep(0.5)
        before, rows_before = dict(client.newest), rows_by_table(Books(url))
        dump = documented("pg_dump", url=url, file=tmp_path / "ordermill.dump")
        subprocess.run([programs / "pg_dump", *dump], check=True, capture_output=True)
        stop.set()
        client.join(30)
    put_back = documented("pg_restore", target=target, file=tmp_path / "ordermill.dump")
    subprocess.run([programs / "pg_restore", *put_back], check=True, capture_output=True)
    books = Books(target)
    rows = rows_by_table(books)
    assert {name: count for name, count in rows_before.items() if rows.get(name, -1) < count} == {}
    there = {tuple(row) for row in books.rows("SELECT dialect, source, reference FROM orders")}
    assert set(before) <= there
    assert len(before) > 10
    assert books.one("SELECT count(*) FROM orders WHERE reference LIKE 'f%'") == 500
    check_accounting(books)
    (tmp_path / "again").mkdir()
    with ServerProcess(tmp_path / "again", database_url=target) as server:
        fill(server, 5)
    for database in (url, target):
        drop_database(postgres_url, database)
