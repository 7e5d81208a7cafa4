"""Both engines, each on a database of its own per test file; every test has an account of its own in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import Clock, empty_engine

from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("ledger")
    with empty_engine(request.param, folder, lambda: request.getfixturevalue("postgres_url")) as engine:
        yield engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger(engine, clock)
    yield ledger
    ledger.close()
