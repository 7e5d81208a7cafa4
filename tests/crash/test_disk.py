"""The disk: synced before each answer; when it fails or is full there is no false 2xx, and normal work soon after."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from crash.books import Books, check
from crash.tracing import Strace, available, children, synced_answers
from crash.traffic import Client
from postgres_server import PostgresServer, fresh_database, installations
from server_process import ServerProcess

EACH = 20
BACK_WITHIN_S = 5.0
Unavailable = Callable[[str], None]


@pytest.fixture
def strace(unavailable: Unavailable) -> None:
    if not available():
        unavailable("strace (or the right to use it)")


@pytest.fixture
def postgres(unavailable: Unavailable) -> Iterator[PostgresServer]:
    found = installations()
    if not found:
        unavailable("PostgreSQL")
    database = PostgresServer(next(iter(found.values())))
    yield database
    database.stop()


def client_of(server: ServerProcess) -> Client:
    return Client(0, server.url, server.key, threading.Event(), seed=1)


def push(client: Client, kind: str, patience: int = 1) -> bool:
    sent = getattr(client, kind)()
    for key, version in sent.orders.items():
        client.tried.setdefault(key, set()).add(version)
    client.requests.append(sent)
    client.push(sent, patience)
    client.hang_up()
    assert not client.wrong, client.wrong
    return bool(sent.acknowledged)


def push_both_ways(client: Client) -> None:
    for _ in range(EACH):
        for kind in ("brevo_single", "brevo_batch"):
            assert push(client, kind)


@pytest.mark.usefixtures("strace")
def test_sqlite_syncs_its_log_before_each_answer(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert server.process is not None
        trace = Strace([server.process.pid], tmp_path / "trace", "-e", "trace=fdatasync,fsync,write,writev,sendto")
        with trace:
            push_both_ways(client_of(server))
    assert synced_answers(trace.lines()) == (2 * EACH, 2 * EACH)


@pytest.mark.usefixtures("strace")
def test_postgres_syncs_its_log_before_each_answer(postgres: PostgresServer, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, database_url=fresh_database(postgres.url)) as server:
        client = client_of(server)
        push(client, "brevo_single")  # now the connection of the lane is there, and its backend can be watched
        assert server.process is not None
        pids = [server.process.pid, postgres.pid, *children(postgres.pid)]
        trace = Strace(pids, tmp_path / "trace", "-e", "trace=fdatasync,fsync,write,writev,sendto")
        with trace:
            push_both_ways(client)
    assert synced_answers(trace.lines()) == (2 * EACH, 2 * EACH)


def survives(server: ServerProcess, books: Books, trouble: Callable[[Client], None], at_ease: float = 0.0) -> None:
    """Nothing is acknowledged in the trouble, all is well again soon after it, and what was acknowledged is there."""
    client = client_of(server)
    for kind in ("brevo_batch", "karrio_batch", "centra_batch"):
        assert push(client, kind)
    trouble(client)
    ended = time.monotonic()
    while not push(client, "brevo_batch"):
        assert time.monotonic() - ended < BACK_WITHIN_S + at_ease, "not back in time"
        time.sleep(0.05)
    server.kill()
    server.start()
    assert push(client, "brevo_single", patience=20)
    check(books, [client])


def fails(client: Client) -> None:
    """Every write is refused, in the form of the contract; readyz is asked besides."""
    for kind in ("brevo_single", "brevo_batch", "karrio_batch", "centra_batch"):
        assert not push(client, kind), f"{kind} was acknowledged while the disk failed"


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("fdatasync", "EIO"),
        ("pwrite64", "ENOSPC"),
        pytest.param("pwrite64", "EIO", marks=pytest.mark.long),
        pytest.param("ftruncate", "EIO", marks=pytest.mark.long),
    ],
)
def test_a_failing_disk_below_sqlite(call: str, error: str, tmp_path: Path) -> None:
    def trouble(client: Client) -> None:
        assert server.process is not None
        inject = (f"-etrace={call}", f"-einject={call}:error={error}")
        with Strace([server.process.pid], tmp_path / "trace", *inject):
            if call != "ftruncate":
                fails(client)

    with ServerProcess(tmp_path) as server:
        survives(server, Books(tmp_path), trouble)


@pytest.mark.usefixtures("strace")
def test_a_failing_disk_below_postgres(postgres: PostgresServer, tmp_path: Path) -> None:
    """PostgreSQL ends all its connections and recovers from its log."""
    url = fresh_database(postgres.url)

    def trouble(client: Client) -> None:
        with Strace(children(postgres.pid), tmp_path / "trace", "-etrace=fdatasync", "-einject=fdatasync:error=EIO"):
            assert not push(client, "brevo_batch")

    with ServerProcess(tmp_path, database_url=url, lanes="1") as server:  # no connection that is not watched
        survives(server, Books(url), trouble, at_ease=5.0)


@pytest.fixture
def small_disk(tmp_path: Path, unavailable: Unavailable) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=112m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        unavailable("the right to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def readiness(url: str) -> int:
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def fill(path: Path) -> None:
    """Writes until nothing more fits."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):
            pass
    assert shutil.disk_usage(path).free < 4096


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"

    def trouble(client: Client) -> None:
        fill(ballast)
        while push(client, "brevo_batch"):  # what is left of the last pages
            pass
        assert readiness(server.url) == 503
        fails(client)
        ballast.unlink()

    server = ServerProcess(small_disk)
    server.log = tmp_path / "server.log"
    with server:
        survives(server, Books(small_disk), trouble)
        assert readiness(server.url) == 200
