"""The console as an ASGI application: finds the page, knows who asks, refuses what they may not, seals the answer."""

from __future__ import annotations

import gzip
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from ordermill import __version__
from ordermill.config import Config
from ordermill.console import (
    charts,
    formats,
    pages_batches,
    pages_import,
    pages_keys,
    pages_login,
    pages_orders,
    pages_overview,
    pages_playground,
    pages_reference,
    pages_requests,
    pages_system,
    pages_webhooks,
)
from ordermill.console.formats import FILTERS, server_zone
from ordermill.console.forms import BODY_MAX, OPEN_BODY_MAX, BadForm, read_form
from ordermill.console.inside import Inside
from ordermill.console.remedies import FILTERS as REMEDIES
from ordermill.console.requests_log import RequestsLog
from ordermill.console.static_files import PREFIX as STATIC
from ordermill.console.static_files import StaticFiles
from ordermill.console.visit import Page, Visit
from ordermill.core.endpoints import Endpoints
from ordermill.core.errors import (
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    Refusal,
    TooLarge,
    Unauthorized,
)
from ordermill.core.mill import Mill
from ordermill.core.watching import Session
from ordermill.dialects.dialect import Dialect
from ordermill.store.console import ConsoleStore
from ordermill.store.imports import ImportLedger
from ordermill.store.ledger import Ledger
from ordermill.web import observe
from ordermill.web.auth import Authenticator
from ordermill.web.face import Face
from ordermill.web.throttle import Addresses

COOKIE = "ordermill_session"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SEALS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
STATUSES: dict[type[Refusal], int] = {
    BadForm: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, MethodNotAllowed: 405, Conflict: 409,
    TooLarge: 413, Overloaded: 503,
}  # fmt: skip
MODULES = (
    pages_import,
    pages_webhooks,
    pages_login,
    pages_overview,
    pages_batches,
    pages_orders,
    pages_requests,
    pages_keys,
    pages_playground,
    pages_reference,
    pages_system,
)

NAVIGATION = (
    ("overview", "/", "Overview", "h"),
    ("batches", "/batches", "Batches", "b"),
    ("orders", "/orders", "Orders", "o"),
    ("import", "/import", "Import", "i"),
    ("webhooks", "/webhooks", "Webhooks", "w"),
    ("requests", "/requests", "Requests", "r"),
    ("keys", "/keys", "API keys", "k"),
    ("playground", "/playground", "Playground", "p"),
    ("reference", "/reference", "API reference", "a"),
    ("system", "/system", "System", "s"),
)

