"""A whole house on SQLite (and PostgreSQL), spoken to without a socket, and keys for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key


class Client:
    """Speaks to a house as one key, in every contract's own header."""

    def __init__(self, house: House, http: httpx.AsyncClient, key: str) -> None:
        self.house = house
        self.http = http
        self.key = key

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {
            "authorization": f"Token {self.key}" if path.startswith("/v1/") else f"Bearer {self.key}",
            "api-key": self.key,
            **more.pop("headers", {}),
        }
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return await self.http.request(method, path, content=content, headers=headers, **more)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, params=params or None)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.call("POST", path, body, **more)

    async def as_key(
        self, account: str = "", mode: Mode = Mode.LIVE, scopes: tuple[Scope, ...] = (Scope.ADMIN,)
    ) -> Client:
        """Another client of the same house: of a new account, where one is named."""
        account_id = (await self.house.ledger.create_account(account)).id if account else 1
        key, secret = new_key(account_id, "another", mode, scopes, rate_limit=None, expires_at=None)
        await self.house.ledger.save_key(key)
        return Client(self.house, self.http, secret)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
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
async def client(house: House) -> AsyncIterator[Client]:
    """A live administrator of an account of its own kind: `default`."""
    key, secret = new_key(1, "tests", Mode.LIVE, (Scope.ADMIN,), rate_limit=None, expires_at=None)
    await house.ledger.save_key(key)
    transport = httpx.ASGITransport(app=house.web)
    async with httpx.AsyncClient(transport=transport, base_url="http://ordermill.test") as http:
        yield Client(house, http, secret)
