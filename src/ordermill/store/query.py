"""Reading back: the asked filters become named clauses, one page at a time. Engine-free; the SQL is in query.sql."""

from __future__ import annotations

import json

import msgspec

from ordermill.core.batch import POSITION_BITS, POSITIONS_MAX, Batch, Item, OutcomeKind, Sender, item_id
from ordermill.core.order import Order, OrderKey, Revision
from ordermill.core.query import BatchQuery, Cause, ItemQuery, OrderQuery, OrderSort, Page
from ordermill.store import rows
from ordermill.store.engine import Transaction

_SCAN_PAGE = 500
_INT_MAX = (1 << 63) - 1
# Every order meets these: they name the index that has the sort (see the indexes for lists in the schema).
_INDEXED = {
    OrderSort.RECEIVED: "order.listed_received",
    OrderSort.PLACED: "order.listed_placed",
    OrderSort.PLACED_UPDATED: "order.listed_placed",
    OrderSort.NUMBER: "order.listed_number",
}


def find_order(tx: Transaction, sender: Sender, order_id: int) -> Order | None:
    row = tx.one("find_order", sender.account_id, sender.mode, askable(order_id))
    return rows.order(row) if row else None


def find_order_by_key(tx: Transaction, sender: Sender, key: OrderKey) -> Order | None:
    asked = [askable(part) for part in (key.dialect, key.source, key.reference)]
    row = tx.one("find_order_by_key", sender.account_id, sender.mode, *asked)
    return rows.order(row) if row else None


def find_revisions(tx: Transaction, sender: Sender, order_id: int) -> tuple[Revision, ...]:
    if find_order(tx, sender, order_id) is None:
        return ()
    asked = (sender.account_id, order_id)
    return tuple(rows.revision(row) for row in tx.all("find_revisions", sender.account_id, *asked, *asked))


def askable(value: object) -> object:
    """A value that may be compared with a column on every engine: whole numbers of 64 bits, text without NUL.

    What is asked for is not always checked as what is stored is; nothing that is stored looks like the difference.
    """
    if isinstance(value, str):
        return rows.storable(value)
    if isinstance(value, int):
        return max(-_INT_MAX, min(_INT_MAX, value))
    return value


def _list(values: tuple[object, ...]) -> str:
    """A list travels as JSON text."""
    return json.dumps([askable(value) for value in values])


def find_orders(tx: Transaction, sender: Sender, query: OrderQuery) -> Page[Order]:
    """One page. Where only the dialect can decide (`accepts`), candidates are read page by page and counted."""
    clauses, params = order_clauses(sender, query)
    if query.accepts is not None:
        return _scan(tx, sender, query, clauses, params)
    found = _orders(tx, sender, query, clauses, params, query.limit + 1, query.offset)
    total = _count_orders(tx, sender, query, clauses, params) if query.with_count else None
    return Page(entries=tuple(found[: query.limit]), count=total, more=len(found) > query.limit)


def _orders(
    tx: Transaction,
    sender: Sender,
    query: OrderQuery,
    clauses: list[str],
    params: list[object],
    limit: int,
    offset: int,
) -> list[Order]:
    tail = f"order.by_{query.sort.value}" + ("_desc" if query.descending else "")
    values = [sender.account_id, sender.mode, *params, askable(limit), askable(offset)]
    named = _names(query)
    if not named or query.sort is OrderSort.NUMBER:  # which only lists what has one
        clauses = [*clauses, _INDEXED[query.sort]]
    if not (query.with_document or query.accepts):
        heads = "find_named_heads" if named else "find_order_heads"
        return [rows.order(row) for row in tx.compose(heads, clauses, values, tail)]
    ids = tx.compose("find_named_ids" if named else "find_order_ids", clauses, values, tail)
    shown = {row[0]: rows.order(row) for row in tx.all_of("find_shown", (sender.account_id,), ids)}
    return [shown[number] for (number,) in ids if number in shown]


def _count_orders(tx: Transaction, sender: Sender, query: OrderQuery, clauses: list[str], params: list[object]) -> int:
    """Kept, not counted, where nothing but the dialect is asked for. Where a page begins does not change the number."""
    if query.after_id is not None:
        query = msgspec.structs.replace(query, after_id=None)
        clauses, params = order_clauses(sender, query)
    if clauses == ["order.dialect"]:
        row = tx.one("order_count", sender.account_id, sender.mode, *params)
    elif not clauses:
        row = tx.one("order_count_all", sender.account_id, sender.mode)
    else:
        named = _names(query)
        if not named or query.sort is OrderSort.NUMBER:
            clauses = [*clauses, _INDEXED[query.sort]]
        counting = "count_named" if named else "count_orders"
        row = tx.compose(counting, clauses, [sender.account_id, sender.mode, *params])[0]
    assert row is not None
    return int(row[0])


def _scan(tx: Transaction, sender: Sender, query: OrderQuery, clauses: list[str], params: list[object]) -> Page[Order]:
    assert query.accepts is not None
    found: list[Order] = []
    seen = 0
    while seen < query.scan_max:
        candidates = _orders(tx, sender, query, clauses, params, _SCAN_PAGE, seen)
        found += [order for order in candidates if query.accepts(order)]
        seen += len(candidates)
        if len(candidates) < _SCAN_PAGE:
            break
    page = found[query.offset : query.offset + query.limit]
    return Page(entries=tuple(page), count=len(found), more=len(found) > query.offset + query.limit)


def _names(query: OrderQuery) -> bool:
    """Whether few orders are named: these are looked up and sorted, not picked from the list in its order."""
    named = query.references or query.ids or query.identifier or query.request_id
    return bool(named) or query.contact_id is not None


Asked = list[tuple[str, tuple[object, ...]]]


