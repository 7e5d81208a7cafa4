"""Who gets in, how long, and what they may do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from visiting import KARRIO, Visitor, make_key, wrong_order

from ordermill.app import House
from ordermill.console.app import COOKIE
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.throttle import Addresses

FORM = "application/x-www-form-urlencoded"

pytestmark = pytest.mark.anyio


async def test_a_stranger_is_asked_to_sign_in_and_brought_back(stranger: Visitor) -> None:
    answer = await stranger.http.get("/batches?status=failed")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fbatches%3Fstatus%3Dfailed"
    assert (await stranger.get("/batches.json")).status == 401
    assert (await stranger.get("/batches", **{"hx-request": "true"})).answer.headers["hx-redirect"].startswith("/login")


async def test_a_link_signs_in_once(house: House, stranger: Visitor) -> None:
    token = await house.console.store.make_link(1, Mode.TEST)
    page = await stranger.get(f"/login/{token}")
    assert page.status == 200
    assert (await stranger.get(f"/login/{token}")).status == 200  # asking does not use it up
    home = await stranger.post(f"/login/{token}", page)
    assert "Overview" in home.text
    other = Visitor(house)
    assert (await other.get(f"/login/{token}")).status == 410
    assert (await other.post(f"/login/{token}")).status == 410
    assert (await other.get("/login/1.neverwas00000000000000")).status == 410


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger: Visitor, house: House) -> None:
    token = await house.console.store.make_link(1, Mode.LIVE)
    answer = await stranger.http.post(f"/login/{token}")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


async def test_a_key_signs_in_with_its_scopes_and_its_mode(house: House, stranger: Visitor) -> None:
    await stranger.by_key(Scope.ORDERS_READ)
    page = await stranger.get("/")
    assert page.html.css_first("html").attributes["class"] == "test"
    assert not page.buttons("switch to live")
    assert (await stranger.post("/session", csrf=csrf(page), mode="live")).html.css_first("html.test") is not None


async def test_a_wrong_key_is_told_so_and_tries_are_counted(stranger: Visitor) -> None:
    page = await stranger.post("/login", key="omk_live_aaaaaaaa_nothing")
    assert page.status == 401
    assert "not known here" in page.text
    for _ in range(10):
        last = await stranger.post("/login", key="omk_live_aaaaaaaa_nothing")
    assert last.status == 422
    assert "Too many tries" in last.text


@pytest.mark.parametrize("lines", [["192.0.2.66"], ["198.51.100.9, 192.0.2.66"], ["198.51.100.9", "192.0.2.66"]])
async def test_behind_a_proxy_tries_are_counted_where_they_come_from(house: House, lines: list[str]) -> None:
    house.console.addresses = Addresses("127.0.0.0/8")
    guesser, other = Visitor(house), Visitor(house)

    async def tried(visitor: Visitor, hops: list[str], path: str = "/login") -> int:
        headers = [("x-forwarded-for", hop) for hop in hops]
        return (await visitor.http.post(path, data={"key": "omk_live_aaaaaaaa_no"}, headers=headers)).status_code

    for number in range(10):
        changing = [line.replace("198.51.100.9", f"198.51.100.{number}") for line in lines]  # what the client made up
        assert await tried(guesser, changing) == 401
    assert await tried(guesser, lines) == 422
    assert await tried(other, ["192.0.2.7"]) == 401
    token = await house.console.store.make_link(1, Mode.TEST)
    assert await tried(other, ["192.0.2.7"], f"/login/{token}") == 303


async def test_the_form_of_a_stranger_is_a_small_one(stranger: Visitor) -> None:
    """Also one that does not tell its length: what is sent is counted."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1_024
            yield b"a" * 1_024

    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        for path in ("/login", "/login/1.neverwas00000000000000"):
            sent = 0
            answer = await stranger.http.post(path, content=endless(), headers={"content-type": kind})
            assert answer.status_code == (413 if "urlencoded" in kind else 400)
            assert sent < 20_000
    answer = await stranger.http.post("/login", content=b"key=" + b"a" * 9_000, headers={"content-type": FORM})
    assert answer.status_code == 413
    assert "At most 8 kB" in answer.text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (FORM, b"&".join(b"f%d=1" % number for number in range(300))),
    ],
)
async def test_a_form_that_cannot_be_read_is_the_senders_fault(stranger: Visitor, kind: str, body: bytes) -> None:
    answer = await stranger.http.post("/login", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert "This form cannot be read" in answer.text


async def test_after_signing_in_nobody_is_sent_to_another_site(house: House) -> None:
    _, secret = await make_key(house)
    for target in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        answer = await Visitor(house).http.post("/login", data={"key": secret, "next": target})
        assert answer.headers["location"] == "/"


async def test_a_read_only_key_looks_and_cannot_act(visitor: Visitor, house: House) -> None:
    await visitor.send(KARRIO, {"orders": [wrong_order(1)]})
    reader = await Visitor(house).by_key(Scope.ORDERS_READ)
    page = await reader.get("/batches/bch_1")
    button = page.buttons("Retry 1 failed")[0]
    assert "disabled" in button.attributes
    assert "orders:write" in (button.attributes["title"] or "")
    answer = await reader.post("/batches/bch_1/retry", csrf=csrf(page))
    assert answer.status == 403
    for path in ("/keys", "/webhooks", "/playground", "/examples", "/system/backup"):
        assert (await reader.post(path, csrf=csrf(page), name="x", url="http://127.0.0.1/")).status == 403
    assert len((await house.mill.find_batches(sender_of(reader), _all())).entries) == 1


async def test_a_form_without_the_token_or_from_another_site_does_nothing(visitor: Visitor, house: House) -> None:
    page = await visitor.get("/keys")
    fields = {**page.form("/keys"), "name": "evil", "mode": "test", "scope-admin": "1"}
    for data, origin in (({**fields, "csrf": "0" * 32}, "http://mill.test"), (fields, "http://evil.example")):
        answer = await visitor.http.post("/keys", data=data, headers={"origin": origin})
        assert answer.status_code == 403
    assert "evil" not in [key.name for key in await house.ledger.find_keys(1)]


async def test_a_revoked_key_ends_its_session(house: House) -> None:
    key, secret = await make_key(house, Scope.ADMIN)
    visitor = Visitor(house)
    await visitor.post("/login", key=secret)
    assert (await visitor.get("/batches")).status == 200
    await house.ledger.revoke_key(1, key.id)
    assert (await visitor.get("/batches")).status == 303


async def test_signing_out_here_and_everywhere(house: House) -> None:
    first, second, third = [await Visitor(house).by_link() for _ in range(3)]
    await first.post("/logout", csrf=csrf(await first.get("/")))
    assert (await first.get("/")).status == 303
    assert (await second.get("/")).status == 200
    await second.post("/logout", csrf=csrf(await second.get("/")), everywhere="1")
    assert [(await one.get("/")).status for one in (second, third)] == [303, 303]


@pytest.mark.parametrize("scope", [Scope.ORDERS_READ, Scope.ORDERS_WRITE])
async def test_signing_everybody_out_takes_an_administrator(visitor: Visitor, house: House, scope: Scope) -> None:
    reader = await Visitor(house).by_key(Scope.ORDERS_READ, scope)
    page = await reader.get("/")
    button = page.buttons("Sign out everywhere")[0]
    assert "disabled" in button.attributes
    assert "admin" in (button.attributes["title"] or "")
    answer = await reader.post("/logout", csrf=csrf(page), everywhere="1")
    assert answer.status == 403
    assert "lacks the scope admin" in answer.text
    assert [(await one.get("/")).status for one in (visitor, reader)] == [200, 200]
    assert "disabled" not in (await visitor.get("/")).buttons("Sign out everywhere")[0].attributes
    await reader.post("/logout", csrf=csrf(page))
    assert [(await one.get("/")).status for one in (visitor, reader)] == [200, 303]


async def test_without_tls_only_this_machine_is_shown_anything(house: House) -> None:
    answer = await Visitor(house, client="192.0.2.7").get("/login")
    assert answer.status == 403
    assert "ORDERMILL_CONSOLE_INSECURE" in answer.text
    house.console.config = msgspec.structs.replace(house.console.config, console_insecure=True)
    assert (await Visitor(house, client="192.0.2.7").get("/login")).status == 200


async def test_what_was_done_stands_in_the_audit_log(visitor: Visitor, house: House) -> None:
    page = await visitor.get("/keys")
    await visitor.post("/keys", page, name="shop", mode="test", **{"scope-orders:read": "1"})
    deeds = await house.console.store.find_deeds(1)
    assert [deed.action for deed in deeds][:2] == ["made a key", "signed in"]
    assert "made a key" in (await visitor.get("/system")).text


def csrf(page: object) -> str:
    return page.html.css_first("input[name=csrf]").attributes["value"]  # type: ignore[attr-defined]


def sender_of(_visitor: Visitor):  # type: ignore[no-untyped-def]
    from visiting import sender

    return sender()


def _all():  # type: ignore[no-untyped-def]
    from ordermill.core.query import BatchQuery

    return BatchQuery()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("DELETE", "/batches", 405), ("PUT", "/login", 405), ("GET", "/static/none.css", 404)],
)
async def test_what_is_not_there_or_not_done_is_told_as_that(
    visitor: Visitor, method: str, path: str, status: int
) -> None:
    answer = await visitor.http.request(method, path)
    assert answer.status_code == status, answer.text
    assert ("GET" in answer.headers.get("allow", "")) == (status == 405)
