"""The tests' own PostgreSQL is what the tests take it for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from postgres_server import PostgresServer, drop_database, fresh_database, installations


def test_every_postgres_found_here_runs_with_fsync_and_utf8(every_postgres_url: str) -> None:
    with psycopg.connect(every_postgres_url) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "server_encoding")]
    assert settings == [("on",), ("UTF8",)]


def test_a_fresh_database_is_empty_and_its_own(postgres_url: str) -> None:
    first, second = fresh_database(postgres_url), fresh_database(postgres_url)
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE seen (id bigint)")
    with psycopg.connect(second) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    drop_database(postgres_url, first)
    drop_database(postgres_url, second)
    assert found == (0,)


def test_a_stopped_server_leaves_neither_process_nor_folder(unavailable) -> None:
    programs = next(iter(installations().values()), None) or unavailable("PostgreSQL")
    server = PostgresServer(programs)
    with psycopg.connect(server.socket_url) as connection:
        backend = connection.info.backend_pid
    server.stop()
    assert not server.folder.exists()
    assert not Path(f"/proc/{backend}").exists()


def test_a_server_ends_when_the_tests_are_killed(unavailable) -> None:
    programs = next(iter(installations().values()), None) or unavailable("PostgreSQL")
    script = (
        "import sys, os, signal; from pathlib import Path; from postgres_server import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1])); print(server.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run(
        [sys.executable, "-c", script, programs], env=environment, capture_output=True, text=True, check=False
    )
    pid_file = Path(killed.stdout.strip()) / "data" / "postmaster.pid"
    give_up_at = time.monotonic() + 10
    while pid_file.exists() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert killed.stdout.strip()
    assert not pid_file.exists()
    subprocess.run(["rm", "-rf", killed.stdout.strip()], check=True)
