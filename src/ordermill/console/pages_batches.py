"""Batches: the list, and one batch with its accounting, the causes of its failures and what can be done about them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ordermill.console import listing, repair
from ordermill.console.glancing import Glance, glance
from ordermill.console.listing import PAGE, Column
from ordermill.console.marking import Piece, pieces
from ordermill.console.pages_import import chosen_file, mend_batch
from ordermill.console.remedies import AS_THEY_WERE
from ordermill.console.visit import Page, Visit, iso
from ordermill.core import ids
from ordermill.core.account import Scope
from ordermill.core.batch import Batch, BatchStatus, Item, OutcomeKind
from ordermill.core.errors import Conflict, NotFound, Refusal
from ordermill.core.importing import ImportJob
from ordermill.core.order import Order
from ordermill.core.query import BatchQuery, ItemQuery
from ordermill.files.errors_file import rows_of

WRITE = Scope.ORDERS_WRITE.value
STATUSES = tuple(status.value for status in BatchStatus)
FILTERS = ("status", "contract", "key", "origin", "since", "before", "failures")
RETRIED_AT_ONCE = 100  # batches of one click
SHOWN: dict[str, tuple[OutcomeKind, ...]] = {
    "failed": (OutcomeKind.FAILED,),
    "completed": (OutcomeKind.CREATED, OutcomeKind.UPDATED, OutcomeKind.UNCHANGED, OutcomeKind.STALE),
    "waiting": (OutcomeKind.WAITING,),
    "all": (),
}
COLUMNS = (
    Column("id", lambda batch: spell(batch.id)),
    Column("source", lambda batch: batch.source),
    Column("contract", lambda batch: batch.dialect),
    Column("key_id", lambda batch: batch.key_id),
    Column("origin", lambda batch: batch.origin),
    Column("status", lambda batch: batch.status.value),
    *(Column(name, attrgetter(f"counts.{name}"))
      for name in ("received", "created", "updated", "unchanged", "failed", "waiting")),
    Column("historical", lambda batch: batch.historical),
    Column("created_at", lambda batch: iso(batch.created_at)),
    Column("finished_at", lambda batch: iso(batch.finished_at)),
)  # fmt: skip
ITEM_COLUMNS = (
    Column("row", lambda item: item.position + 1),
    Column("key", lambda item: item.key),
    Column("reference", lambda item: item.reference),
    Column("outcome", lambda item: item.outcome.word),
    Column("code", lambda item: item.problems[0].code if item.problems else ""),
    Column("field", lambda item: item.problems[0].field if item.problems else ""),
    Column("value", lambda item: item.problems[0].value if item.problems else ""),
    Column("error", lambda item: "; ".join(problem.message for problem in item.problems)),
    Column("hint", lambda item: item.problems[0].hint if item.problems else ""),
)


class Row(msgspec.Struct, frozen=True):
    """An item as the batch page shows it: with what its document says at a glance, and its order where there is one."""

    item: Item
    glance: Glance
    order: Order | None
    link: str

    @property
    def row(self) -> int:
        """Where it stands: in its file, else among the orders of its request, from 1."""
        rows = rows_of(self.item.document) if self.item.problems else []
        return rows[0][0] if rows else self.item.position + 1

    @property
    def sent(self) -> list[Piece]:
        """The document as it came, what is wrong in it marked."""
        return pieces(self.item.document or "", self.item.problems)


def spell(number: int) -> str:
    return f"bch_{number}"


async def batches(visit: Visit) -> Response:
    """GET /batches."""
    mill, sender = visit.console.mill, visit.sender
    query = _query(visit)

    async def fetch(after: int | None, limit: int) -> tuple[Sequence[Batch], int | None]:
        page = await mill.find_batches(sender, msgspec.structs.replace(query, after_id=after, limit=limit))
        return page.entries, page.entries[-1].id if page.more else None

    if visit.twin:
        return await listing.twin(visit, "ordermill-batches", COLUMNS, fetch)
    until = visit.number("until")
    entries, following = await fetch(visit.number("after") or (until + 1 if until is not None else None), PAGE)
    keys = await visit.console.ledger.find_keys(visit.account_id)
    return await visit.page(
        "batches.html",
        title="Batches",
        nav="batches",
        batches=entries,
        files=await file_names(visit, entries),
        keys={key.id: key.name for key in keys},
        statuses=STATUSES,
        paging=await listing.paging(
            visit, [batch.id for batch in entries], following,
            lambda than: visit.console.store.count_newer(sender, "batches", than),
        ),
        running=any(not batch.status.final for batch in entries),
        filtered=any(visit.query.get(name) for name in FILTERS),
        filters={name: visit.query.get(name) for name in FILTERS},
    )  # fmt: skip


def _query(visit: Visit) -> BatchQuery:
    """What the filters in the address ask for."""
    status = listing.word(visit, "status", STATUSES)
    return BatchQuery(
        dialect=listing.word(visit, "contract", tuple(visit.console.dialects)),
        statuses=(BatchStatus(status),) if status else (),
        key_id=visit.query.get("key"),
        origin=visit.query.get("origin"),
        created_after=listing.day(visit, "since"),
        created_before=listing.day(visit, "before", end=True),
        has_failures=True if visit.query.get("failures") else None,
        limit=PAGE,
    )


async def batch(visit: Visit) -> Response:
    """GET /batches/{id}."""
    found = await get_batch(visit)
    mill, sender = visit.console.mill, visit.sender
    shown = visit.query.get("show") or ("failed" if found.counts.failed else "all")
    if shown not in SHOWN:
        shown = "all"
    code, field = visit.query.get("code"), visit.request.query_params.get("field")
    page = await mill.find_items(
        sender,
        ItemQuery(
            batch_id=found.id, outcomes=SHOWN[shown], code=code, field=field if code else None,
            after_position=_position(visit), limit=PAGE, with_document=True,
        ),
    )  # fmt: skip
    children = await mill.find_batches(sender, BatchQuery(parent_batch_id=found.id, limit=20, descending=False))
    key = await visit.console.ledger.find_key(found.key_id) if found.key_id else None
    job = await _import_of(visit, found)
    causes = await mill.find_causes(sender, found.id) if found.counts.failed else ()
    exchange = visit.console.requests.get(found.request_id) if found.request_id else None
    return await visit.page(
        "batch.html",
        title=job.name if job is not None else name_of(found),
        nav="batches",
        batch=found,
        name=job.name if job is not None else name_of(found),
        job=job,
        key=key if key is not None and key.account_id == visit.account_id else None,
        causes=causes,
        columns={} if job is None else _columns(job),
        as_they_were=all(cause.code in AS_THEY_WERE for cause in causes),
        rows=await _rows(visit, page.entries),
        shown=shown,
        code=code,
        field=field,
        following=visit.here(after=page.entries[-1].position) if page.more else None,
        children=children.entries,
        settled=sum(child.counts.received for child in children.entries),
        notified=await _notified(visit, found),
        exchange=exchange if exchange is not None and exchange.account_id == visit.account_id else None,
        running=not found.status.final,
    )


async def items(visit: Visit) -> Response:
    """GET /batches/{id}/items: the twins of the batch page's table."""
    found = await get_batch(visit)
    shown = visit.query.get("show", "all")
    code = visit.query.get("code")

    async def fetch(after: int | None, limit: int) -> tuple[Sequence[Item], int | None]:
        query = ItemQuery(
            batch_id=found.id, outcomes=SHOWN.get(shown, ()), code=code,
            field=visit.request.query_params.get("field") if code else None,
            after_position=-1 if after is None else after, limit=limit,
        )  # fmt: skip
        page = await visit.console.mill.find_items(visit.sender, query)
        return page.entries, page.entries[-1].position if page.more else None

    if not visit.twin:
        raise NotFound("There is no such page.")
    return await listing.twin(visit, f"{spell(found.id)}-orders", ITEM_COLUMNS, fetch)


