"""The overview: what needs attention, six figures, bars over time, who sent what, the newest batches."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.responses import Response

from ordermill import examples
from ordermill.console import formats
from ordermill.console.charts import Column
from ordermill.console.pages_batches import file_names, open_failures
from ordermill.console.pages_webhooks import overall
from ordermill.console.requests_log import percentile
from ordermill.console.visit import Page, Visit
from ordermill.core.account import Scope
from ordermill.core.batch import Batch
from ordermill.core.delivery import EndpointState
from ordermill.core.figures import TallyQuery
from ordermill.core.query import BatchQuery, Cause
from ordermill.core.watching import Sums
from ordermill.store.sqlite.engine import SqliteEngine

RECENT = 8
DISK_LOW = 1024 * 1024 * 1024
LOOKED_AT = 20  # batches with failures that the attention strip follows up
EXAMPLES = (
    ("POST", "/v3/orders/status/batch", "brevo_batch"),
    ("POST", "/v1/batches/orders", "karrio_batch"),
    ("POST", "/centra/orders", "centra_batch"),
)

KEY_HEADERS = (
    ("Brevo", "api-key: $KEY"),
    ("Karrio", "Authorization: Token $KEY"),
    ("Centra", "API-Authorization: $KEY"),
)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A range of the chart: so many slots (hours, or minutes) back from now, so many in a bar, a label each so many."""

    word: str
    slots: int
    step: int
    bar: str
    labels: int
    slot_us: int = formats.HOUR

    @property
    def minutes(self) -> bool:
        return self.slot_us == formats.MINUTE

    def bounds(self, now: int) -> tuple[int, int]:
        """The first slot since 1970 UTC, and the one behind the last."""
        behind = now // self.slot_us + 1
        return behind - self.slots, behind


