"""Signing in by a one-time link or an API key, signing out, and the choices that go with a session."""

from __future__ import annotations

import time

import msgspec
from starlette.responses import RedirectResponse, Response

from ordermill.console.visit import Page, Visit
from ordermill.core.errors import Forbidden, Refusal, TooOften
from ordermill.core.order import Mode
from ordermill.core.watching import Session
from ordermill.store.console import SESSION_US, account_of

FAILURES_A_MINUTE = 10
ADDRESSES_MAX = 10_000
COOKIE = "ordermill_session"
ZONES = ("server", "UTC", "browser")
THEMES = ("auto", "light", "dark")


async def ask(visit: Visit) -> Response:
    """GET /login."""
    if visit.token:
        return RedirectResponse(visit.link(_next(visit.query.get("next", ""))), 303)
    return await visit.page("login.html", title="Sign in", nav="", following=visit.query.get("next", ""), wrong="")


async def with_key(visit: Visit) -> Response:
    """POST /login: an API key. What its scopes allow is what the session may do, in the key's mode."""
    _check_tries(visit)
    try:
        key = await visit.console.parts.authenticator.find(visit.field("key"))
    except Refusal:
        _count_failure(visit)
        return await visit.page(
            "login.html", status=401, title="Sign in", nav="", following=visit.field("next"),
            wrong="This key is not known here. It may be revoked, expired, or of another server.",
        )  # fmt: skip
    session = Session(account_id=key.account_id, key_id=key.id, scopes=key.scopes, mode=key.mode)
    return await _start(visit, session, _next(visit.field("next")))


async def ask_with_link(visit: Visit) -> Response:
    """GET /login/{token}: asks once more, so that whatever previews links does not use them up."""
    token = visit.params["token"]
    good = await visit.console.store.link_is_good(token)
    return await visit.page(
        "link.html", status=200 if good else 410, title="Sign in", nav="", token=token, good=good
    )  # fmt: skip


async def with_link(visit: Visit) -> Response:
    """POST /login/{token}."""
    _check_tries(visit)
    token = visit.params["token"]
    mode = await visit.console.store.use_link(token)
    if mode is None:
        _count_failure(visit)
        return await visit.page("link.html", status=410, title="Sign in", nav="", token=token, good=False)
    return await _start(visit, Session(account_id=account_of(token) or 0, mode=mode), "/")


async def _start(visit: Visit, session: Session, following: str) -> Response:
    token = await visit.console.store.start_session(session)
    await visit.console.store.note(session, "signed in", session.who)
    response = RedirectResponse(visit.link(following), 303)
    response.set_cookie(
        COOKIE, token, max_age=SESSION_US // 1_000_000, path=visit.console.root or "/", httponly=True,
        samesite="strict", secure=visit.console.scheme_of(visit.request) == "https",
    )  # fmt: skip
    return response


async def leave(visit: Visit) -> Response:
    """POST /logout: here, or everywhere, which takes an administrator: it ends the sessions of others."""
    if visit.field("everywhere"):
        if not visit.may("admin"):
            raise Forbidden("You may not do that here.", hint=visit.why_not("admin"))
        ended = await visit.console.store.end_sessions(visit.account_id)
        await visit.note("signed everybody out", f"{ended} sessions")
    else:
        await visit.console.store.end_session(visit.session)
        await visit.note("signed out", visit.session.who)
    response = RedirectResponse(visit.link("/login"), 303)
    response.delete_cookie(COOKIE, path=visit.console.root or "/")
    return response


async def choose(visit: Visit) -> Response:
    """POST /session: mode, zone, theme."""
    session = visit.session
    if visit.field("mode") in ("live", "test") and not visit.fixed_mode:
        mode = Mode.TEST if visit.field("mode") == "test" else Mode.LIVE
        session = msgspec.structs.replace(session, mode=mode)
    if visit.field("zone") in ZONES:
        session = msgspec.structs.replace(session, zone=visit.field("zone"))
    if visit.field("theme") in THEMES:
        session = msgspec.structs.replace(session, theme=visit.field("theme"))
    await visit.console.store.change_session(session)
    moved = session.mode is not visit.session.mode  # what is shown now does not exist over there
    return visit.go("/" if moved else _next(visit.field("back")))


def _next(path: str) -> str:
    """A path of this console, never an address elsewhere."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def _check_tries(visit: Visit) -> None:
    """Raises TooOften after ten failures a minute from one address."""
    if len(_recent(visit)) >= FAILURES_A_MINUTE:
        raise TooOften("Too many tries to sign in from here.", hint="Wait a minute.")


def _count_failure(visit: Visit) -> None:
    failures = visit.console.failures
    if len(failures) > ADDRESSES_MAX:
        failures.clear()
    failures[_address(visit)] = [*_recent(visit), time.monotonic()]


def _recent(visit: Visit) -> list[float]:
    now = time.monotonic()
    return [at for at in visit.console.failures.get(_address(visit), []) if now - at < 60]


def _address(visit: Visit) -> str:
    """Behind a trusted proxy that of who asks it, so that nobody's tries close the door to everybody."""
    request = visit.request
    forwarded = ", ".join(request.headers.getlist("x-forwarded-for"))  # the last line is the proxy's own
    peer = request.client.host if request.client else ""
    return visit.console.addresses.of(peer, {"x-forwarded-for": forwarded})


PAGES = (
    Page("GET", "/login", ask, open=True),
    Page("POST", "/login", with_key, open=True),
    Page("GET", "/login/{token}", ask_with_link, open=True),
    Page("POST", "/login/{token}", with_link, open=True),
    Page("POST", "/logout", leave, scope=""),
    Page("POST", "/session", choose, scope=""),
)