async def failed_csv(visit: Visit) -> Response:
    """GET /batches/{id}/failed.csv: what our own API gives, for a browser."""
    found = await get_batch(visit)
    job = await _import_of(visit, found)
    if job is not None and not visit.query.get("code"):
        return RedirectResponse(visit.link(f"/import/imp_{job.id}/errors.csv"), 303)
    asked = {name: value for name, value in visit.request.query_params.items() if name in ("code", "field", "raw")}
    if "code" not in asked or not asked.get("field"):
        asked.pop("field", None)
    reply = await visit.console.inside.call(
        visit.session, "GET", f"/api/v1/batches/{spell(found.id)}/failed.csv", query=asked
    )
    headers = dict(reply.headers)
    if reply.stream is None:
        return Response(reply.body, reply.status, headers, media_type=reply.content_type)
    return StreamingResponse(reply.stream(), reply.status, headers, media_type=reply.content_type)


async def retry(visit: Visit) -> Response:
    """POST /batches/{id}/retry: all failed orders, or those of one cause, as they were sent."""
    found = await get_batch(visit)
    code, field = visit.field("code"), visit.field("field")
    body: dict[str, Any] = {"code": code, "field": field} if code else {}
    answer = await visit.console.inside.ask(visit.session, "POST", f"/batches/{spell(found.id)}/retry", body)
    await visit.note("retried failed orders", spell(found.id), code)
    return _followed_up(visit, answer, "retried")


