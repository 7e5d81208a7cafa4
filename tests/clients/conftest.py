"""Other people's clients, each in an environment of its own, against a server of ours as a process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess

Unavailable = Callable[[str], Any]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A fresh server on each store."""
    url = request.getfixturevalue("postgres_database") if request.param == "postgres" else ""
    with ServerProcess(tmp_path_factory.mktemp("data"), database_url=url) as running:
        yield running


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory, unavailable: Unavailable) -> Callable[..., Path]:
    """Requirement -> interpreter of a throw-away environment that has it (once a session and requirement)."""
    made: dict[str, Path] = {}

    def make(requirement: str) -> Path:
        if requirement not in made:
            folder = tmp_path_factory.mktemp("client")
            subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
            done = subprocess.run(
                [folder / "bin/python", "-m", "pip", "install", "--quiet", requirement], capture_output=True, text=True
            )
            if done.returncode:
                unavailable(f"the client {requirement} ({done.stderr.strip()[-300:]})")
            made[requirement] = folder / "bin/python"
        return made[requirement]

    return make


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory, unavailable: Unavailable) -> Callable[..., Path]:
    """Package -> folder in which Node finds it."""
    made: dict[str, Path] = {}

    def make(package: str) -> Path:
        if package not in made:
            if not shutil.which("node") or not shutil.which("npm"):
                unavailable("Node.js with npm")
            folder = tmp_path_factory.mktemp("node")
            (folder / "package.json").write_text('{"name": "client", "private": true}')
            done = subprocess.run(
                ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", package],
                cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                unavailable(f"the client {package} ({done.stderr.strip()[-300:]})")
            made[package] = folder
        return made[package]

    return make
