"""Karrio's calls: path, verb and status code around one Mill call each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from ordermill.core import ids
from ordermill.core.batch import Batch, Draft, Item, Settled, Submission
from ordermill.core.errors import Invalid, NotFound
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill, single
from ordermill.core.order import NewOrder, OnExisting, Order
from ordermill.core.outcome import Created
from ordermill.core.processing import Place, after
from ordermill.core.query import ItemQuery, OrderQuery
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.karrio import outbound, queries, wire
from ordermill.dialects.karrio.amending import amended, cancel, merge, read_update
from ordermill.dialects.karrio.inbound import NAME, Reader
from ordermill.dialects.karrio.normal import read_content, write_content, write_order, write_order_request
from ordermill.web.http import Reply, Request, Route, in_chunks

PREFIX = "/v1"
PAGE_MAX = 1_000  # the contract names no upper bound; a longer page is cut to this
RESOURCES_MAX = 50_000  # of all operations on a page: it ends early where they are more, but not before its first
ITEMS_AT_ONCE = 1_000  # resources read from the ledger at once

T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True):
    """What an operator can choose (contract, section 9, rows 3, 6 and 7).

    `limits`: the published page's lengths, or those of the server since 2025. `codes`: the contract's lists, or ISO's
    as well. `all_or_nothing`: one bad order refuses its batch, as the real server does.
    """

    limits: Literal["source", "2025"] = "source"
    codes: Literal["contract", "extended"] = "contract"
    all_or_nothing: bool = False


class Calls:
    """The handlers. Errors are Refusals; the guard has them written by `outbound.write_refusal`."""

    def __init__(self, mill: Mill, limits: Limits, settings: Settings) -> None:
        self.mill = mill
        self.limits = limits
        self.settings = settings
        rules = wire.rules(
            settings.limits,
            settings.codes,
            text_chars=limits.text_chars,
            lines=limits.lines_per_order,
            keys=limits.metadata_keys,
            nesting=limits.nesting,
        )
        self.reader = Reader(rules, wire.strict_decoder(rules), limits.orders)

    # batches

    async def create_batch(self, request: Request) -> Reply:
        """POST /batches/orders: 200 with the operation in its final state; a bad order fails by itself."""
        raws = self.reader.read_envelope(request.body)

        def read(entry: tuple[int, msgspec.Raw]) -> Draft:
            return self.reader.read_draft(str(entry[0]), bytes(entry[1]), now=request.now)

        drafts = await in_chunks(enumerate(raws), read)
        if self.settings.all_or_nothing:
            refuse_bad(drafts)
        submission = Submission(dialect=NAME, drafts=drafts, size_bytes=len(request.body))
        settled = await self.mill.submit(request.who, submission, request.memo(write_settled))
        batch = _batch_of(settled)
        return _settled_reply(batch, await self._operation(batch, settled.items))

    async def get_operation(self, request: Request) -> Reply:
        """GET /batches/operations/{id}."""
        who = request.who
        number = ids.parse("batch", request.params["id"], who.account_id, who.mode)
        batch = None if number is None else await _found(self.mill.get_batch(who, number))
        if batch is None or batch.dialect != NAME:
            raise NotFound("BatchOperation not found")
        return _ok(request, await self._operation(batch, await self._items(request, batch)))

    async def list_operations(self, request: Request) -> Reply:
        """GET /batches/operations: newest first. The page before is looked at too: its link must not skip any."""
        pairs = request.query()
        paging = queries.read_paging(pairs, PAGE_MAX)
        query = queries.read_operation_query(pairs, paging)
        if query is None:
            return _page(request, paging, (), 0)
        before = min(paging.offset, paging.limit)
        both = msgspec.structs.replace(query, offset=paging.offset - before, limit=before + paging.limit)
        page = await self.mill.find_batches(request.who, both)
        earlier, batches = page.entries[:before], page.entries[before:]
        forth, back = _fitting(batches), before - len(earlier) + _fitting(earlier[::-1])
        shown = [await self._operation(batch, await self._items(request, batch)) for batch in batches[:forth]]
        if forth < len(batches):
            paging = msgspec.structs.replace(paging, forth=forth)
        if back < before:
            paging = msgspec.structs.replace(paging, back=back)
        return _page(request, paging, shown, page.count)

    async def _items(self, request: Request, batch: Batch) -> list[Item]:
        items: list[Item] = []
        more = True
        while more:
            position = items[-1].position if items else -1
            query = ItemQuery(batch_id=batch.id, after_position=position, limit=ITEMS_AT_ONCE)
            page = await self.mill.find_items(request.who, query)
            items += page.entries
            more = page.more and bool(page.entries)
        return items

    async def _operation(self, batch: Batch, items: Sequence[Item]) -> bytes:
        resources = await in_chunks(items, lambda item: outbound.write_resource(batch, item))
        return outbound.write_operation(batch, resources)

    # orders

    async def create_order(self, request: Request) -> Reply:
        """POST /orders: 201 with the order; 409 when its source and order_id are taken."""
        draft = self.reader.read_single(request.body, now=request.now)
        if draft.order is None:
            raise Invalid(draft.problems[0].message, problems=draft.problems)
        order = msgspec.structs.replace(draft.order, on_existing=OnExisting.REFUSE, request_id=request.request_id)
        submission = Submission(
            dialect=NAME,
            drafts=(msgspec.structs.replace(draft, order=order),),
            single=True,
            size_bytes=len(request.body),
        )

        def reply(settled: Settled) -> Reply:
            shown = write_order(_created(order, single(settled), request, settled.at))
            return Reply(201, shown, headers=outbound.test_mode(request.who.mode))

        return reply(await self.mill.submit(request.who, submission, request.memo(reply)))

    async def list_orders(self, request: Request) -> Reply:
        """GET /orders: newest first."""
        pairs = request.query()
        paging = queries.read_paging(pairs, PAGE_MAX)
        query = queries.read_order_query(pairs, paging, request.who)
        if query is None:
            return _page(request, paging, (), 0)
        page = await self.mill.find_orders(request.who, query)
        return _page(request, paging, await in_chunks(page.entries, write_order), page.count)

    async def get_order(self, request: Request) -> Reply:
        """GET /orders/{id}."""
        return _ok(request, write_order(await self._order(request)))

    async def update_order(self, request: Request) -> Reply:
        """PUT /orders/{id}: options and metadata merged in; other names are ignored."""
        keys, nesting = self.limits.metadata_keys, self.limits.nesting
        update = read_update(request.body, keys_max=keys, nesting=nesting)
        return await self._amend(request, await self._order(request), lambda order: merge(order, update, keys))

    async def cancel_order(self, request: Request) -> Reply:
        """POST /orders/{id}/cancel, DELETE /orders/{id}; the id may be the X-Request-ID of the order's creation."""
        return await self._amend(request, await self._order(request, by_request_id=True), cancel)

    async def _amend(self, request: Request, found: Order, change: Callable[[Order], NewOrder]) -> Reply:
        answer = b""

        def noted(order: Order) -> NewOrder:
            # What is to be remembered with an Idempotency-Key is written where the order is known: in the transaction.
            nonlocal answer
            version = change(order)
            answer = write_order(amended(order, version))
            return version

        memo = request.memo(lambda _: _ok(request, answer))
        await self.mill.amend(request.who, found.id, noted, memo)
        return _ok(request, answer)

    async def _order(self, request: Request, *, by_request_id: bool = False) -> Order:
        """The order that the path names. Raises NotFound; other dialects' orders are not found here."""
        who, text = request.who, request.params["id"]
        number = ids.parse("ord", text, who.account_id, who.mode)
        order = None
        if number is not None:
            order = await _found(self.mill.get_order(who, number))
        elif by_request_id and "\0" not in text:
            query = OrderQuery(dialect=NAME, request_id=text, limit=1, with_count=False)
            order = next(iter((await self.mill.find_orders(who, query)).entries), None)
        if order is None or order.dialect != NAME:
            raise NotFound("Order not found")
        return order


