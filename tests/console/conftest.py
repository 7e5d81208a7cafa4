"""A house for the console's tests, and visitors of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from visiting import Visitor

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data=str(tmp_path), access_log=False, webhook_allow="127.0.0.0/8")


@pytest.fixture
async def house(config: Config) -> AsyncIterator[House]:
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)
    yield house
    await house.pipeline.stop()
    house.close()


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[Visitor]:
    """Somebody who has not signed in."""
    visitor = Visitor(house)
    yield visitor
    await visitor.http.aclose()


@pytest.fixture
async def visitor(stranger: Visitor) -> Visitor:
    """The operator, in test mode."""
    return await stranger.by_link()
