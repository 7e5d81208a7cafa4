"""Speaking to a house as one key, in every contract's own header; and orders of each contract to say."""

from __future__ import annotations

import json
from typing import Any

import httpx

from ordermill.app import House
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key


class Client:
    """One key of one account, at the door of one house."""

    def __init__(self, house: House, http: httpx.AsyncClient, key: str, account_id: int) -> None:
        self.house = house
        self.http = http
        self.key = key
        self.account_id = account_id

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {
            "authorization": f"{'Token' if path.startswith('/v1/') else 'Bearer'} {self.key}",
            "api-key": self.key,
            **more.pop("headers", {}),
        }
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return await self.http.request(method, path, content=content, headers=headers, **more)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, params=params or None)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.call("POST", path, body, **more)

    async def data(self, path: str, **params: Any) -> Any:
        """The entries of a list that fits on one page, or the object."""
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        return said.get("data", said)

    async def take(self, contract: str, orders: Any, **more: Any) -> Any:
        """What POST /batches says."""
        answer = await self.post("/api/v1/batches", {"contract": contract, "orders": orders, **more})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def as_key(
        self, account: str = "", mode: Mode = Mode.LIVE, scopes: tuple[Scope, ...] = (Scope.ADMIN,)
    ) -> Client:
        """Another key at the same house; of a new account, where one is named."""
        account_id = (await self.house.ledger.create_account(account)).id if account else self.account_id
        key, secret = new_key(account_id, "another", mode, scopes, rate_limit=None, expires_at=None)
        await self.house.ledger.save_key(key)
        return Client(self.house, self.http, secret, account_id)

    def at(self, house: House, http: httpx.AsyncClient) -> Client:
        """The same key at another house over the same ledger."""
        return Client(house, http, self.key, self.account_id)


def brevo(reference: str, **more: Any) -> dict[str, Any]:
    return {
        "id": reference,
        "createdAt": "2026-01-01T10:00:00Z",
        "updatedAt": "2026-01-02T10:00:00Z",
        "status": "paid",
        "amount": 10.5,
        "products": [{"productId": "P1", "price": 10.5, "quantity": 1}],
        "identifiers": {"email_id": "Ada@Example.com"},
        **more,
    }


def karrio(reference: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": reference,
        "shipping_to": {"country_code": "CH", "city": "Basel", "email": "ada@example.com"},
        "line_items": [{"weight": 1.5, "weight_unit": "KG", "quantity": 2, "sku": "B-1"}],
        **more,
    }


def centra(**more: Any) -> dict[str, Any]:
    return {
        "products": [{"sku": "B-1", "qty": 2, "unitPrice": 20.5}],
        "address": {"email": "ada@example.com", "country": "CH"},
        **more,
    }
