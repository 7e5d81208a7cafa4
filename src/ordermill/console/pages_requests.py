"""The log of requests: what clients sent and were answered, private fields masked until somebody reveals them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from starlette.responses import Response

from ordermill.console import listing
from ordermill.console.listing import PAGE, Column
from ordermill.console.masking import mask, pretty, without_secrets
from ordermill.console.requests_log import BODY_MAX, ENTRIES_MAX, INTAKE, Exchange
from ordermill.console.visit import Page, Visit, iso
from ordermill.core.account import DEFAULT_ACCOUNT_ID
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.order import Mode

SENT_AGAIN = ("content-type", "ordermill-dry-run")  # of what is kept: no Idempotency-Key, and the body is plain
CLASSES = ("2", "4", "5")
KEY_HEADER = {"brevo": "api-key: $KEY", "karrio": "Authorization: Token $KEY", "centra": "API-Authorization: $KEY"}
COLUMNS = (
    Column("id", lambda entry: entry.id),
    Column("at", lambda entry: iso(entry.at)),
    Column("method", lambda entry: entry.method),
    Column("path", lambda entry: entry.path),
    Column("contract", lambda entry: entry.contract),
    Column("key_id", lambda entry: entry.key_id),
    Column("status", lambda entry: entry.status),
    Column("took_ms", lambda entry: round(entry.took_us / 1000, 2)),
    Column("orders", lambda entry: entry.orders),
    Column("body_bytes", lambda entry: entry.body_bytes),
    Column("replayed", lambda entry: entry.replayed),
)


def visible_to(visit: Visit) -> Callable[[Exchange], bool]:
    """Those of the account and mode; what came without a known key is shown to who keeps the server."""
    keeper = visit.account_id == DEFAULT_ACCOUNT_ID

    def visible(entry: Exchange) -> bool:
        if entry.account_id is None:
            return keeper
        return entry.account_id == visit.account_id and entry.mode in (None, int(visit.session.mode))

    return visible


async def requests(visit: Visit) -> Response:
    """GET /requests."""
    visible = _filter(visit)
    log = visit.console.requests

    async def fetch(after: int | None, limit: int) -> tuple[Sequence[Exchange], int | None]:
        found = log.find(visible, below=after, until=visit.number("until"), limit=limit + 1)
        return found[:limit], found[limit - 1].number if len(found) > limit else None

    if visit.twin:
        return await listing.twin(visit, "ordermill-requests", COLUMNS, fetch)
    entries, following = await fetch(visit.number("after"), PAGE)

    async def newer(than: int) -> int:
        return min(log.count_newer(than, visible), 100)

    return await visit.page(
        "requests.html",
        title="Requests",
        nav="requests",
        entries=entries,
        keys={key.id: key.name for key in await visit.console.ledger.find_keys(visit.account_id)},
        paging=await listing.paging(visit, [entry.number for entry in entries], following, newer),
        filtered=any(visit.query.get(name) for name in ("contract", "key", "status", "path", "method")),
        most=ENTRIES_MAX,
        lost=log.lost,
    )


def _filter(visit: Visit) -> Callable[[Exchange], bool]:
    visible = visible_to(visit)
    contract, key = visit.query.get("contract"), visit.query.get("key")
    status, method = listing.word(visit, "status", CLASSES), visit.query.get("method", "").upper()
    path = visit.query.get("path", "")

    def wanted(entry: Exchange) -> bool:
        return (
            visible(entry)
            and (not contract or entry.contract == contract)
            and (not key or entry.key_id == key)
            and (not status or str(entry.status)[0] == status)
            and (not method or entry.method == method)
            and (not path or path in entry.path)
        )

    return wanted


async def request(visit: Visit) -> Response:
    """GET /requests/{id}: private values masked."""
    return await _show(visit, revealed=False)


async def reveal(visit: Visit) -> Response:
    """POST /requests/{id}/reveal: the same with everything in sight, and a line in the audit log."""
    await visit.note("revealed a request", visit.params["id"])
    return await _show(visit, revealed=True)


async def _show(visit: Visit, *, revealed: bool) -> Response:
    entry = get_exchange(visit)
    sent, answered = without_secrets(pretty(entry.body)), without_secrets(pretty(entry.reply))
    key = await visit.console.ledger.find_key(entry.key_id) if entry.key_id else None
    return await visit.page(
        "request.html",
        title=f"{entry.method} {entry.path}",
        nav="requests",
        entry=entry,
        key=key if key is not None and key.account_id == visit.account_id else None,
        sent=sent if revealed else mask(sent),
        answered=answered if revealed else mask(answered),
        revealed=revealed,
        curl=curl(visit, entry, sent if revealed else mask(sent)),
        kept=BODY_MAX,
        why_not_again=why_not_again(visit, entry),
    )


async def send_again(visit: Visit) -> Response:
    """POST /requests/{id}/again: the same request in test mode, under a new id and without its Idempotency-Key."""
    entry = get_exchange(visit)
    reason = why_not_again(visit, entry)
    if reason:
        raise Conflict(reason)
    number = f"again-{uuid4().hex}"
    reply = await visit.console.inside.call(
        visit.session, entry.method, entry.path, entry.body, query=dict(parse_qsl(entry.query, keep_blank_values=True)),
        headers={name: value for name, value in entry.headers if name in SENT_AGAIN}, mode=Mode.TEST, request_id=number,
    )  # fmt: skip
    await visit.note("sent a request again", entry.id, "test mode")
    if not visit.test:
        await visit.console.store.change_session(msgspec.structs.replace(visit.session, mode=Mode.TEST))
    say = f"Sent again in test mode: answered {reply.status}; before it was {entry.status}."
    return visit.go(f"/requests/{number}", say, "good" if reply.status < 400 else "bad")


def why_not_again(visit: Visit, entry: Exchange) -> str:
    """Why a request cannot be sent again; '' when it can."""
    if visit.fixed_mode and not visit.test:
        return "Your key is a live one, and requests are only sent again in test mode."
    if entry.method not in INTAKE:
        return "Only what takes something in is sent again."
    if entry.body_bytes > len(entry.body):
        return f"Only the first {BODY_MAX // 1024} kB of its body were kept."
    if "multipart" in dict(entry.headers).get("content-type", "") or entry.path.endswith("/import"):
        return "Files are not kept."
    return ""


def get_exchange(visit: Visit) -> Exchange:
    """Raises NotFound."""
    entry = visit.console.requests.get(visit.params["id"])
    if entry is None or not visible_to(visit)(entry):
        raise NotFound(
            "This request is not in the log.",
            hint=f"The log keeps the newest {ENTRIES_MAX} requests since the server started, and fewer under load.",
        )
    return entry


def curl(visit: Visit, entry: Exchange, body: str) -> str:
    """The request as a command line; the key is left to whoever runs it."""
    url = visit.base_url + entry.path + (f"?{entry.query}" if entry.query else "")
    parts = ["curl", "-X", entry.method, shlex.quote(url)]
    parts += ["-H", f'"{KEY_HEADER.get(entry.contract, "Authorization: Bearer $KEY")}"']
    for name, value in entry.headers:
        if name not in ("user-agent", "content-encoding"):
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    if entry.body:
        parts += ["--data-binary", shlex.quote(body)]
    return " ".join(parts)


PAGES = (
    Page("GET", "/requests", requests, twins=True),
    Page("GET", "/requests/{id}", request),
    Page("POST", "/requests/{id}/reveal", reveal, scope="orders:read"),
    Page("POST", "/requests/{id}/again", send_again, scope="orders:write"),
)
