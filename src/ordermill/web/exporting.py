"""Orders as a file: CSV or NDJSON, filtered, page by page out of the ledger, in constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from ordermill.core.mill import Mill
from ordermill.core.order import Content, Order
from ordermill.dialects.dialect import Dialect
from ordermill.files import form
from ordermill.files.values import neutral
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.manage_orders import ORDER_FILTERS, order_query
from ordermill.web.parameters import choice, flag, read_query
from ordermill.web.shapes import CONTRACTS

PAGE = 500
CSV = "text/csv; charset=utf-8"
NDJSON = "application/x-ndjson"

PARAMETERS = (
    choice("format", "ndjson (unless told) or csv: a row for each line of each order.", ("ndjson", "csv")),
    choice("as", "NDJSON in the form in which this contract is sent orders, instead of ours.", CONTRACTS),
    flag("raw", "true: no quote in front of texts that a spreadsheet would take for a formula."),
    *(parameter for parameter in ORDER_FILTERS if parameter.name not in ("limit", "cursor", "order")),
)


class Exports:
    """The handler."""

    def __init__(self, mill: Mill, dialects: Mapping[str, Dialect]) -> None:
        self.mill = mill
        self.dialects = dialects

    async def export(self, request: Request) -> Reply:
        """GET /orders/export: oldest first. Orders past the retention time have their head only."""
        asked = read_query(request.query(), PARAMETERS)
        as_csv = asked.get("format") == "csv"
        target = self.dialects.get(asked.get("as", ""))
        raw = bool(asked.get("raw"))
        name = ("content-disposition", f'attachment; filename="orders.{"csv" if as_csv else "ndjson"}"')

        async def stream() -> AsyncIterator[bytes]:
            if as_csv:
                yield write_rows([list(form.COLUMNS)], raw=True)
            async for orders in self._pages(request, asked):
                contents = [self._content(order) for order in orders]
                if as_csv:
                    yield b"".join(write_rows(form.write_rows(content), raw=raw) for content in contents)
                elif target is not None:
                    yield b"".join(target.write_order_request(content)[0] + b"\n" for content in contents)
                else:
                    yield b"".join(form.write_document(content) + b"\n" for content in contents)

        return Reply(200, b"", CSV if as_csv else NDJSON, (name,), stream)

    async def _pages(self, request: Request, asked: dict[str, Any]) -> AsyncIterator[tuple[Order, ...]]:
        query = msgspec.structs.replace(
            order_query({**asked, "order": "oldest"}), limit=PAGE, with_document=True, with_count=False
        )
        more = True
        while more:
            page = await self.mill.find_orders(request.who, query)
            if page.entries:
                yield page.entries
                query = msgspec.structs.replace(query, after_id=page.entries[-1].id)
            more = page.more

    def _content(self, order: Order) -> Content:
        if order.document is None:
            return form.bare(order)
        return self.dialects[order.dialect].read_content(order)

    def calls(self) -> tuple[Call, ...]:
        return (
            Call(
                method="GET",
                pattern="/orders/export",
                id="exportOrders",
                tag="Orders",
                summary="Orders with their content as a file",
                description="Oldest first. What is exported can be imported again.",
                handler=self.export,
                parameters=PARAMETERS,
                answers=(Answer(status=200, sentence="The file.", body={"type": "string"}, media=(NDJSON, CSV)),),
                refuses=(422,),
            ),
        )


def write_rows(rows: list[list[str]], *, raw: bool) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows if raw else [[neutral(cell) for cell in row] for row in rows])
    return out.getvalue().encode("utf-8", "replace")
