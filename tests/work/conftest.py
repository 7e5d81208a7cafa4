"""Both engines with an importer each, and files of orders to import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledgers import Clock, empty_engine

from ordermill.cli.local import contracts_of
from ordermill.config import Config
from ordermill.store.engine import Engine
from ordermill.store.imports import ImportLedger
from ordermill.store.ledger import Ledger
from ordermill.work.importer import Importer


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


@pytest.fixture(scope="session")
def contracts() -> dict[str, Any]:
    return contracts_of(Config())


@pytest.fixture
def importer(ledger: Ledger, contracts: dict[str, Any], clock: Clock) -> Importer:
    return Importer(ledger, ImportLedger(ledger.lanes, clock), contracts, clock, owner="test", chunk=100)
