"""The two stores as the crash tests need them: fresh, and open to plain SQL beside the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.books import Books
from postgres_server import drop_database, fresh_database
from server_process import ServerProcess


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ServerProcess, Books]]:
    """A server that is not started yet, and the books it will keep."""
    if request.param == "sqlite":
        yield ServerProcess(tmp_path), Books(tmp_path)
        return
    server_url: str = request.getfixturevalue("postgres_url")
    url = fresh_database(server_url)
    yield ServerProcess(tmp_path, database_url=url), Books(url)
    drop_database(server_url, url)
