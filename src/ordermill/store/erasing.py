"""Erasing a person and forgetting what is past its time, inside one transaction. The SQL stands in erasing.sql."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.erasing import ERASED, Erased, Person
from ordermill.core.order import Order
from ordermill.store import query
from ordermill.store.engine import Transaction

EMPTY_EVENT = b'{"erased":true}'
EMPTY_PROBLEMS = json.dumps([{"code": ERASED, "message": "erased on request"}])
STEP = 2_000  # items looked at in one transaction of the retention
Rewrite = Callable[[Order], str]


class Trace(msgspec.Struct, frozen=True):
    """Where a person was found: contacts, all values that name them, orders, and items that never became an order."""

    contacts: tuple[int, ...]
    values: tuple[str, ...]
    orders: frozenset[int]
    items: frozenset[int]


def find(tx: Transaction, sender: Sender, person: Person) -> Trace:
    """Reads every document of the account, so it is meant for a reader: the writers go on beside it."""
    account_id, mode = sender.account_id, sender.mode
    contacts = tuple(row[0] for row in tx.all("find_contacts_named", account_id, mode, person.kind, person.spelling))
    values = {person.value.strip(), person.spelling}
    for contact_id in contacts:
        values |= {row[0] for row in tx.all("find_identifiers_of_contact", account_id, mode, contact_id)}
    orders = _orders_of(tx, sender, contacts)
    items: set[int] = set()
    for pattern in {_pattern(spelled) for value in values for spelled in (value, json.dumps(value)[1:-1])}:
        for item_id, order_id in tx.all("find_items_mentioning", account_id, mode, pattern, pattern, pattern):
            if order_id is None:
                items.add(item_id)
            else:
                orders.add(order_id)
    return Trace(contacts, tuple(sorted(values)), frozenset(orders), frozenset(items))


def _orders_of(tx: Transaction, sender: Sender, contacts: Iterable[int]) -> set[int]:
    found = (tx.all("find_orders_of_contact", sender.account_id, sender.mode, contact_id) for contact_id in contacts)
    return {row[0] for rows in found for row in rows}


def erase(tx: Transaction, sender: Sender, trace: Trace, rewrite: Rewrite, now: int) -> Erased:
    """Everything that tells who it was goes; items, batches and their sums stay as they are.

    `rewrite` gives what stays of an order's document. The order keeps its content hash: sent again unchanged, it is
    unchanged, and stays without its person.
    """
    account_id = sender.account_id
    orders = trace.orders | _orders_of(tx, sender, trace.contacts)  # and what came in since
    versions = sum(tx.run("empty_item", EMPTY_PROBLEMS, account_id, item_id) for item_id in sorted(trace.items))
    events = 0
    for order_id in sorted(orders):
        emptied, silenced = _erase_order(tx, sender, order_id, rewrite, now)
        versions += emptied
        events += silenced
    forgotten = sum(tx.run("forget_contact", account_id, sender.mode, contact_id) for contact_id in trace.contacts)
    answers = sum(tx.run("forget_memos_mentioning", account_id, value.lower()) for value in trace.values)
    return Erased(orders=len(orders), versions=versions, identifiers=forgotten, events=events, answers=answers)


def _erase_order(tx: Transaction, sender: Sender, order_id: int, rewrite: Rewrite, now: int) -> tuple[int, int]:
    account_id = sender.account_id
    order = query.find_order(tx, sender, order_id)
    if order is None:
        return 0, 0
    left = rewrite(order) if order.document is not None else None
    items = [row[0] for row in tx.all("find_items_of_order", account_id, order_id)]
    for item_id in items:
        tx.run("empty_item", EMPTY_PROBLEMS, account_id, item_id)
    if left is not None:
        tx.run("rewrite_item", left, account_id, account_id, order_id)
    tx.run("forget_contact_of_order", account_id, order_id)
    tx.run("stop_deliveries_of_order", now, account_id, account_id, order_id)
    tx.run("empty_attempts_of_order", account_id, account_id, order_id)
    return len(items), tx.run("empty_events_of_order", EMPTY_EVENT, account_id, order_id)


def _pattern(value: str) -> str:
    escaped = value.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def forget_documents(tx: Transaction, account_id: int, above: int, before: int) -> int | None:
    """One step of the retention for what was sent before an instant; where the next one begins, None at the end."""
    row = tx.one("retention_reach", account_id, above, before, STEP)
    reach = row[0] if row else None
    if reach is None:
        return None
    tx.run("forget_documents", account_id, above, reach)
    return int(reach)


def forget_memos(tx: Transaction, account_id: int, before: int) -> int:
    """Answers to Idempotency-Keys that are past their time."""
    return tx.run("forget_memos_of", account_id, before)