async def _found(pending: Awaitable[T]) -> T | None:
    """What was asked for, or None: the contract has its own words for what is not there."""
    try:
        return await pending
    except NotFound:
        return None


def _fitting(batches: Sequence[Batch]) -> int:
    """How many of them one page holds: the first, and those with which it does not hold too many resources."""
    held = 0
    for number, batch in enumerate(batches):
        held += batch.counts.received
        if number and held > RESOURCES_MAX:
            return number
    return len(batches)


def refuse_bad(drafts: tuple[Draft, ...]) -> None:
    """Raises Invalid with the full path of every problem when one order of the batch is bad (all or nothing)."""
    problems = tuple(
        msgspec.structs.replace(problem, field=f"orders[{draft.key}].{problem.field}")
        for draft in drafts
        for problem in draft.problems
    )
    if problems:
        raise Invalid(problems[0].message, field=problems[0].field, problems=problems)


def write_settled(settled: Settled) -> Reply:
    """The answer to a batch, written at once (it goes into a memo)."""
    batch = _batch_of(settled)
    return _settled_reply(batch, outbound.write_batch(batch, settled.items))


def _settled_reply(batch: Batch, operation: bytes) -> Reply:
    failed = batch.counts.failed
    headers = (
        ("ordermill-batch-id", ids.spell("batch", batch.account_id, batch.mode, batch.id)),
        ("ordermill-accepted", str(batch.counts.received - failed)),
        ("ordermill-rejected", str(failed)),
    )
    return Reply(200, operation, headers=headers + outbound.test_mode(batch.mode))


