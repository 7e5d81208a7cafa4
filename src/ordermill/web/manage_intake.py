"""Taking orders in through our own API: in any contract's form, again as they were, or corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from ordermill.core.batch import (
    POSITIONS_MAX,
    Batch,
    Draft,
    ErrorPolicy,
    Item,
    OutcomeKind,
    Problem,
    Settled,
    Submission,
)
from ordermill.core.errors import Conflict, Invalid, TooMany, Unreadable
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill
from ordermill.core.query import ItemQuery
from ordermill.dialects.brevo.inbound import is_http_url
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.reading import DECODE_ERRORS, unreadable
from ordermill.web import shapes, telling
from ordermill.web.bodies import read_body, read_members
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request, in_chunks
from ordermill.web.manage_batches import IN_PATH, find_batch
from ordermill.web.parameters import read_query

DRY_RUN = "ordermill-dry-run"
READ_AT_ONCE = 500  # failed orders fetched from the ledger in one go
SHOWN_AT_ONCE = 1_000  # orders written before other requests get a turn
KEY_CHARS = 1_000
PROBLEMS_TOLD_MAX = 100

Entry = tuple[str, bytes]
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Intake:
    """The handlers."""

    def __init__(self, mill: Mill, dialects: Mapping[str, Dialect], limits: Limits) -> None:
        self.mill = mill
        self.dialects = dialects
        self.limits = limits

    async def create_batch(self, request: Request) -> Reply:
        """POST /batches: orders of any contract. 201, or 200 with nothing written when only asked what would happen."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.NewBatch)
        return await self._take(request, asked, self.dialects[asked.contract], asked.source, origin="api")

    async def resubmit(self, request: Request) -> Reply:
        """POST /batches/{id}/resubmit: corrected orders, in the batch's contract, linked to it."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.Resubmission)
        batch = await find_batch(self.mill, request)
        dialect = self.dialects[batch.dialect]
        return await self._take(request, asked, dialect, batch.source, origin="resubmit", parent=batch)

    async def _take(
        self,
        request: Request,
        asked: shapes.Resubmission,
        dialect: Dialect,
        source: str,
        *,
        origin: str,
        parent: Batch | None = None,
    ) -> Reply:
        if asked.notify_url is not None and not is_http_url(asked.notify_url):
            raise Invalid("notifyUrl must be an http or https URL with a host", field="notifyUrl")
        entries, keyed = read_orders(asked.orders, self.limits.orders)
        historical = asked.historical
        if historical is None:
            historical = parent is not None and parent.historical
        submission = Submission(
            dialect=dialect.name,
            drafts=await self._read(entries, dialect, source, request.now),
            source=source,
            announce=not historical,
            notify_url=asked.notify_url,
            policy=ErrorPolicy(asked.error_policy),
            origin=origin,
            parent_batch_id=None if parent is None else parent.id,
            size_bytes=len(request.body),
        )
        place = spell_named if keyed else spell_numbered
        return await self._submit(request, submission, place, dry=asked.dry_run or wants_dry_run(request))

    async def _read(self, entries: list[Entry], dialect: Dialect, source: str, now: int) -> tuple[Draft, ...]:
        """A draft for each entry. A name that was sent twice names no order at all."""
        times: dict[str, int] = {}
        for key, _ in entries:
            times[key] = times.get(key, 0) + 1

        def read(entry: Entry) -> Draft:
            key, document = entry
            if times[key] > 1:
                return sent_twice(key, document)
            return dialect.read_draft(key, document, now=now, source=source)

        return await in_chunks(entries, read)

    async def retry(self, request: Request) -> Reply:
        """POST /batches/{id}/retry: the failed orders once more, as they were sent, under the present settings."""
        read_query(request.query(), ())
        asked = read_body(request, shapes.Retry, optional=True)
        batch = await find_batch(self.mill, request)
        items = await self._failed(request, batch, asked)
        if not items:
            raise Conflict("there is nothing to retry: no order of this batch failed that way")
        gone = sum(item.document is None for item in items)
        if gone:
            raise Conflict(
                f"{gone} of {len(items)} orders are past the retention time: what was sent is no longer kept",
                hint="send them again with resubmit",
            )
        entries = [(item.key, (item.document or "").encode()) for item in items]
        submission = Submission(
            dialect=batch.dialect,
            drafts=await self._read(entries, self.dialects[batch.dialect], batch.source, request.now),
            source=batch.source,
            announce=not batch.historical,
            origin="retry",
            parent_batch_id=batch.id,
            size_bytes=sum(len(document) for _, document in entries),
        )
        return await self._submit(request, submission, spell_named, dry=asked.dry_run or wants_dry_run(request))

    async def _failed(self, request: Request, batch: Batch, asked: shapes.Retry) -> list[Item]:
        """The failed items with their documents. Raises TooMany for more than one request may hold."""
        items: list[Item] = []
        more = True
        while more:
            query = ItemQuery(
                batch_id=batch.id,
                outcomes=(OutcomeKind.FAILED,),
                code=asked.code,
                field=asked.field,
                after_position=items[-1].position if items else -1,
                limit=READ_AT_ONCE,
                with_document=True,
            )
            page = await self.mill.find_items(request.who, query)
            items += page.entries
            more = page.more
            if len(items) > self.limits.orders:
                raise TooMany(
                    f"more than {self.limits.orders} orders failed that way",
                    hint="name a code or a field, to retry one cause at a time",
                )
        return items

    async def _submit(
        self, request: Request, submission: Submission, place: Callable[[str], str], *, dry: bool
    ) -> Reply:
        """Settles, or only asks. Under reject_all every problem is told with its place, and nothing is stored."""
        strict = submission.policy is ErrorPolicy.REJECT_ALL
        if strict:
            refuse_problems(((draft.key, draft.problems) for draft in submission.drafts), place)
        lenient = msgspec.structs.replace(submission, policy=ErrorPolicy.ACCEPT_VALID)
        if dry:
            # An answer that tells of nothing written must not be given again to the same key when it is meant.
            request.memo_taken = True
            settled = await self.mill.check_only(request.who, lenient)
            if strict:
                refuse_problems(((item.key, item.problems) for item in settled.items), place)
            return await write_dry(settled)
        try:
            settled = await self.mill.submit(request.who, submission, request.memo(write_taken))
        except Invalid:
            # The ledger said no (a reference is taken) and names no place: asking again finds it.
            checked = await self.mill.check_only(request.who, lenient)
            refuse_problems(((item.key, item.problems) for item in checked.items), place)
            raise
        return await write_in_turns(settled)

    def calls(self) -> tuple[Call, ...]:
        taken = (
            Answer(
                status=201,
                sentence="Durable: the batch and what became of each order.",
                body=shapes.Taken,
                headers={"Location": "Where the batch is read."},
            ),
            Answer(status=200, sentence="A dry run: what would have become of each order.", body=shapes.Taken),
        )
        refuses = (400, 404, 409, 413, 415, 422)
        return (
            Call(
                method="POST",
                pattern="/batches",
                id="createBatch",
                tag="Intake",
                summary="Take orders in, in the form of any contract",
                description="`orders` is a list of orders, or an object with a name for each, as the contract sends "
                "one order. Every order is answered in the order of the request. With `errorPolicy` `reject_all` one "
                "bad order refuses all; with `accept_valid` the good ones are stored.",
                handler=self.create_batch,
                scope="orders:write",
                write=True,
                dry_run=True,
                takes=shapes.NewBatch,
                answers=taken,
                refuses=refuses,
            ),
            Call(
                method="POST",
                pattern="/batches/{id}/retry",
                id="retryBatch",
                tag="Intake",
                summary="Take the failed orders of a batch in again, as they were sent",
                description="For after a setting or a conflict has changed. They become a batch of their own, linked "
                "by `parentBatchId`; their keys stay. The body may be left out.",
                handler=self.retry,
                scope="orders:write",
                write=True,
                dry_run=True,
                path_parameters=IN_PATH,
                takes=shapes.Retry,
                optional_body=True,
                answers=taken,
                refuses=refuses,
            ),
            Call(
                method="POST",
                pattern="/batches/{id}/resubmit",
                id="resubmitBatch",
                tag="Intake",
                summary="Take corrected orders in, linked to the batch they come from",
                handler=self.resubmit,
                scope="orders:write",
                write=True,
                dry_run=True,
                path_parameters=IN_PATH,
                takes=shapes.Resubmission,
                answers=taken,
                refuses=refuses,
            ),
        )


def read_orders(raw: msgspec.Raw, orders_max: int) -> tuple[list[Entry], bool]:
    """(key, document) of each order, and whether the keys are names. Raises Unreadable, Invalid or TooMany."""
    said = bytes(raw)
    keyed = said[:1] == b"{"
    if said[:1] == b"[":
        try:
            entries = [(str(place), bytes(order)) for place, order in enumerate(_list.decode(said))]
        except DECODE_ERRORS as error:
            raise unreadable(error) from error
    elif keyed:
        entries = [(name, bytes(order)) for name, order in read_members(said)]
    else:
        raise Invalid("orders must be a list of orders, or an object with a name for each", field="orders")
    if not entries:
        raise Invalid("orders holds no order", field="orders", hint="send at least one")
    if len(entries) > orders_max:
        raise TooMany(
            f"{len(entries)} orders in one request, at most {orders_max} are taken", field="orders", hint="split them"
        )
    for key, _ in entries:
        if len(key) > KEY_CHARS or "\0" in key:
            raise Unreadable(f"a name in orders is longer than {KEY_CHARS} characters, or holds U+0000", field="orders")
    return entries, keyed


def sent_twice(key: str, document: bytes) -> Draft:
    problem = Problem(
        code="duplicate_name",
        message="this name was sent more than once in the request; none of its orders was taken",
        value=key[:100],
        hint="send each order under a name of its own",
    )
    return Draft(key, None, (problem,), document.decode("utf-8", "replace").replace("\0", "\ufffd"))


def wants_dry_run(request: Request) -> bool:
    """Raises Invalid for a value nobody can be sure of: guessing wrong would write, or lose, orders."""
    said = request.headers.get(DRY_RUN)
    if said is None:
        return False
    word = said.strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise Invalid("Ordermill-Dry-Run must be true or false", field="Ordermill-Dry-Run")
    return word in ("true", "1")


def spell_numbered(key: str) -> str:
    return f"orders[{key}]"


def spell_named(key: str) -> str:
    return f"orders.{key}"


def refuse_problems(found: Any, place: Callable[[str], str]) -> None:
    """Raises Invalid with the place of every problem, when there is one. `found`: (key, problems) pairs."""
    told: list[Problem] = []
    bad = 0
    for key, problems in found:
        bad += bool(problems)
        for problem in problems:
            if len(told) < PROBLEMS_TOLD_MAX:
                path = place(key) + (f".{problem.field}" if problem.field else "")
                told.append(msgspec.structs.replace(problem, field=path))
    if told:
        first = told[0]
        orders = "1 order is" if bad == 1 else f"{bad} orders are"
        raise Invalid(
            f"{orders} not acceptable, so nothing was stored; {first.field}: {first.message}",
            field=first.field,
            hint=first.hint,
            problems=tuple(told),
        )


def write_taken(settled: Settled) -> Reply:
    """The answer, written at once (it goes into a memo)."""
    batch = _batch_of(settled)
    return _taken(batch, [telling.item(item, batch.mode) for item in settled.items])


async def write_in_turns(settled: Settled) -> Reply:
    """The same, with a turn for other requests now and then."""
    batch = _batch_of(settled)
    return _taken(batch, await in_chunks(settled.items, partial(telling.item, mode=batch.mode), SHOWN_AT_ONCE))


async def write_dry(settled: Settled) -> Reply:
    """200, without the ids and numbers that do not exist."""
    batch = _batch_of(settled)

    def show(item: Item) -> shapes.Item:
        return telling.item(_unnumbered(item, batch), batch.mode)

    shown = await in_chunks(settled.items, show, SHOWN_AT_ONCE)
    counts = telling.counts(batch.counts)
    return telling.write(shapes.Taken(batch=None, dry_run=True, counts=counts, orders=list(shown)))


def _batch_of(settled: Settled) -> Batch:
    assert settled.batch is not None  # nothing here is a single
    return settled.batch


def _taken(batch: Batch, shown: Sequence[shapes.Item]) -> Reply:
    """201, and where the batch is."""
    counts = telling.counts(batch.counts)
    taken = shapes.Taken(batch=telling.batch(batch), dry_run=False, counts=counts, orders=list(shown))
    headers = (
        ("location", f"{telling.PREFIX}/batches/{telling.spell_batch(batch.id)}"),
        ("ordermill-batch-id", str(batch.id)),
        ("ordermill-accepted", str(batch.counts.received - batch.counts.failed)),
        ("ordermill-rejected", str(batch.counts.failed)),
    )
    return telling.write(taken, 201, headers)


def _unnumbered(item: Item, batch: Batch) -> Item:
    """Without the id that a new order would have had; a number that would have been allotted is not known either."""
    real = item.order_id is not None and item.order_id >= POSITIONS_MAX  # ids of batch 0 are never given out
    reference = "" if item.reference.startswith("-") and batch.dialect == "centra" else item.reference
    return msgspec.structs.replace(item, order_id=item.order_id if real else None, reference=reference)
