"""Processes that only take orders in, and others that deliver and import: how the ones tell the others."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from delivery.receiver import Receiver
from server_process import ServerProcess

from ordermill.store.postgres.engine import PostgresEngine
from ordermill.store.sqlite.engine import SqliteEngine

SOON_S = 20
pytestmark = pytest.mark.anyio


def of_listeners(database_url: str, wanted: str) -> list[object]:
    """What is wanted of each connection that listens."""
    statement = f"SELECT {wanted} FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    with psycopg.connect(database_url, autocommit=True) as raw:
        return [row[0] for row in raw.execute(statement.encode()).fetchall()]


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@asynccontextmanager
async def listening(engine: PostgresEngine) -> AsyncIterator[asyncio.Event]:
    """An event that is set at each ring; what is told at the beginning is heard already."""
    heard = asyncio.Event()
    task = asyncio.create_task(engine.bell.listen(heard.set))
    await asyncio.wait_for(heard.wait(), SOON_S)
    heard.clear()
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_ring_in_one_process_is_heard_in_another(postgres_database: str) -> None:
    one, other = PostgresEngine(postgres_database), PostgresEngine(postgres_database)
    try:
        async with listening(other) as heard:
            for _ in range(100):
                one.bell.ring()
            await asyncio.wait_for(heard.wait(), SOON_S)
    finally:
        one.close()
        other.close()


async def test_who_was_cut_off_hears_again(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordermill.store.postgres.bell.AGAIN_AFTER_S", 0.05)
    engine = PostgresEngine(postgres_database)
    try:
        async with listening(engine) as heard:
            assert of_listeners(postgres_database, "pg_terminate_backend(pid)") == [True]
            await asyncio.wait_for(heard.wait(), SOON_S)  # it looks once when it hears again
            heard.clear()
            engine.bell.ring()
            await asyncio.wait_for(heard.wait(), SOON_S)
    finally:
        engine.close()


async def test_a_ring_with_the_database_away_is_lost_and_nothing_else() -> None:
    engine = PostgresEngine("postgresql://nobody@127.0.0.1:1/nothing")
    engine.bell.ring()
    await asyncio.wait_for(asyncio.shield(engine.bell._ringing), SOON_S)  # type: ignore[arg-type]
    engine.close()


async def test_on_a_file_there_is_nobody_to_ring_for(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "ordermill.db")
    engine.bell.ring()
    await asyncio.wait_for(engine.bell.listen(lambda: pytest.fail("nobody rang")), SOON_S)


@contextmanager
def worker(server: ServerProcess) -> Iterator[None]:
    environment = {name: value for name, value in server.environment.items() if name != "ORDERMILL_BACKGROUND"}
    told = server.data / "worker.log"
    command = [sys.executable, "-m", "ordermill", "worker"]
    with (
        told.open("w") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            assert "worker" in process.stdout.readline(), told.read_text()
            yield
        finally:
            process.terminate()
            assert process.wait(30) == 0


async def test_what_one_process_takes_in_another_delivers_and_imports(postgres_database: str, tmp_path: Path) -> None:
    def ask(path: str, body: bytes | None, content_type: str = "application/json") -> dict[str, object]:
        headers = {"api-key": server.key, "Authorization": f"Bearer {server.key}", "Content-Type": content_type}
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=30) as answer:
            said: dict[str, object] = json.loads(answer.read() or b"{}")
            return said

    order = {
        "id": "1", "createdAt": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-02T03:04:05Z", "status": "paid",
        "amount": 10, "products": [{"productId": "P", "price": 10, "quantity": 1}],
    }  # fmt: skip
    settings = {"background": "false", "webhook_allow": "127.0.0.0/8"}
    async with Receiver() as receiver:
        with ServerProcess(tmp_path, database_url=postgres_database, **settings) as server:
            batch = json.dumps({"orders": [order], "notifyUrl": receiver.url}).encode()
            engine = PostgresEngine(postgres_database)
            async with listening(engine) as heard:
                await asyncio.to_thread(ask, "/v3/orders/status/batch", batch)
                await asyncio.wait_for(heard.wait(), SOON_S)
            engine.close()
            await until(lambda: of_listeners(postgres_database, "true") == [])
            assert receiver.got == []  # nobody is there to do it
            with worker(server):
                await receiver.wait_for(1, SOON_S)
                await until(lambda: of_listeners(postgres_database, "true") == [True])
                await asyncio.to_thread(ask, "/v3/orders/status/batch", batch)
                await receiver.wait_for(2, SOON_S)
                rows = b"id,created_at,updated_at,status,amount,product_id,price,quantity\n" + b"".join(
                    b"F-%d,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z,paid,10,P,10,1\n" % number for number in range(3)
                )
                made = await asyncio.to_thread(ask, "/api/v1/imports?name=night.csv", rows, "text/csv")
                await asyncio.to_thread(ask, f"/api/v1/imports/{made['id']}/start", b"")
                deadline = time.monotonic() + SOON_S
                while made["state"] not in ("completed", "failed"):
                    assert time.monotonic() < deadline, made
                    await asyncio.sleep(0.05)
                    made = await asyncio.to_thread(ask, f"/api/v1/imports/{made['id']}", None)
                assert made["state"] == "completed", made