RANGES = {
    "1h": Span(word="1 h", slots=60, step=5, bar="5 minutes", labels=3, slot_us=formats.MINUTE),
    "24h": Span(word="24 h", slots=24, step=1, bar="hour", labels=3),
    "7d": Span(word="7 d", slots=168, step=6, bar="6 hours", labels=4),
    "30d": Span(word="30 d", slots=720, step=24, bar="day", labels=5),
}


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Failed orders of the last day that nothing has been done about yet, the batch with most of them first."""

    orders: int = 0
    batches: tuple[tuple[int, Batch], ...] = ()
    names: dict[int, str] = {}
    causes: tuple[Cause, ...] = ()


async def overview(visit: Visit) -> Response:
    """GET /."""
    chosen = visit.query.get("range", "24h")
    if chosen not in RANGES:
        chosen = "24h"
    span = RANGES[chosen]
    first, behind = span.bounds(visit.now)
    store, sender = visit.console.store, visit.sender
    found = await find_slots(visit, span, first, behind)
    total = add(found)
    if visit.twin:
        return _twin(visit, span, found)
    recent = await visit.console.mill.find_batches(sender, BatchQuery(limit=RECENT))
    empty = not total.received and not recent.entries
    times = visit.console.requests.times(visit.account_id, visit.now - span.slots * span.slot_us)
    return await visit.page(
        "overview.html",
        title="Overview",
        nav="overview",
        chosen=chosen,
        ranges={word: entry.word for word, entry in RANGES.items()},
        span=span,
        empty=empty,
        total=total,
        columns=columns(visit, found, span, first, behind),
        shares=await store.find_shares(sender, first, behind, minutes=span.minutes),
        keys={key.id: key.name for key in await visit.console.ledger.find_keys(visit.account_id)},
        waiting=await store.find_backlog(sender),
        p95=percentile(times, 0.95),
        p50=percentile(times, 0.5),
        answered=len(times),
        attention=await find_attention(visit),
        recent=recent.entries,
        files=await file_names(visit, recent.entries),
        running=any(not batch.status.final for batch in recent.entries),
        today=formats.long_day(visit.now, visit.zone),
        compared=await _compared(visit, total, span, first, behind),
        warnings=await _warnings(visit),
        hooks=await overall(visit),
        curls=curls(visit) if empty else [],
    )


async def find_slots(visit: Visit, span: Span, first: int, behind: int) -> tuple[Sums, ...]:
    """The hours or minutes that have any orders."""
    ledger = visit.console.ledger
    if span.minutes:
        found = await ledger.find_minutes(visit.sender, first, behind)
    else:
        found = (await ledger.find_figures(visit.sender, TallyQuery(since_hour=first, until_hour=behind))).hours
    return tuple(
        Sums(
            slot=tally.hour, batches=tally.batches, received=tally.received, created=tally.created,
            updated=tally.updated, unchanged=tally.unchanged, failed=tally.failed,
        )
        for tally in found
    )  # fmt: skip


def add(sums: Sequence[Sums]) -> Sums:
    return Sums(
        batches=sum(entry.batches for entry in sums),
        received=sum(entry.received for entry in sums),
        created=sum(entry.created for entry in sums),
        updated=sum(entry.updated for entry in sums),
        unchanged=sum(entry.unchanged for entry in sums),
        failed=sum(entry.failed for entry in sums),
    )


async def _compared(visit: Visit, total: Sums, span: Span, first: int, behind: int) -> str:
    """How much more or less that is than before: a day is compared with the same day last week."""
    length = behind - first
    shift, name, word = length, f"the {length // 24} days before", "in "
    if span.minutes:
        name = "the hour before"
    elif length <= 24:
        shift, name, word = 168, f"last {formats.DAYS[formats.moment(visit.now, visit.zone).weekday()]}", ""
    found = await find_slots(visit, span, first - shift, behind - shift)
    before = add(found).received
    if not before:
        return f"none {word}{name}"
    change = round(100 * (total.received - before) / before)
    return f"{'+' if change >= 0 else '−'}{formats.NARROW}{formats.group(abs(change))}{formats.NARROW}% on {name}"


def curls(visit: Visit) -> list[tuple[str, str]]:
    """One call for each contract, with this very address."""
    told = []
    for (method, path, name), (word, header) in zip(EXAMPLES, KEY_HEADERS, strict=True):
        body = msgspec.json.format(examples.body(name), indent=0).decode()
        call = f"curl -X {method} {visit.base_url}{path} -H '{header}' -H 'Content-Type: application/json'"
        told.append((word, f"{call} \\\n  -d '{body}'"))
    return told


def columns(visit: Visit, found: Sequence[Sums], span: Span, first: int, behind: int) -> list[Column]:
    """A bar for each step, those without any orders too. Days begin at midnight of the chosen zone."""
    by_slot = {entry.slot: entry for entry in found}
    groups = [[slot] for slot in range(first, behind)] if span.step == 1 else _by_local_time(visit, span, first, behind)
    return [_column(visit, span, group, [by_slot[slot] for slot in group if slot in by_slot]) for group in groups]


def _by_local_time(visit: Visit, span: Span, first: int, behind: int) -> list[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for slot in range(first, behind):
        at = formats.moment(slot * span.slot_us, visit.zone)
        part = (at.hour, at.minute // span.step) if span.minutes else (at.hour // span.step,)
        groups.setdefault((at.toordinal(), *part), []).append(slot)
    return list(groups.values())


def _column(visit: Visit, span: Span, group: list[int], sums: list[Sums]) -> Column:
    total = add(sums)
    start = formats.moment(group[0] * span.slot_us, visit.zone)
    end = start + timedelta(microseconds=len(group) * span.slot_us)
    day = f"{start.day} {formats.MONTHS[start.month - 1]}"
    label = f"{start:%H:%M}" if span.minutes or span.step == 1 else day
    name = day if span.step == 24 else f"{day} {start:%H:%M}–{end:%H:%M}"
    title = f"{name}: {formats.group(total.completed)} completed, {formats.group(total.failed)} failed"
    return Column(label=label, title=title, completed=total.completed, failed=total.failed)


def _twin(visit: Visit, span: Span, found: Sequence[Sums]) -> Response:
    slot = "minute" if span.minutes else "hour"
    names = (slot, "batches", "received", "created", "updated", "unchanged", "failed")
    rows = [
        (formats.iso_utc(entry.slot * span.slot_us), *(getattr(entry, name) for name in names[1:])) for entry in found
    ]
    if visit.twin == "json":
        return visit.json(dict(zip(names, row, strict=True)) for row in rows)

    async def each() -> AsyncIterator[tuple[Any, ...]]:
        for row in rows:
            yield row

    return visit.csv(f"ordermill-{slot}s", names, each())


async def find_attention(visit: Visit) -> Attention:
    """The failed orders of the last day, without those that a retry or a fixed file has dealt with since."""
    mill, sender = visit.console.mill, visit.sender
    day = BatchQuery(created_after=visit.now - formats.DAY, has_failures=True, limit=LOOKED_AT)
    page = await mill.find_batches(sender, day)
    waiting = []
    for batch in page.entries:
        left = await open_failures(visit, batch)
        if left > 0:
            waiting.append((left, batch))
    waiting.sort(key=lambda pair: -pair[0])
    causes: dict[tuple[str, str], Cause] = {}
    for _, batch in waiting[:5]:
        for cause in await mill.find_causes(sender, batch.id):
            known = causes.get((cause.code, cause.field))
            count = cause.count + (known.count if known else 0)
            causes[cause.code, cause.field] = msgspec.structs.replace(known or cause, count=count)
    return Attention(
        orders=sum(left for left, _ in waiting),
        batches=tuple(waiting),
        names=await file_names(visit, [batch for _, batch in waiting[:3]]),
        causes=tuple(sorted(causes.values(), key=lambda cause: -cause.count)),
    )


async def _warnings(visit: Visit) -> list[tuple[str, str, str]]:
    """(sentence, path, word of the link) of what is wrong besides orders."""
    told = []
    for endpoint in await visit.console.parts.endpoints.find_all(visit.sender):
        if endpoint.state is EndpointState.DISABLED:
            name = endpoint.description or endpoint.url
            told.append((f"{formats.shorten(name, 60)} is told of nothing: it is disabled.", f"/webhooks/{endpoint.id}",
                         "See why"))  # fmt: skip
    engine = visit.console.ledger.engine
    if isinstance(engine, SqliteEngine) and shutil.disk_usage(engine.path.parent).free < DISK_LOW:
        told.append(("The disk under the ledger is nearly full; soon no order can be taken.", "/system", "System"))
    return told


async def push_examples(visit: Visit) -> Response:
    """POST /examples: the documented examples of the three contracts, in test mode."""
    from ordermill.core.order import Mode

    if visit.fixed_mode and not visit.test:
        return visit.go("/", "Examples go into test mode, and your key is a live one.", "bad")
    told = []
    for method, path, name in EXAMPLES:
        reply = await visit.console.inside.call(visit.session, method, path, examples.body(name), mode=Mode.TEST)
        told.append(f"{path} {reply.status}")
    await visit.note("pushed the examples", "test mode")
    if not visit.test:
        await visit.console.store.change_session(msgspec.structs.replace(visit.session, mode=Mode.TEST))
    return visit.go("/", f"Pushed three examples: {', '.join(told)}. Two of the orders are wrong on purpose.")


PAGES = (
    Page("GET", "/", overview),
    Page("GET", "/overview", overview, twins=True),
    Page("POST", "/examples", push_examples, scope=Scope.ORDERS_WRITE.value),
)
