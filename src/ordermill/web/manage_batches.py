"""Batches of our own API: which there are, what became of each order, why some failed, and cancelling."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ordermill.core import ids
from ordermill.core.batch import Batch, BatchStatus, OutcomeKind, Sender
from ordermill.core.errors import NotFound
from ordermill.core.mill import Mill
from ordermill.core.query import BatchQuery, ItemQuery
from ordermill.store.ledger import Ledger
from ordermill.web import parameters, shapes, telling
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import PAGE_DEFAULT, PAGING, Parameter, bounds, choice, flag, read_query, span, text

CHILDREN_MAX = 1_000
_NUMBER = re.compile("[1-9][0-9]{0,15}")

STATUSES = tuple(status.value for status in BatchStatus)
OUTCOMES = tuple(kind.word for kind in OutcomeKind)

BATCH_FILTERS: tuple[Parameter, ...] = (
    choice("status", "Only batches in this state; may be repeated.", STATUSES, many=True),
    choice("contract", "Only batches of this contract.", shapes.CONTRACTS),
    text("keyId", "Only batches that this key sent."),
    *span("created", "batches that came in"),
    flag("hasFailures", "true: only batches with failed orders; false: only those without."),
    text("origin", "Only batches that came in this way: api, retry, …"),
    choice("order", "newest first (unless told) or oldest first.", ("newest", "oldest")),
    *PAGING,
)
CAUSE: tuple[Parameter, ...] = (
    text("code", "Only orders that failed with this code."),
    text("field", "Only orders whose first problem is in this field.", chars_max=1_000),
)
ITEM_FILTERS: tuple[Parameter, ...] = (
    choice("outcome", "Only orders with this outcome; may be repeated.", OUTCOMES, many=True),
    *CAUSE,
    *PAGING,
)
IN_PATH = {"id": "The batch: `bch_12`, `12` (the Brevo contract's `batchId`), or the Karrio contract's `batch_…`."}


class Batches:
    """The handlers."""

    def __init__(self, mill: Mill, ledger: Ledger) -> None:
        self.mill = mill
        self.ledger = ledger

    async def list_batches(self, request: Request) -> Reply:
        """GET /batches: newest first."""
        asked = read_query(request.query(), BATCH_FILTERS)
        after, before = bounds(asked, "created")
        query = BatchQuery(
            dialect=asked.get("contract"),
            statuses=tuple(BatchStatus(word) for word in asked.get("status", ())),
            key_id=asked.get("keyId"),
            created_after=after,
            created_before=before,
            has_failures=asked.get("hasFailures"),
            origin=asked.get("origin"),
            limit=asked.get("limit", PAGE_DEFAULT),
            after_id=asked.get("cursor"),
            descending=asked.get("order") != "oldest",
        )
        page = await self.mill.find_batches(request.who, query)
        following = page.entries[-1].id if page.more else None
        return telling.write_page([telling.batch(batch) for batch in page.entries], following)

    async def get_batch(self, request: Request) -> Reply:
        """GET /batches/{id}."""
        read_query(request.query(), ())
        batch = await find_batch(self.mill, request)
        return telling.write(await self.detail(request.who, batch))

    async def detail(self, who: Sender, batch: Batch) -> shapes.BatchDetail:
        children = BatchQuery(parent_batch_id=batch.id, limit=CHILDREN_MAX, descending=False)
        page = await self.mill.find_batches(who, children)
        told = None if batch.notify_url is None else await self.ledger.outbox.find_notification(who, batch.id)
        return telling.batch_detail(batch, [child.id for child in page.entries], told)

    async def list_items(self, request: Request) -> Reply:
        """GET /batches/{id}/items: by position."""
        asked = read_query(request.query(), ITEM_FILTERS)
        batch = await find_batch(self.mill, request)
        query = ItemQuery(
            batch_id=batch.id,
            outcomes=tuple(OutcomeKind[word.upper()] for word in asked.get("outcome", ())),
            code=asked.get("code"),
            field=asked.get("field"),
            after_position=min(asked.get("cursor", -1), batch.counts.received),
            limit=asked.get("limit", PAGE_DEFAULT),
        )
        page = await self.mill.find_items(request.who, query)
        following = page.entries[-1].position if page.more else None
        return telling.write_page([telling.item(item, batch.mode) for item in page.entries], following)

    async def list_causes(self, request: Request) -> Reply:
        """GET /batches/{id}/causes: the most frequent first, all of them."""
        read_query(request.query(), ())
        batch = await find_batch(self.mill, request)
        found = await self.mill.find_causes(request.who, batch.id)
        return telling.write_page([telling.cause(cause) for cause in found], None)

    async def cancel(self, request: Request) -> Reply:
        """POST /batches/{id}/cancel."""
        read_query(request.query(), ())
        batch = await find_batch(self.mill, request)
        cancelled = await self.mill.cancel_batch(request.who, batch.id)
        return telling.write(await self.detail(request.who, cancelled))

    def calls(self) -> tuple[Call, ...]:
        page = shapes.Listing[shapes.Batch]
        return (
            Call(
                method="GET",
                pattern="/batches",
                id="listBatches",
                tag="Batches",
                summary="Batches, newest first",
                handler=self.list_batches,
                parameters=BATCH_FILTERS,
                answers=(Answer(status=200, sentence="A page of batches.", body=page),),
                refuses=(422,),
            ),
            Call(
                method="GET",
                pattern="/batches/{id}",
                id="getBatch",
                tag="Batches",
                summary="One batch",
                handler=self.get_batch,
                path_parameters=IN_PATH,
                answers=(Answer(status=200, sentence="The batch.", body=shapes.BatchDetail),),
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/batches/{id}/items",
                id="listBatchItems",
                tag="Batches",
                summary="What became of each order of a batch",
                handler=self.list_items,
                path_parameters=IN_PATH,
                parameters=ITEM_FILTERS,
                answers=(
                    Answer(status=200, sentence="A page of orders, by position.", body=shapes.Listing[shapes.Item]),
                ),
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/batches/{id}/causes",
                id="listBatchCauses",
                tag="Batches",
                summary="Why orders of a batch failed, grouped",
                handler=self.list_causes,
                path_parameters=IN_PATH,
                answers=(
                    Answer(
                        status=200, sentence="All causes, the most frequent first.", body=shapes.Listing[shapes.Cause]
                    ),
                ),
                refuses=(404, 422),
            ),
            Call(
                method="POST",
                pattern="/batches/{id}/cancel",
                id="cancelBatch",
                tag="Batches",
                summary="Stop a batch that is not complete",
                description="What is in the ledger stays there; what still waits is counted as failed.",
                handler=self.cancel,
                scope="orders:write",
                write=True,
                path_parameters=IN_PATH,
                answers=(Answer(status=200, sentence="The batch, cancelled.", body=shapes.BatchDetail),),
                refuses=(404, 409, 422),
            ),
        )


async def find_batch(mill: Mill, request: Request) -> Batch:
    """The batch that the path names. Raises NotFound, also for what belongs to another account or mode."""
    number = batch_number(request.params, request.who)
    if number is None:
        raise NotFound("there is no such batch", hint="a batch id looks like bch_12 or 12")
    return await mill.get_batch(request.who, number)


def batch_number(params: Mapping[str, str], who: Sender) -> int | None:
    said = params["id"]
    if said.startswith("batch_"):
        return ids.parse("batch", said, who.account_id, who.mode)
    plain = said.removeprefix("bch_")
    return int(plain) if _NUMBER.fullmatch(plain) and int(plain) <= parameters.WHOLE_MAX else None
