"""API keys: made (the secret is shown once), rotated with an overlap, revoked; who used them lately."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from ordermill.console import listing
from ordermill.console.formats import HOUR
from ordermill.console.inside import sender_of
from ordermill.console.listing import Column
from ordermill.console.visit import Page, Visit, iso
from ordermill.core.account import DEFAULT_SCOPES, ApiKey, Scope
from ordermill.core.errors import Invalid
from ordermill.core.order import Mode

ADMIN = Scope.ADMIN.value
WEEK_H = 7 * 24
SCOPES = (
    (Scope.ORDERS_READ, "read orders and batches; look at this console"),
    (Scope.ORDERS_WRITE, "send orders, retry, import"),
    (Scope.WEBHOOKS, "manage endpoints, resend deliveries"),
    (Scope.ADMIN, "everything, keys included"),
)
COLUMNS = (
    Column("id", lambda key: key.id),
    Column("name", lambda key: key.name),
    Column("mode", lambda key: key.mode.name.lower()),
    Column("ends_with", lambda key: key.hint),
    Column("scopes", lambda key: " ".join(scope.value for scope in key.scopes)),
    Column("rate_limit", lambda key: key.rate_limit),
    Column("created_at", lambda key: iso(key.created_at)),
    Column("last_used_at", lambda key: iso(key.last_used_at)),
    Column("expires_at", lambda key: iso(key.expires_at)),
    Column("revoked_at", lambda key: iso(key.revoked_at)),
)


async def keys(visit: Visit) -> Response:
    """GET /keys."""
    found = [key for key in await visit.console.ledger.find_keys(visit.account_id) if _visible(visit, key)]
    if not visit.may(ADMIN):
        found = [key for key in found if key.id == visit.session.key_id]

    async def fetch(_after: int | None, _limit: int) -> tuple[Sequence[ApiKey], int | None]:
        return found, None

    if visit.twin:
        return await listing.twin(visit, "ordermill-keys", COLUMNS, fetch)
    return await visit.page(
        "keys.html",
        title="API keys",
        nav="keys",
        keys=[(key, state(key, visit.now)) for key in found],
        used=await _use(visit),
        scopes=SCOPES,
        usual=DEFAULT_SCOPES,
    )


def _visible(visit: Visit, key: ApiKey) -> bool:
    """A one-time link sees both modes; a test key sees no live one."""
    return not visit.fixed_mode or visit.session.mode is Mode.LIVE or key.mode is Mode.TEST


def state(key: ApiKey, now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "expired" if key.expires_at <= now else "ending"


async def _use(visit: Visit) -> dict[str, int]:
    """Orders that each key brought in a week, of both modes."""
    behind = visit.now // HOUR + 1
    used: dict[str, int] = {}
    for mode in Mode:
        sender = sender_of(visit.session, mode)
        for share in await visit.console.store.find_shares(sender, behind - WEEK_H, behind):
            used[share.key_id] = used.get(share.key_id, 0) + share.received
    return used


def _all_modes(visit: Visit) -> Mode:
    """On whose behalf keys are managed: a one-time link stands for the operator, who keeps those of both modes."""
    return visit.session.mode if visit.fixed_mode else Mode.LIVE


async def create(visit: Visit) -> Response:
    """POST /keys: the one page that shows the secret."""
    scopes = [scope.value for scope, _ in SCOPES if visit.field(f"scope-{scope.value}")]
    if not scopes:
        raise Invalid("A key without any scope can do nothing.", hint="Choose at least one.")
    body: dict[str, Any] = {"name": visit.field("name"), "mode": visit.field("mode") or "test", "scopes": scopes}
    if visit.field("rate"):
        body["rateLimit"] = _whole(visit, "rate", "requests a minute")
    if visit.field("days"):
        end = datetime.now(UTC) + timedelta(days=min(_whole(visit, "days", "days"), 36_500))
        body["expiresAt"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    made = await visit.console.inside.ask(visit.session, "POST", "/keys", body, mode=_all_modes(visit))
    await visit.note("made a key", made["id"], made["name"])
    return await visit.page("key_made.html", title="New key", nav="keys", made=made, old=None)


async def rotate(visit: Visit) -> Response:
    """POST /keys/{id}/rotate."""
    hours = _whole(visit, "hours", "hours") if visit.field("hours") else 24
    answer = await visit.console.inside.ask(
        visit.session, "POST", f"/keys/{visit.params['id']}/rotate", {"overlapHours": hours}, mode=_all_modes(visit)
    )
    await visit.note("rotated a key", visit.params["id"], f"to {answer['made']['id']}, {hours} h overlap")
    return await visit.page("key_made.html", title="New key", nav="keys", made=answer["made"], old=answer["old"])


async def revoke(visit: Visit) -> Response:
    """POST /keys/{id}/revoke."""
    await visit.console.inside.ask(visit.session, "DELETE", f"/keys/{visit.params['id']}", mode=_all_modes(visit))
    await visit.note("revoked a key", visit.params["id"])
    return visit.go("/keys", "Revoked: it works for a few seconds more at most.")


def _whole(visit: Visit, name: str, what: str) -> int:
    said = visit.field(name)
    if not said.isascii() or not said.isdecimal() or len(said) > 7:
        raise Invalid(f"The number of {what} must be a whole number.")
    return int(said)


PAGES = (
    Page("GET", "/keys", keys, twins=True),
    Page("POST", "/keys", create, scope=ADMIN),
    Page("POST", "/keys/{id}/rotate", rotate, scope=ADMIN),
    Page("POST", "/keys/{id}/revoke", revoke, scope=ADMIN),
)
