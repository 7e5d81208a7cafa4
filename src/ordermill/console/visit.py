"""One visit of one page: who looks, in which mode and zone, what was asked, and how the answer is made."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ordermill.console import formats
from ordermill.console.inside import sender_of
from ordermill.core.batch import Sender
from ordermill.core.delivery import EndpointState
from ordermill.core.errors import Refusal
from ordermill.core.order import Mode
from ordermill.core.watching import Backlog, Session

if TYPE_CHECKING:
    from ordermill.console.app import Console

EXPORT_MAX = 10_000
FLASH = "ordermill_said"
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Handler = Callable[["Visit"], Awaitable[Response]]


class Page(msgspec.Struct, frozen=True):
    """A path of the console. `scope`: what the session must be allowed. `open`: nobody needs to be signed in.

    `twins`: the same list is also given as .json and .csv.
    """

    method: str
    path: str
    handler: Handler
    scope: str = "orders:read"
    open: bool = False
    twins: bool = False


class Visit:
    """What a page's handler is given."""

    def __init__(self, console: Console, request: Request, session: Session, token: str) -> None:
        self.console = console
        self.request = request
        self.session = session
        self.token = token
        self.now = console.clock()
        self.query = {name: value for name, value in request.query_params.items() if value}
        self.params: Mapping[str, Any] = request.path_params
        self.path: str = request.scope["path"]
        self.twin = ""
        self.live = request.headers.get("hx-request") == "true"
        self.form: Mapping[str, Any] = {}
        self.said: tuple[str, str] | None = None

    # who

    @property
    def sender(self) -> Sender:
        return sender_of(self.session)

    @property
    def account_id(self) -> int:
        return self.session.account_id

    @property
    def csrf(self) -> str:
        """Follows from the secret in the cookie: nobody else can know it, nothing needs to be kept."""
        return hashlib.sha256(b"csrf:" + self.token.encode()).hexdigest()[:32]

    @property
    def test(self) -> bool:
        return self.session.mode is Mode.TEST

    @property
    def fixed_mode(self) -> bool:
        """A key belongs to one mode, and so does who signs in with it."""
        return bool(self.session.key_id)

    def may(self, scope: str) -> bool:
        return not scope or self.session.allows(scope)

    def why_not(self, scope: str) -> str:
        """Why a control is disabled; '' when it is not."""
        return "" if self.may(scope) else f"Your key lacks the scope {scope}: sign in with one that has it."

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo("UTC" if self.session.zone == "UTC" else self.console.zone)

    # where

    @property
    def base_url(self) -> str:
        """As a client would write it."""
        host = self.request.headers.get("host") or "localhost"
        return f"{self.console.scheme_of(self.request)}://{host}{self.console.root}"

    def here(self, **changes: Any) -> str:
        """This page with some filters changed; None leaves one out."""
        return self.link(self.path.removesuffix(f".{self.twin}") if self.twin else self.path, {**self.query, **changes})

    def as_twin(self, ending: str) -> str:
        asked = {name: value for name, value in self.query.items() if name not in ("until", "after")}
        return self.link(f"{self.path}.{ending}", asked)

    def link(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        asked = [(name, str(value)) for name, value in (query or {}).items() if value not in (None, "")]
        return self.console.root + path + (f"?{urlencode(asked)}" if asked else "")

    def number(self, name: str) -> int | None:
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None

    def field(self, name: str) -> str:
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    # answers

    async def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """HTML. A live poll gets what is inside the frame only."""
        context = {"visit": self, "console": self.console, **context}
        if not self.live:
            context["backlog"] = await self._backlog()
            context["failing"] = await self._failing()
        context["layout"] = "live.html" if self.live else "frame.html"
        text = self.console.templates.get_template(template).render(context)
        response = Response(text, status, media_type="text/html; charset=utf-8")
        if self.said is not None:
            response.delete_cookie(FLASH, path=self.console.root or "/")
        return response

    def part(self, template: str, **context: Any) -> Markup:
        """A piece of a page that is the same for everybody, to be kept."""
        context = {"visit": self, "console": self.console, **context}
        return Markup(self.console.templates.get_template(template).render(context))

    async def _backlog(self) -> Backlog | None:
        """For the number in the navigation. A page about a failing ledger is made without."""
        try:
            return await self.console.store.find_backlog(self.sender) if self.token else None
        except Refusal:
            return None

    async def _failing(self) -> int:
        """Endpoints that are failing or disabled, for the navigation."""
        try:
            found = await self.console.parts.endpoints.find_all(self.sender) if self.token else ()
        except Refusal:
            return 0
        return sum(entry.failing_since is not None or entry.state is EndpointState.DISABLED for entry in found)

    def go(self, path: str, say: str = "", kind: str = "good") -> Response:
        """After an action: to a page, with a sentence on what was done."""
        response = RedirectResponse(self.console.root + path, 303)
        if say:
            response.set_cookie(
                FLASH, f"{kind}.{say.encode().hex()}", max_age=60, path=self.console.root or "/", httponly=True,
                samesite="strict", secure=self.console.scheme_of(self.request) == "https",
            )  # fmt: skip
        return response

    def hear(self) -> None:
        """Reads what the last action left to be said."""
        kind, _, text = self.request.cookies.get(FLASH, "").partition(".")
        try:
            said = bytes.fromhex(text).decode()
        except ValueError:
            return
        if kind in ("good", "bad") and said:
            self.said = (kind, said)

    async def note(self, action: str, subject: str, detail: str = "") -> None:
        """Into the audit log."""
        await self.console.store.note(self.session, action, subject, detail)

    # twins

    def json(self, entries: Iterable[Mapping[str, Any]], following: str | None = None) -> Response:
        told = {"data": list(entries), "next": following}
        return Response(msgspec.json.encode(told), media_type="application/json")

    def csv(self, name: str, columns: Sequence[str], rows: AsyncIterator[Sequence[Any]]) -> Response:
        """A download, at most EXPORT_MAX rows, safe to open in a spreadsheet unless ?raw=1."""
        raw = self.query.get("raw") == "1"

        async def lines() -> AsyncIterator[str]:
            yield "\ufeff" + csv_line(columns, raw=True)
            count = 0
            async for row in rows:
                yield csv_line(row, raw=raw)
                count += 1
                if count >= EXPORT_MAX:
                    return

        headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def csv_line(row: Sequence[Any], *, raw: bool = False) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([value if raw else harmless(value) for value in row])
    return out.getvalue()


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a ' in front; numbers keep their minus."""
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return "" if value is None else value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value


def iso(micros: int | None) -> str | None:
    return None if micros is None else formats.iso_utc(micros)
