"""Centra's paths and verbs; each is read, one call of the mill, write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Raw

from ordermill.core.batch import Draft
from ordermill.core.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill, single
from ordermill.core.order import NewOrder, Order, OrderKey
from ordermill.dialects.centra import amending, content, inbound, outbound, queries, wire
from ordermill.dialects.centra.settings import STORE, Settings, rules_of
from ordermill.dialects.dialect import Dialect
from ordermill.web.http import Handler, Reply, Request, Route, in_chunks

__all__ = ["Settings", "build"]

PREFIX = "/centra"

_STORE = re.compile("[A-Za-z0-9_-]{1,64}")
_NO_STORE = frozenset({"order", "orders"})  # would read like the paths themselves


def build(mill: Mill, limits: Limits, settings: Settings) -> Dialect:
    """The dialect. Raises ZoneInfoNotFoundError for a time zone nobody knows."""
    rules = rules_of(settings, limits)
    return Dialect(
        name=inbound.DIALECT,
        prefix=PREFIX,
        routes=Stores(mill, limits, settings).routes(),
        read_key=read_key,
        write_refusal=outbound.write_refusal,
        throttle_headers=throttle_headers,
        read_batch=partial(inbound.read_batch, rules=rules),
        read_draft=partial(inbound.read_draft, rules=rules),
        read_content=partial(content.read_content, rules=rules),
        write_content=partial(outbound.write_content, rules=rules),
        write_order_request=content.write_order_request,
        write_batch=outbound.write_batch,
        body_bytes_max=limits.body_bytes,
        orders_max=limits.orders,
        media="any",  # JSON is read whatever the header says (contract section 1)
    )


def read_key(headers: Mapping[str, str]) -> str | None:
    """`API-Authorization: <key>`, else `Authorization: Bearer <key>` (contract section 1)."""
    key = headers.get("api-authorization", "").strip()
    if not key:
        scheme, _, key = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
    elif key[:7].lower() == "bearer ":
        key = key[7:]
    return key.strip() or None


def throttle_headers(limit: int, remaining: int, reset_s: int) -> tuple[tuple[str, str], ...]:
    """The contract names none; these are the ones generic clients know."""
    return (
        ("ratelimit-limit", str(limit)),
        ("ratelimit-remaining", str(remaining)),
        ("ratelimit-reset", str(reset_s)),
    )


class Stores:
    """The handlers, for the default store and for those named in the path."""

    def __init__(self, mill: Mill, limits: Limits, settings: Settings) -> None:
        self.mill = mill
        self.rules = rules_of(settings, limits)
        self.create_allowed = settings.create_allowed

    def routes(self) -> tuple[Route, ...]:
        read, write = "orders:read", "orders:write"
        verbs: tuple[tuple[str, str, Handler, str, bool], ...] = (
            ("POST", "/orders", self.create_orders, write, True),
            ("GET", "/orders", self.list_orders, read, False),
            ("PUT", "/orders", self.update_order, write, True),
            ("POST", "/order", self.create_order, write, True),
            ("POST", "/order/{number}", self.complete_order, write, True),
        )
        return tuple(
            Route(method, store + path + slash, handler, scope, changing)
            for store in ("", "/{store}")
            for method, path, handler, scope, changing in verbs
            for slash in ("", "/")
        )

    async def create_order(self, request: Request) -> Reply:
        """POST order. A bad order is an answer (HTTP 200, `no`), written from the Refusal."""
        store = self._store_to_create_in(request)
        draft = inbound.read_single(request.body, now=request.now, source=store, rules=self.rules)
        submission = inbound.submission((draft,), source=store, size_bytes=len(request.body), single=True)
        settled = await self.mill.submit(
            request.who, submission, request.memo(lambda settled: outbound.write_single(single(settled), draft))
        )
        return outbound.write_single(single(settled), draft)

    async def create_orders(self, request: Request) -> Reply:
        """POST orders: each name stands alone (contract section 2)."""
        store = self._store_to_create_in(request)
        pairs, repeated = inbound.read_envelope(request.body, self.rules)
        if not pairs:
            return Reply(200, b"{}")

        def read(pair: tuple[str, Raw]) -> Draft:
            name, document = pair
            if name in repeated:
                return inbound.sent_twice(name, document)
            return inbound.read_draft(name, document, now=request.now, source=store, rules=self.rules)

        drafts = await in_chunks(pairs, read)
        submission = inbound.submission(drafts, source=store, size_bytes=len(request.body))
        write = partial(outbound.write_settled, drafts=submission.drafts)
        settled = await self.mill.submit(request.who, submission, request.memo(write))
        return outbound.write_fates(
            settled, await in_chunks(zip(settled.items, submission.drafts, strict=True), outbound.fate)
        )

    async def list_orders(self, request: Request) -> Reply:
        """GET orders: ascending by number; prepared orders only when asked for by number."""
        query = queries.read_order_query(request.query(), source=self._store(request), rules=self.rules)
        page = await self.mill.find_orders(request.who, query)
        rows = await in_chunks(page.entries, partial(outbound.write_order_row, rules=self.rules))
        return Reply(200, outbound.write_orders(rows))

    async def complete_order(self, request: Request) -> Reply:
        """POST order/{number}. This call tells numbers as strings (contract A11)."""
        number = _number(request.params["number"])
        changes = amending.read_completion(request.body, self.rules)
        reply = Reply(200, wire.ENCODER.encode({"orders": [number], "status": "ok"}))
        await self._amend(request, number, lambda order: amending.complete(order, changes, self.rules), reply)
        return reply

    async def update_order(self, request: Request) -> Reply:
        """PUT orders. What goes wrong with an order names that order."""
        changes = amending.read_update(request.body, self.rules)
        number = changes["order"]
        reply = Reply(200, wire.ENCODER.encode({"status": "ok", "order": number}))
        try:
            await self._amend(request, str(number), lambda order: amending.update(order, changes, self.rules), reply)
        except (Invalid, Conflict) as refusal:
            return Reply(200, wire.ENCODER.encode(outbound.refused(refusal) | {"order": number}))
        return reply

    async def _amend(self, request: Request, number: str, change: Callable[[Order], NewOrder], reply: Reply) -> None:
        """Raises Invalid when this store has no such order: a business failure here, not an unknown path."""
        unknown: Refusal = Invalid(f"there is no order {number}", field="order")
        order = await self.mill.find_order_by_key(request.who, OrderKey(inbound.DIALECT, self._store(request), number))
        if order is None:
            raise unknown
        try:
            await self.mill.amend(request.who, order.id, change, request.memo(lambda _: reply))
        except NotFound as gone:
            raise unknown from gone

    def _store(self, request: Request) -> str:
        store = request.params.get("store", STORE)
        if store in _NO_STORE or not _STORE.fullmatch(store):
            raise NotFound("there is nothing under this path")
        return store

    def _store_to_create_in(self, request: Request) -> str:
        store = self._store(request)
        if not self.create_allowed:
            raise Forbidden("this store does not allow orders to be created through the API")
        return store


def _number(text: str) -> str:
    """An order number from a path. Raises Invalid for what cannot be one."""
    if not re.fullmatch("[1-9][0-9]{0,9}", text):
        raise Invalid(f"there is no order {text[:20]}", field="order")
    return text
