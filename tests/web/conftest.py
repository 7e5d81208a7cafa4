"""A whole house, spoken to without a socket, and clients with keys of their own accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from speaking import Client

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a module asks for more: parametrize it with "sqlite" and "postgres", indirectly."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    return Config(data=str(tmp_path), database_url=database_url, access_log=False)


@pytest.fixture
def house(config: Config) -> Iterator[House]:
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)
    yield house
    house.close()


@pytest.fixture
async def keeper(house: House) -> AsyncIterator[Client]:
    """A live administrator of the account `default`."""
    key, secret = new_key(1, "tests", Mode.LIVE, (Scope.ADMIN,), rate_limit=None, expires_at=None)
    await house.ledger.save_key(key)
    transport = httpx.ASGITransport(app=house.web)
    async with httpx.AsyncClient(transport=transport, base_url="http://ordermill.test") as http:
        yield Client(house, http, secret, 1)


@pytest.fixture
async def client(keeper: Client) -> Client:
    """A live administrator of an account that nobody else uses."""
    return await keeper.as_key(account=f"shop {uuid4().hex[:8]}")
