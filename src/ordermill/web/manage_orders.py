"""Orders of our own API: which there are, what one says, how it came to be, and the bytes it was sent in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordermill.core import ids
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.mill import Mill
from ordermill.core.order import Content, Order, OrderKey
from ordermill.core.query import OrderQuery
from ordermill.dialects.dialect import Dialect
from ordermill.store.console import ConsoleStore
from ordermill.store.ledger import Ledger
from ordermill.web import shapes, telling
from ordermill.web.call import Answer, Call
from ordermill.web.history import write_history
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import PAGE_DEFAULT, PAGING, bounds, choice, read_query, span, text, whole
from ordermill.web.warnings import find_warnings

ID_MAX = 2**53 - 1

ORDER_FILTERS = (
    choice("contract", "Only orders of this contract.", shapes.CONTRACTS),
    text("source", "Only orders of this source or store; may be repeated.", many=True),
    text("reference", "Only orders with this reference; may be repeated.", many=True),
    text("status", "Only orders in this state; may be repeated.", many=True),
    *span("placed", "orders placed"),
    *span("updated", "orders updated by the merchant"),
    *span("received", "orders that first came in"),
    whole("contactId", "Only orders of this contact.", 1, ID_MAX),
    text("email", "Only orders of the contact with this address, in any case."),
    choice("order", "newest received first (unless told) or oldest first.", ("newest", "oldest")),
    *PAGING,
)
BY_REFERENCE = (
    choice("contract", "The contract the order came in through.", shapes.CONTRACTS, required=True),
    text("reference", "The merchant's id of the order.", required=True),
    text("source", "The source or store, where the contract has several."),
)
AS = choice("as", "Shown in the words of this contract instead of ours.", shapes.CONTRACTS)
VERSION = (
    whole("revision", "The current version's number at that time; unless told, the newest.", 1, 2**31 - 1),
    whole("version", "Instead: the number in the order of arrival, which stale versions have as well.", 1, 2**31 - 1),
)
ORDER_OR_OTHER = {
    "anyOf": [
        {"$ref": "#/components/schemas/OrderDetail"},
        {"type": "object", "description": "With `as`: what the contract's own call shows."},
    ]
}
IN_PATH = {"id": "The order's id here: `ord_` and 32 hexadecimal digits."}
DAY_US = 86_400_000_000


class Orders:
    """The handlers."""

    def __init__(self, mill: Mill, ledger: Ledger, dialects: Mapping[str, Dialect], *, raw_days: int = 0) -> None:
        self.mill = mill
        self.clock = ledger.clock
        self.raw_days = raw_days
        self.watching = ConsoleStore(ledger.lanes, ledger.clock)
        self.dialects = dialects

    async def list_orders(self, request: Request) -> Reply:
        """GET /orders: newest received first; without their content."""
        asked = read_query(request.query(), ORDER_FILTERS)
        page = await self.mill.find_orders(request.who, order_query(asked))
        following = page.entries[-1].id if page.more else None
        return telling.write_page([telling.order(order) for order in page.entries], following)

    async def get_order(self, request: Request) -> Reply:
        """GET /orders/{id}."""
        asked = read_query(request.query(), (AS,))
        return self._show(await self._order(request), asked.get("as"))

    async def get_by_reference(self, request: Request) -> Reply:
        """GET /orders/by-reference: the order that holds the reference now, else the last one that did."""
        asked = read_query(request.query(), (*BY_REFERENCE, AS))
        contract, reference, source = asked["contract"], asked["reference"], asked.get("source")
        if source is None:
            return self._show(await self._only_one(request, contract, reference), asked.get("as"))
        order = await self.mill.find_order_by_key(request.who, OrderKey(contract, source, reference))
        if order is None:
            raise NotFound("there is no order with that reference")
        return self._show(order, asked.get("as"))

    async def _only_one(self, request: Request, contract: str, reference: str) -> Order:
        """The order of whatever source has that reference. Raises NotFound, and Conflict when several have it."""
        found = await self.watching.find_orders_by_reference(request.who, reference)
        orders = [order for order in found if order.dialect == contract]
        if not orders:
            raise NotFound("there is no order with that reference")
        if len(orders) > 1:
            raise Conflict(
                f"{len(orders)} sources have an order with that reference",
                field="source",
                hint=f"name one: {', '.join(sorted(order.source for order in orders)[:10])}",
            )
        return orders[0]

    def _show(self, order: Order, contract: str | None) -> Reply:
        content = self._content(order)
        if contract is None:
            return telling.write(
                telling.order_detail(order, content, find_warnings(order, self.dialects[order.dialect]))
            )
        if content is None:
            raise NotFound("the content of this order is past the retention time")
        return Reply(200, self.dialects[contract].write_content(content, order))

    def _content(self, order: Order) -> Content | None:
        return None if order.document is None else self.dialects[order.dialect].read_content(order)

    async def get_history(self, request: Request) -> Reply:
        """GET /orders/{id}/history: every version in the order of arrival, and what each one changed."""
        asked = read_query(request.query(), PAGING)
        order = await self._order(request)
        revisions = await self.mill.find_revisions(request.who, order.id)
        versions = write_history(order, revisions, self.dialects[order.dialect])
        first, limit = asked.get("cursor", 0), asked.get("limit", PAGE_DEFAULT)
        page = versions[first : first + limit]
        return telling.write_page(page, first + limit if first + limit < len(versions) else None)

    async def get_raw(self, request: Request) -> Reply:
        """GET /orders/{id}/raw: byte for byte."""
        asked = read_query(request.query(), VERSION)
        order = await self._order(request)
        document = order.document
        if asked:
            document = await self._document(request, order, asked)
        if document is None or self._is_past(order):
            raise NotFound(
                "what was sent is past the retention time", hint="raw_retention_days says how long it is kept"
            )
        return Reply(200, document.encode())

    def _is_past(self, order: Order) -> bool:
        """Older versions are gone from the ledger by then; the newest one is the order, but no more shown as sent."""
        return bool(self.raw_days) and order.changed_at < self.clock() - self.raw_days * DAY_US

    async def _document(self, request: Request, order: Order, asked: dict[str, Any]) -> str | None:
        revisions = await self.mill.find_revisions(request.who, order.id)
        wanted = asked.get("revision"), asked.get("version")
        for version, revision in enumerate(revisions, 1):
            if wanted in ((revision.revision, None), (None, version), (revision.revision, version)):
                return revision.document
        raise NotFound("this order has no such version")

    async def _order(self, request: Request) -> Order:
        """The order that the path names. Raises NotFound, also for what belongs to another account or mode."""
        who = request.who
        number = ids.parse("ord", request.params["id"], who.account_id, who.mode)
        if number is None:
            raise NotFound("there is no such order")
        return await self.mill.get_order(who, number)

    def calls(self) -> tuple[Call, ...]:
        one = (Answer(status=200, sentence="The order; with `as`, in that contract's words.", body=ORDER_OR_OTHER),)
        return (
            Call(
                method="GET",
                pattern="/orders",
                id="listOrders",
                tag="Orders",
                summary="Orders of all contracts, newest received first",
                handler=self.list_orders,
                parameters=ORDER_FILTERS,
                answers=(Answer(status=200, sentence="A page of orders.", body=shapes.Listing[shapes.Order]),),
                refuses=(422,),
            ),
            Call(
                method="GET",
                pattern="/orders/by-reference",
                id="getOrderByReference",
                tag="Orders",
                summary="One order by the merchant's own id",
                handler=self.get_by_reference,
                parameters=(*BY_REFERENCE, AS),
                answers=one,
                refuses=(404, 409, 422),
            ),
            Call(
                method="GET",
                pattern="/orders/{id}",
                id="getOrder",
                tag="Orders",
                summary="One order",
                handler=self.get_order,
                path_parameters=IN_PATH,
                parameters=(AS,),
                answers=one,
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/orders/{id}/history",
                id="getOrderHistory",
                tag="Orders",
                summary="Every version of an order, and what changed",
                handler=self.get_history,
                path_parameters=IN_PATH,
                parameters=PAGING,
                answers=(
                    Answer(
                        status=200, sentence="Versions, in the order of arrival.", body=shapes.Listing[shapes.Version]
                    ),
                ),
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/orders/{id}/raw",
                id="getOrderRaw",
                tag="Orders",
                summary="An order byte for byte as it was sent",
                handler=self.get_raw,
                path_parameters=IN_PATH,
                parameters=VERSION,
                answers=(Answer(status=200, sentence="The JSON as sent.", body={}),),
                refuses=(404, 422),
            ),
        )


def order_query(asked: Mapping[str, Any]) -> OrderQuery:
    placed, updated, received = (bounds(asked, name) for name in ("placed", "updated", "received"))
    email = asked.get("email")
    return OrderQuery(
        dialect=asked.get("contract"),
        sources=asked.get("source", ()),
        references=asked.get("reference", ()),
        statuses=asked.get("status", ()),
        placed_after=placed[0],
        placed_before=placed[1],
        updated_after=updated[0],
        updated_before=updated[1],
        received_after=received[0],
        received_before=received[1],
        contact_id=asked.get("contactId"),
        identifier=None if email is None else ("email", email.strip().casefold()),
        descending=asked.get("order") != "oldest",
        limit=asked.get("limit", PAGE_DEFAULT),
        after_id=asked.get("cursor"),
        with_count=False,
        with_document=False,
    )
