"""Killed, ended, stopped, cut off from its database: what was acknowledged is there, once, nothing is half there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.books import Books, check
from crash.proxy import Proxy
from crash.storm import Storm, weather
from postgres_server import PostgresServer, fresh_database, installations
from server_process import ServerProcess

SHORT, LONG = 8, 200
SEED = int(os.environ.get("ORDERMILL_SEED", "1"))


def run(server: ServerProcess, books: Books, cycles: int, *, storm: Storm | None = None) -> None:
    storm = storm or Storm(server, SEED)
    began = time.monotonic()
    clients = weather(server, storm, cycles, clients=4, seed=SEED)
    told = check(books, clients)
    faults = [line for line in server.log.read_text().splitlines() if '"request.failed"' in line]
    assert not faults, faults[0][:2000]
    ready = sorted(storm.ready_s)
    told |= {"seconds": round(time.monotonic() - began), "ready p95 ms": round(ready[int(len(ready) * 0.95)] * 1000)}
    print(f"\n{cycles} cycles {dict(storm.took)}: {told}")


@pytest.mark.timeout(120)
def test_sqlite_short(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        run(server, Books(tmp_path), SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_sqlite_200_cycles(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        run(server, Books(tmp_path), LONG)


class Restartable:
    """A PostgreSQL of our own behind a proxy of our own, and the blows that can be dealt to both."""

    def __init__(self, database: PostgresServer) -> None:
        self.database = database
        self.proxy = Proxy(database.port)
        self.books = Books(fresh_database(database.url))
        self.url = self.through(str(self.books.where))

    def through(self, url: str) -> str:
        return url.replace(f":{self.database.port}/", f":{self.proxy.port}/")

    def restart_database(self) -> None:
        """Immediate: as after a crash, PostgreSQL recovers from its log."""
        self.database.crash()
        time.sleep(0.2)
        self.database.start_again()

    def cut_connections(self) -> None:
        self.proxy.cut()

    def stall_connections(self) -> None:
        self.proxy.stall(0.5)


@pytest.fixture
def restartable() -> Iterator[Restartable]:
    found = installations()
    if not found:
        pytest.skip("PostgreSQL is missing here")
    database = PostgresServer(next(iter(found.values())))
    world = Restartable(database)
    try:
        yield world
    finally:
        world.proxy.close()
        database.stop()


def run_on_postgres(restartable: Restartable, folder: Path, cycles: int) -> None:
    with ServerProcess(folder, database_url=restartable.url) as server:
        storm = Storm(server, SEED)
        storm.extra = [restartable.restart_database, restartable.cut_connections, restartable.stall_connections]
        run(server, restartable.books, cycles, storm=storm)


@pytest.mark.timeout(120)
def test_postgres_short(restartable: Restartable, tmp_path: Path) -> None:
    run_on_postgres(restartable, tmp_path, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_postgres_200_cycles(restartable: Restartable, tmp_path: Path) -> None:
    run_on_postgres(restartable, tmp_path, LONG)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_postgres_is_restarted_50_times(restartable: Restartable, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, database_url=restartable.url) as server:
        storm = Storm(server, SEED)

        def restart() -> None:
            restartable.restart_database()
            back = time.monotonic()
            server.wait_ready()
            storm.ready_s.append(time.monotonic() - back)

        for name in ("kill", "terminate", "freeze"):
            setattr(storm, name, restart)
        run(server, restartable.books, 50, storm=storm)
        assert max(storm.ready_s) <= 5.0, storm.ready_s
