"""Both engines under the deliveries, each on a database of its own per test file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery.house import VOICES
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
    return Clock(time.time_ns() // 1000)


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Iterator[Ledger]:
    """With a clock that stands still."""
    ledger = Ledger(engine, clock, VOICES)
    yield ledger
    ledger.close()


@pytest.fixture
def live_ledger(engine: Engine) -> Iterator[Ledger]:
    """With the clock on the wall."""
    ledger = Ledger(engine, lambda: time.time_ns() // 1000, VOICES)
    yield ledger
    ledger.close()