async def retry_matching(visit: Visit) -> Response:
    """POST /batches/retry: the failed orders of every batch that fits the filters, as they were sent.

    What a retry or a fixed file has dealt with since is left alone. The newest RETRIED_AT_ONCE batches at most.
    """
    mill, sender = visit.console.mill, visit.sender
    query = msgspec.structs.replace(_query(visit), has_failures=True, limit=RETRIED_AT_ONCE)
    page = await mill.find_batches(sender, query)
    received = failed = retried = 0
    refused: list[str] = []
    for found in page.entries:
        if not found.status.final or await open_failures(visit, found) <= 0:
            continue
        try:
            answer = await visit.console.inside.ask(visit.session, "POST", f"/batches/{spell(found.id)}/retry", {})
        except Refusal as refusal:
            refused.append(f"{spell(found.id)}: {refusal}")
            continue
        retried += 1
        received += answer["counts"]["received"]
        failed += answer["counts"]["failed"]
    await visit.note("retried failed orders", f"{retried} batches", f"{received} orders")
    if not retried and not refused:
        return visit.go("/batches", "No batch that fits has failed orders that were not dealt with.")
    say = f"{received} orders of {retried} batches retried: {received - failed} completed, {failed} failed again."
    if refused:
        say += f" Not retried: {'; '.join(refused[:3])}"
    if page.more:
        say += f" Only the newest {RETRIED_AT_ONCE} batches were looked at."
    return visit.go("/batches", say, "good" if received > failed else "bad")


async def open_failures(visit: Visit, found: Batch) -> int:
    """Failed orders of a batch that no retry and no fixed file has dealt with."""
    asked = BatchQuery(parent_batch_id=found.id, limit=100)
    children = await visit.console.mill.find_batches(visit.sender, asked)
    return found.counts.failed - sum(child.counts.received for child in children.entries)


async def fix(visit: Visit) -> Response:
    """POST /batches/{id}/fix: the downloaded file, mended, once more."""
    found = await get_batch(visit)
    job = await _import_of(visit, found)
    if job is not None:
        return await mend_batch(visit, job)
    content: bytes = await chosen_file(visit).read()
    orders = await repair.read_fixed(visit.console.mill, visit.sender, found, content)
    if not orders:
        raise Conflict("No row of this file belongs to a failed order of this batch.",
                       hint="Keep the column ordermill_row: it tells which order a row is.")  # fmt: skip
    raw = b"{" + b",".join(msgspec.json.encode(key) + b":" + document for key, document in orders.items()) + b"}"
    answer = await visit.console.inside.ask(
        visit.session, "POST", f"/batches/{spell(found.id)}/resubmit",
        {"orders": msgspec.Raw(raw), "errorPolicy": "accept_valid", "historical": found.historical},
    )  # fmt: skip
    await visit.note("sent a fixed file", spell(found.id), f"{len(orders)} orders")
    return _followed_up(visit, answer, "sent again")