def _batch_of(settled: Settled) -> Batch:
    assert settled.batch is not None  # only singles have none
    return settled.batch


def _created(order: NewOrder, item: Item, request: Request, at: int) -> Order:
    """The order as the ledger has it now, without asking for it again."""
    assert item.order_id is not None
    place = Place(item.order_id, request.who.account_id, request.who.mode, at)
    stored = after(place, Created(order, order.reference or "", item.order_id))
    return msgspec.structs.replace(stored, document=order.document)


def _ok(request: Request, body: bytes) -> Reply:
    return Reply(200, body, headers=outbound.test_mode(request.who.mode))


def _page(request: Request, paging: queries.Paging, shown: Sequence[bytes], count: int | None) -> Reply:
    url = f"{request.base_url.rstrip('/')}{request.path}"
    return _ok(request, outbound.write_page(shown, count or 0, paging, url))


def read_key(headers: Mapping[str, str]) -> str | None:
    """`Token <key>`, or Basic with the key as user name and no password. Bearer is for other things (section 1)."""
    scheme, _, rest = headers.get("authorization", "").strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "token":
        return rest or None
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return name if name and not password else None


def build(mill: Mill, limits: Limits, settings: Settings) -> Dialect:
    """The contract, ready to be mounted."""
    calls = Calls(mill, limits, settings)
    return Dialect(
        name=NAME,
        prefix=PREFIX,
        routes=(
            Route("POST", "/batches/orders", calls.create_batch),
            Route("GET", "/batches/operations", calls.list_operations, scope="orders:read", write=False),
            Route("GET", "/batches/operations/{id}", calls.get_operation, scope="orders:read", write=False),
            Route("POST", "/orders", calls.create_order),
            Route("GET", "/orders", calls.list_orders, scope="orders:read", write=False),
            Route("GET", "/orders/{id}", calls.get_order, scope="orders:read", write=False),
            Route("PUT", "/orders/{id}", calls.update_order),
            Route("DELETE", "/orders/{id}", calls.cancel_order),
            Route("POST", "/orders/{id}/cancel", calls.cancel_order),
        ),
        read_key=read_key,
        write_refusal=outbound.write_refusal,
        throttle_headers=outbound.throttle_headers,
        read_batch=calls.reader.read_batch,
        read_draft=calls.reader.read_draft,
        read_content=read_content,
        write_content=write_content,
        write_order_request=write_order_request,
        write_batch=outbound.write_batch,
        body_bytes_max=limits.body_bytes,
        orders_max=limits.orders,
        media="json",
    )