def order_clauses(sender: Sender, query: OrderQuery) -> tuple[list[str], list[object]]:
    asked = _named_clauses(sender, query)
    if query.dialect is not None:
        asked.append(("order.dialect", (query.dialect,)))
    for clause, clause_of_many, values in (
        ("order.source", "order.sources", query.sources),
        ("order.status", "order.statuses", query.statuses),
    ):
        if len(values) == 1:  # an index is in order behind one value, not behind a list
            asked.append((clause, values))
        elif values:
            asked.append((clause_of_many, (_list(values),)))
    asked += [("order.status_not", (status,)) for status in query.statuses_not]
    for clause, value in (
        ("order.placed_after", query.placed_after),
        ("order.placed_before", query.placed_before),
        ("order.updated_after", query.updated_after),
        ("order.updated_before", query.updated_before),
        ("order.received_after", query.received_after),
        ("order.received_before", query.received_before),
    ):
        if value is not None:
            asked.append((clause, (value,)))
    if query.after_id is not None and query.sort is OrderSort.RECEIVED:
        asked.append(("order.id_below" if query.descending else "order.id_above", (query.after_id,)))
    return [clause for clause, _ in asked], [askable(value) for _, values in asked for value in values]


def _named_clauses(sender: Sender, query: OrderQuery) -> Asked:
    """What names few orders (see _names)."""
    asked: Asked = []
    for values, clause, clause_of_many, scope in (
        (query.references, "order.reference", "order.references", (sender.account_id,)),
        (query.ids, "order.id", "order.ids", ()),
    ):
        if values:
            asked.append(
                (clause, (*scope, values[0])) if len(values) == 1 else (clause_of_many, (*scope, _list(values)))
            )
    if query.contact_id is not None:
        asked.append(("order.contact", (sender.account_id, query.contact_id)))
    if query.request_id is not None:
        asked.append(("order.request", (sender.account_id, query.request_id)))
    if query.identifier is not None:
        asked.append(("order.identifier", (sender.account_id, sender.mode, *query.identifier)))
    return asked


def find_batch(tx: Transaction, sender: Sender, batch_id: int) -> Batch | None:
    row = tx.one("find_batch", sender.account_id, sender.mode, askable(batch_id))
    return rows.batch(row) if row else None


def find_batches(tx: Transaction, sender: Sender, query: BatchQuery) -> Page[Batch]:
    clauses, params = _batch_clauses(query)
    values = [sender.account_id, sender.mode, *params]
    tail = "batch.newest" if query.descending else "batch.oldest"
    page = [askable(query.limit + 1), askable(query.offset)]
    found = tx.compose("find_batches", clauses, [*values, *page], tail)
    total = None
    if query.with_count:
        clauses, params = _batch_clauses(msgspec.structs.replace(query, after_id=None))
        total = int(tx.compose("count_batches", clauses, [sender.account_id, sender.mode, *params])[0][0])
    return Page(
        entries=tuple(rows.batch(row) for row in found[: query.limit]), count=total, more=len(found) > query.limit
    )


def _batch_clauses(query: BatchQuery) -> tuple[list[str], list[object]]:
    asked: list[tuple[str, tuple[object, ...]]] = []
    for clause, value in (
        ("batch.dialect", query.dialect),
        ("batch.key", query.key_id),
        ("batch.origin", query.origin),
        ("batch.parent", query.parent_batch_id),
        ("batch.created_after", query.created_after),
        ("batch.created_before", query.created_before),
    ):
        if value is not None:
            asked.append((clause, (value,)))
    if query.statuses:
        asked.append(("batch.statuses", (_list(tuple(status.value for status in query.statuses)),)))
    if query.has_failures is not None:
        asked.append(("batch.failures" if query.has_failures else "batch.no_failures", ()))
    if query.after_id is not None:
        asked.append(("batch.id_below" if query.descending else "batch.id_above", (query.after_id,)))
    return [clause for clause, _ in asked], [askable(value) for _, values in asked for value in values]


def find_items(tx: Transaction, sender: Sender, query: ItemQuery) -> Page[Item]:
    """Items of one batch by position; empty where the batch is not this account's and mode's."""
    if find_batch(tx, sender, query.batch_id) is None:
        return Page(entries=())
    asked: list[tuple[str, tuple[object, ...]]] = []
    if query.outcomes == (OutcomeKind.FAILED,):
        asked.append(("item.failed", ()))  # by its own index
    elif query.outcomes:
        asked.append(("item.outcomes", (_list(tuple(int(outcome) for outcome in query.outcomes)),)))
    if query.code is not None:
        asked += [("item.failed", ()), ("item.code", (query.code,))]
    if query.field is not None:
        asked.append(("item.field", (query.field,)))
    after = (
        item_id(query.batch_id, min(query.after_position, POSITIONS_MAX - 1))
        if query.after_position >= 0
        else ((query.batch_id << POSITION_BITS) - 1)
    )
    params = [askable(value) for _, values in asked for value in values]
    found = tx.compose(
        "find_items" if query.with_document else "find_item_heads",
        [clause for clause, _ in asked],
        [sender.account_id, after, item_id(query.batch_id + 1, 0), *params, askable(query.limit + 1)],
        "item.by_position",
    )
    return Page(entries=tuple(rows.item(row) for row in found[: query.limit]), more=len(found) > query.limit)


def find_causes(tx: Transaction, sender: Sender, batch_id: int) -> tuple[Cause, ...]:
    """Why items of a batch failed, the most frequent cause first."""
    if find_batch(tx, sender, batch_id) is None:
        return ()
    first, behind = item_id(batch_id, 0), item_id(batch_id + 1, 0)
    return tuple(rows.cause(row) for row in tx.all("find_causes", sender.account_id, first, behind, sender.account_id))