async def cancel(visit: Visit) -> Response:
    """POST /batches/{id}/cancel: what still waits will not be done."""
    found = await get_batch(visit)
    await visit.console.inside.ask(visit.session, "POST", f"/batches/{spell(found.id)}/cancel")
    await visit.note("cancelled a batch", spell(found.id))
    return visit.go(f"/batches/{spell(found.id)}", "Cancelled. What is in the ledger stays there.")


def _followed_up(visit: Visit, answer: Any, verb: str) -> Response:
    counts = answer["counts"]
    good = counts["received"] - counts["failed"]
    orders = "1 order" if counts["received"] == 1 else f"{counts['received']} orders"
    say = f"{orders} {verb}: {good} completed, {counts['failed']} failed again."
    return visit.go(f"/batches/{answer['batch']['id']}", say, "good" if good else "bad")


async def get_batch(visit: Visit) -> Batch:
    """The batch of the path. Raises NotFound."""
    said = visit.params["id"].removeprefix("bch_")
    if not said.isascii() or not said.isdecimal() or len(said) > 15:
        raise NotFound("There is no such batch.", hint="A batch id looks like bch_12.")
    try:
        return await visit.console.mill.get_batch(visit.sender, int(said))
    except NotFound:
        other = "live" if visit.test else "test"
        raise NotFound(
            f"There is no batch {spell(int(said))} in {'test' if visit.test else 'live'} mode.",
            hint=f"It may be in {other} mode: switch at the foot of the navigation.",
        ) from None


async def file_names(visit: Visit, entries: Sequence[Batch]) -> dict[int, str]:
    """Batch id -> the name of the file that filled it."""
    jobs = {batch.id: await _import_of(visit, batch) for batch in entries if batch.origin == "import"}
    return {number: job.name for number, job in jobs.items() if job is not None}


async def _import_of(visit: Visit, found: Batch) -> ImportJob | None:
    """The import that a batch was filled by, while it is remembered: its failed rows have columns of their own."""
    if found.origin != "import":
        return None
    return await visit.console.parts.imports.find_of_batch(visit.sender, found.id)


def _columns(job: ImportJob) -> dict[str, str]:
    """Field -> the column of the file it was read from: that is the cell to be corrected."""
    report = msgspec.json.decode(job.report)
    return {cause["field"]: cause["column"] for cause in report.get("causes", ()) if cause["column"]}


def name_of(batch: Batch) -> str:
    """What people call it: the file or source, else its id."""
    return batch.source or spell(batch.id)


def _position(visit: Visit) -> int:
    after = visit.number("after")
    return -1 if after is None else after


async def _rows(visit: Visit, entries: Sequence[Item]) -> list[Row]:
    wanted = {item.order_id for item in entries if item.order_id is not None}
    orders = await visit.console.store.find_each(visit.sender, wanted)
    rows = []
    for item in entries:
        order = orders.get(item.order_id) if item.order_id is not None else None
        link = "" if order is None else ids.spell("ord", order.account_id, order.mode, order.id)
        rows.append(Row(item, glance(item.document), order, link))
    return rows


async def _notified(visit: Visit, found: Batch) -> str:
    """What became of the message to notifyUrl, where the batch has one."""
    if found.notify_url is None:
        return ""
    answer = await visit.console.inside.ask(visit.session, "GET", f"/batches/{spell(found.id)}")
    return str((answer.get("notification") or {}).get("state", ""))


PAGES = (
    Page("GET", "/batches", batches, twins=True),
    Page("GET", "/batches/{id}/items", items, twins=True),
    Page("GET", "/batches/{id}/failed.csv", failed_csv),
    Page("POST", "/batches/retry", retry_matching, scope=WRITE),
    Page("POST", "/batches/{id}/retry", retry, scope=WRITE),
    Page("POST", "/batches/{id}/fix", fix, scope=WRITE),
    Page("POST", "/batches/{id}/cancel", cancel, scope=WRITE),
    Page("GET", "/batches/{id}", batch),
)
