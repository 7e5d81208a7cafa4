"""A visitor of the console without a browser: follows links, fills forms, and reads the pages as HTML."""

from __future__ import annotations

from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser as HTMLParser
from selectolax.lexbor import LexborNode as Node

from ordermill.app import House
from ordermill.core.account import ApiKey, Scope
from ordermill.core.batch import Sender
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key

KARRIO = "/v1/batches/orders"


class Seen:
    """A page as it came."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.html = HTMLParser(answer.text)

    @property
    def text(self) -> str:
        body = self.html.body
        return " ".join(body.text(separator=" ").split()) if body is not None else ""

    def all(self, selector: str) -> list[Node]:
        return self.html.css(selector)

    def one(self, selector: str) -> Node:
        found = self.html.css(selector)
        assert len(found) == 1, f"{len(found)} times {selector} in {self.answer.url}"
        return found[0]

    def link(self, word: str) -> str:
        """Where the link with that text leads."""
        for node in self.html.css("a"):
            if " ".join(node.text().split()) == word:
                return node.attributes["href"] or ""
        raise AssertionError(f"no link {word!r} in {self.answer.url}")

    def form(self, action: str) -> dict[str, str]:
        """The fields of the form that posts there, as they stand."""
        for form in self.html.css("form"):
            if form.attributes.get("action") == action and form.attributes.get("method") == "post":
                return {
                    field.attributes["name"] or "": field.attributes.get("value") or ""
                    for field in form.css("input")
                    if field.attributes.get("name")
                    and (field.attributes.get("type") not in ("checkbox", "radio") or "checked" in field.attributes)
                }
        raise AssertionError(f"no form posts to {action} in {self.answer.url}")

    def buttons(self, word: str) -> list[Node]:
        return [node for node in self.html.css("button") if word in " ".join(node.text().split())]


class Visitor:
    """One browser's worth of cookies."""

    def __init__(self, house: House, client: str = "127.0.0.1") -> None:
        self.house = house
        transport = httpx.ASGITransport(app=house.web, client=(client, 4711))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://mill.test")

    async def get(self, path: str, **headers: str) -> Seen:
        return Seen(await self.http.get(path, headers=headers))

    async def post(self, path: str, on: Seen | None = None, follow: bool = True, **fields: Any) -> Seen:
        """Posts the form that `on` shows for that path, with some fields changed."""
        files = {name: value for name, value in fields.items() if isinstance(value, tuple)}
        filled = {**(on.form(path) if on is not None else {}), **fields}
        data = {name: value for name, value in filled.items() if name not in files}
        answer = await self.http.post(path, data=data, files=files or None, headers={"origin": "http://mill.test"})
        if follow and answer.status_code == 303:
            return await self.get(answer.headers["location"])
        return Seen(answer)

    async def by_link(self, mode: Mode = Mode.TEST) -> Visitor:
        token = await self.house.console.store.make_link(1, mode)
        page = await self.get(f"/login/{token}")
        assert (await self.post(f"/login/{token}", page)).status == 200
        return self

    async def by_key(self, *scopes: Scope, mode: Mode = Mode.TEST) -> Visitor:
        _, secret = await make_key(self.house, *scopes, mode=mode)
        page = await self.get("/login")
        await self.post("/login", page, key=secret)
        return self

    async def send(self, path: str, body: Any, mode: Mode = Mode.TEST, **headers: str) -> httpx.Response:
        """What a client would send, with a key of its own."""
        _, secret = await make_key(self.house, Scope.ADMIN, mode=mode)
        sent = {"authorization": f"Token {secret}", "api-key": secret, "api-authorization": secret, **headers}
        kind = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.post(path, headers=sent, **kind)


async def make_key(house: House, *scopes: Scope, mode: Mode = Mode.TEST, name: str = "tests") -> tuple[ApiKey, str]:
    key, secret = new_key(1, name, mode, scopes or (Scope.ADMIN,), rate_limit=None, expires_at=None)
    await house.ledger.save_key(key)
    return key, secret


def sender(mode: Mode = Mode.TEST) -> Sender:
    return Sender(account_id=1, mode=mode, key_id="tests")


def karrio_order(number: int, **changes: Any) -> dict[str, Any]:
    """A good order of the Karrio contract, unless changed."""
    return {
        "order_id": f"SO-{number}",
        "source": "ERP",
        "order_date": "2026-11-20",
        "shipping_to": {
            "person_name": "Ada Example", "address_line1": "Somewhere Road 15", "city": "Basel",
            "postal_code": "4052", "country_code": "CH", "email": f"ada{number}@example.com",
        },
        "line_items": [{"title": "Bowl", "sku": "B-1", "quantity": 2, "weight": 1.5, "weight_unit": "KG",
                        "value_amount": 20.5, "value_currency": "CHF"}],
        "options": {"currency": "CHF"},
        **changes,
    }  # fmt: skip


def wrong_order(number: int) -> dict[str, Any]:
    """An order whose weight unit nobody knows."""
    order = karrio_order(number)
    order["line_items"][0]["weight_unit"] = "kgs"
    return order
