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
from ordermill.console.pages_batches import file_names
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

HOUR = formats.HOUR
RANGES = {"24h": ("24 h", 24, 1), "7d": ("7 d", 168, 6), "30d": ("30 d", 720, 24)}  # word, hours, hours in a bar
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


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Failed orders of the last day that nothing has been done about yet."""

    orders: int = 0
    batches: tuple[Batch, ...] = ()
    causes: tuple[Cause, ...] = ()


async def overview(visit: Visit) -> Response:
    """GET /."""
    chosen = visit.query.get("range", "24h")
    if chosen not in RANGES:
        chosen = "24h"
    _, hours, step = RANGES[chosen]
    behind = visit.now // HOUR + 1
    first = behind - hours
    store, sender = visit.console.store, visit.sender
    found = await find_hours(visit, first, behind)
    total = add(found)
    if visit.twin:
        return _twin(visit, found)
    recent = await visit.console.mill.find_batches(sender, BatchQuery(limit=RECENT))
    empty = not total.received and not recent.entries
    times = visit.console.requests.times(visit.account_id, visit.now - hours * HOUR)
    return await visit.page(
        "overview.html",
        title="Overview",
        nav="overview",
        chosen=chosen,
        ranges={word: entry[0] for word, entry in RANGES.items()},
        empty=empty,
        total=total,
        columns=columns(visit, found, first, behind, step),
        hours=found,
        shares=await store.find_shares(sender, first, behind),
        keys={key.id: key.name for key in await visit.console.ledger.find_keys(visit.account_id)},
        waiting=await store.find_backlog(sender),
        p95=percentile(times, 0.95),
        p50=percentile(times, 0.5),
        answered=len(times),
        attention=await find_attention(visit),
        recent=recent.entries,
        files=await file_names(visit, recent.entries),
        running=any(not batch.status.final for batch in recent.entries),
        step=step,
        today=formats.long_day(visit.now, visit.zone),
        compared=await _compared(visit, total, first, behind),
        warnings=await _warnings(visit),
        hooks=await overall(visit),
        curls=curls(visit) if empty else [],
    )


async def find_hours(visit: Visit, first: int, behind: int) -> tuple[Sums, ...]:
    """The hours that have any orders."""
    found = await visit.console.ledger.find_figures(visit.sender, TallyQuery(since_hour=first, until_hour=behind))
    return tuple(Sums(**msgspec.structs.asdict(tally)) for tally in found.hours)


def add(sums: Sequence[Sums]) -> Sums:
    return Sums(
        batches=sum(entry.batches for entry in sums),
        received=sum(entry.received for entry in sums),
        created=sum(entry.created for entry in sums),
        updated=sum(entry.updated for entry in sums),
        unchanged=sum(entry.unchanged for entry in sums),
        failed=sum(entry.failed for entry in sums),
    )


async def _compared(visit: Visit, total: Sums, first: int, behind: int) -> str:
    """How much more or less that is than before: a day is compared with the same day last week."""
    length = behind - first
    shift, name = (168, f"last {formats.DAYS[formats.moment(visit.now, visit.zone).weekday()]}")
    if length > 24:
        shift, name = length, f"the {length // 24} days before"
    found = await find_hours(visit, first - shift, behind - shift)
    before = add(found).received
    if not before:
        return f"none on {name}" if length <= 24 else f"none in {name}"
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


def columns(visit: Visit, found: Sequence[Sums], first: int, behind: int, step: int) -> list[Column]:
    """A bar for each step, those without any orders too. Days begin at midnight of the chosen zone."""
    by_hour = {entry.hour: entry for entry in found}
    single = [[hour] for hour in range(first, behind)]
    groups = single if step == 1 else _by_local_time(visit, first, behind, step)
    return [_column(visit, group, [by_hour[hour] for hour in group if hour in by_hour], step) for group in groups]


def _by_local_time(visit: Visit, first: int, behind: int, step: int) -> list[list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for hour in range(first, behind):
        at = formats.moment(hour * HOUR, visit.zone)
        groups.setdefault((at.toordinal(), at.hour // step), []).append(hour)
    return list(groups.values())


def _column(visit: Visit, group: list[int], sums: list[Sums], step: int) -> Column:
    total = add(sums)
    start = formats.moment(group[0] * HOUR, visit.zone)
    day = f"{start.day} {formats.MONTHS[start.month - 1]}"
    end = start + timedelta(hours=len(group))
    label = f"{start:%H}:00" if step == 1 else day
    name = day if step == 24 else f"{day} {start:%H}:00–{end:%H}:00"
    title = f"{name}: {formats.group(total.completed)} completed, {formats.group(total.failed)} failed"
    return Column(label=label, title=title, completed=total.completed, failed=total.failed)


def _twin(visit: Visit, found: Sequence[Sums]) -> Response:
    names = ("hour", "batches", "received", "created", "updated", "unchanged", "failed")
    rows = [(formats.iso_utc(entry.hour * HOUR), *(getattr(entry, name) for name in names[1:])) for entry in found]
    if visit.twin == "json":
        return visit.json(dict(zip(names, row, strict=True)) for row in rows)

    async def each() -> AsyncIterator[tuple[Any, ...]]:
        for row in rows:
            yield row

    return visit.csv("ordermill-hours", names, each())


async def find_attention(visit: Visit) -> Attention:
    """The failed orders of the last day, without those that a retry or a fixed file has dealt with since."""
    mill, sender = visit.console.mill, visit.sender
    day = BatchQuery(created_after=visit.now - formats.DAY, has_failures=True, limit=LOOKED_AT)
    page = await mill.find_batches(sender, day)
    waiting = []
    for batch in page.entries:
        children = await mill.find_batches(sender, BatchQuery(parent_batch_id=batch.id, limit=100))
        left = batch.counts.failed - sum(child.counts.received for child in children.entries)
        if left > 0:
            waiting.append((left, batch))
    causes: dict[tuple[str, str], Cause] = {}
    for _, batch in waiting[:5]:
        for cause in await mill.find_causes(sender, batch.id):
            known = causes.get((cause.code, cause.field))
            count = cause.count + (known.count if known else 0)
            causes[cause.code, cause.field] = msgspec.structs.replace(known or cause, count=count)
    return Attention(
        orders=sum(left for left, _ in waiting),
        batches=tuple(batch for _, batch in sorted(waiting, key=lambda pair: -pair[0])),
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