Scope = MutableMapping[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class Parts(msgspec.Struct, kw_only=True):
    """What the console is given of the house. `plain`: the open paths, for the documents among them."""

    config: Config
    mill: Mill
    ledger: Ledger
    authenticator: Authenticator
    dialects: Sequence[Dialect]
    faces: Sequence[Face]
    plain: Mapping[str, Any]
    endpoints: Endpoints
    imports: ImportLedger
    clock: Callable[[], int]
    started_at: int


AWAY_RETRY_S = 5


class Console:
    """Everything the pages share."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.clock = parts.clock
        self.mill = parts.mill
        self.ledger = parts.ledger
        self.config = parts.config
        self.root = parts.config.root_path.rstrip("/")
        self.version = __version__
        self.zone = server_zone()
        self.dialects = {dialect.name: dialect for dialect in parts.dialects}
        self.store = ConsoleStore(parts.ledger.lanes, parts.clock)
        self.requests = RequestsLog(parts.clock)
        self.inside = Inside(parts.faces, parts.clock, self.requests.take)
        self.static = StaticFiles(self.root)
        self.addresses = Addresses(parts.config.trusted_proxies)
        self.templates = _templates()
        self.documents: dict[str, Any] = {}
        self.failures: dict[str, list[float]] = {}
        self.away_since: int | None = None  # the ledger, as far as pages have noticed
        self.routes = [route for module in MODULES for page in module.PAGES for route in self._routes(page)]

    def _routes(self, page: Page) -> list[Route]:
        """The page itself, and its twins where it has some: the same list as JSON and as CSV."""

        def route(twin: str) -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._answer(page, request, twin)

            return Route(page.path + (f".{twin}" if twin else ""), endpoint, methods=[page.method])

        return [route(twin) for twin in (("json", "csv", "") if page.twins else ("",))]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        accept = request.headers.get("accept-encoding", "")
        if scope["path"].startswith(STATIC) and scope["method"] in ("GET", "HEAD"):
            response = self.static.answer(scope["path"], accept)
            if response is not None:
                response.headers["x-content-type-options"] = "nosniff"
                await response(scope, receive, send)
                return
        response = await self._respond(request)
        for name, value in SEALS.items():
            response.headers.setdefault(name, value)
        _pack(response, accept)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        """The page's answer, or an error page. Nothing leaves here unanswered."""
        try:
            endpoint = self._find(request)
            return await endpoint(request)
        except Refusal as refusal:
            return await self._refuse(request, refusal)
        except HTTPException as error:
            return await self._refuse(request, _of_http(error))
        except Exception:
            error_id = uuid4().hex
            observe.log.exception("console.failed", request_id=error_id, path=request.scope["path"])
            fault = Overloaded("Something failed on our side while making this page; nothing was changed.",
                               hint=f"Try again. The server's log tells more under the id {error_id}.")  # fmt: skip
            return await self._refuse(request, fault, status=500)

    def _find(self, request: Request) -> Endpoint:
        allowed: set[str] = set()
        for route in self.routes:
            match, child = route.matches(request.scope)
            if match is Match.FULL:
                request.scope.update(child)
                return cast("Endpoint", route.endpoint)
            if match is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            raise MethodNotAllowed("This page does not take that kind of request.", allowed=tuple(sorted(allowed)))
        raise NotFound("There is no such page.", hint="Go back to the overview, or search for an order or a batch.")

    # one page

    async def _answer(self, page: Page, request: Request, twin: str) -> Response:
        if not self.safe_road(request):
            raise Forbidden(
                "The console is shown without TLS on this machine only.",
                hint="Put it behind a reverse proxy with HTTPS and name that in ORDERMILL_TRUSTED_PROXIES, "
                "open it through an SSH tunnel, or set ORDERMILL_CONSOLE_INSECURE=true where you trust the network.",
            )
        token = request.cookies.get(COOKIE, "")
        session = await self.find_session(token)
        if session is None and not page.open:
            return self._ask_to_sign_in(request)
        visit = Visit(self, request, session or Session(account_id=0, scopes=()), token if session else "")
        visit.twin = twin
        visit.hear()
        if request.method == "POST":
            await self._check_form(visit, page)
        if not page.open and not visit.may(page.scope):
            raise Forbidden("You may not do that here.", hint=visit.why_not(page.scope))
        try:
            return await page.handler(visit)
        finally:
            if isinstance(visit.form, FormData):  # uploads are files until then
                await visit.form.close()

    async def _check_form(self, visit: Visit, page: Page) -> None:
        """A form of this very console, sent by who is signed in. Raises Forbidden, TooLarge, BadForm."""
        request = visit.request
        origin = request.headers.get("origin")
        own = f"{self.scheme_of(request)}://{request.headers.get('host', '')}"
        if origin is not None and origin != own:
            raise Forbidden("This form was sent from another site, so nothing was done.")
        visit.form = await read_form(request, OPEN_BODY_MAX if page.open else BODY_MAX)
        if visit.token and visit.field("csrf") != visit.csrf:
            raise Forbidden(
                "This form is out of date, so nothing was done.", hint="Go back, load the page again and repeat it."
            )

    def _ask_to_sign_in(self, request: Request) -> Response:
        path = request.scope["path"]
        if path.endswith((".json", ".csv")):
            return Response(b'{"error":"sign in first"}', 401, media_type="application/json")
        query = request.scope.get("query_string", b"").decode("latin-1")
        following = path + (f"?{query}" if query else "") if request.method == "GET" else "/"
        target = self.root + "/login" + ("" if following == "/" else f"?next={quote(following, safe='')}")
        if request.headers.get("hx-request") == "true":
            return Response(b"", 401, headers={"hx-redirect": target})
        return RedirectResponse(target, 303)

    async def find_session(self, token: str) -> Session | None:
        """Who signed in; nobody once their key is revoked or has ended."""
        session = await self.store.find_session(token) if token else None
        self.away_since = None if token else self.away_since
        if session is None or not session.key_id:
            return session
        key = await self.ledger.find_key(session.key_id)
        return session if key is not None and key.valid_at(self.clock()) else None

    async def _refuse(self, request: Request, refusal: Refusal, status: int | None = None) -> Response:
        if status is None:
            status = next((STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES), 422)
        if request.scope["path"].endswith(".json"):
            return Response(msgspec.json.encode({"error": refusal.message, "hint": refusal.hint}), status,
                            media_type="application/json")  # fmt: skip
        away = False
        try:
            token = request.cookies.get(COOKIE, "")
            session = await self.find_session(token)
        except Refusal:  # the ledger is out of reach: the page is made without it
            session, away = None, True
            self.away_since = self.away_since or self.clock()
        visit = Visit(self, request, session or Session(account_id=0, scopes=()), token if session else "")
        visit.live = False
        page = await visit.page("error.html", status=status, title="That did not work", nav="", refusal=refusal,
                                code=status, away_since=self.away_since if away else None)  # fmt: skip
        if isinstance(refusal, MethodNotAllowed) and refusal.allowed:
            page.headers["allow"] = ", ".join(refusal.allowed)
        if status == 503:
            page.headers["retry-after"] = str(AWAY_RETRY_S)
        if away and request.method == "GET":
            page.headers["refresh"] = str(AWAY_RETRY_S)
        return page

    # the road here

    def scheme_of(self, request: Request) -> str:
        """https also where a trusted proxy says so."""
        forwarded = request.headers.get("x-forwarded-proto", "")
        if forwarded in ("http", "https") and self._near(request, trusted_only=True):
            return forwarded
        return str(request.scope.get("scheme", "http"))

    def safe_road(self, request: Request) -> bool:
        return self.scheme_of(request) == "https" or self.config.console_insecure or self._near(request)

    def _near(self, request: Request, *, trusted_only: bool = False) -> bool:
        client = request.scope.get("client")
        if client is None:
            return not trusted_only
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        if any(address in network for network in self.addresses.trusted):
            return True
        return address.is_loopback and not trusted_only

    # what templates ask

    def has_page(self, path: str) -> bool:
        return any(route.path == path for route in self.routes)

    def navigation(self) -> list[tuple[str, str, str, str]]:
        """(place, path, word, key) of the pages that this server has."""
        return [entry for entry in NAVIGATION if self.has_page(entry[1])]

    def link_to_sign_in(self, base: str, token: str) -> str:
        return f"{base}{self.root}/login/{token}"


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("ordermill.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(FILTERS | REMEDIES)
    environment.globals.update(
        bars=charts.bars,
        percent=charts.share,
        share=formats.share,
        money=formats.money,
        micros=formats.micros,
        group=formats.group,
    )
    return environment


def _of_http(error: HTTPException) -> Refusal:
    """What the framework refuses, as a refusal of ours."""
    kinds: dict[int, type[Refusal]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}
    return kinds.get(error.status_code, Conflict)(str(error.detail))


def _pack(response: Response, accept: str) -> None:
    """gzip for pages; there is no secret in them that a stranger's input could stand beside: cookies are SameSite."""
    body = getattr(response, "body", b"")
    if len(body) < 1_000 or "gzip" not in accept or "content-encoding" in response.headers:
        return
    response.body = gzip.compress(body, 5, mtime=0)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))
    response.headers.add_vary_header("accept-encoding")
