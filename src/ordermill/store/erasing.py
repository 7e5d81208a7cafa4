"""Erasing a person and forgetting what is past its time, inside one transaction. The SQL stands in erasing.sql."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.erasing import ERASED, Erased, Person
from ordermill.core.event import ERASED_BODY
from ordermill.core.order import Order
from ordermill.core.recognising import Recogniser, spell
from ordermill.store import query
from ordermill.store.engine import Row, Transaction

EMPTY_PROBLEMS = json.dumps([{"code": ERASED, "message": "erased on request"}])
STEP = 2_000  # items looked at in one transaction of the retention
FILE_GONE = "the file waited longer than it is kept, and is gone; upload it again"
SLICE = 5_000  # items searched in one statement: a large ledger is searched in many short ones
Rewrite = Callable[[Order], str]
# What a sender may have spelled otherwise than its lower case: beyond ASCII (and neighbours, which some letters fold
# into), letters that others fold to, and what JSON writers like to escape.
_UNSURE = re.compile(r"""(?:.?[^ -~]+.?|f[fil]+|st|[sk]|["\\/<>&'`+])+""", re.S)

_NAMED = {"ext": ("identifiers", "ext"), "loyalty": ("identifiers", "loyalty")}  # stands before it: see recognising
PHONE_DIGITS = 7


class Trace(msgspec.Struct, frozen=True):
    """Where a person was found: contacts, the (kind, value) that name them, orders, and items that never became one."""

    contacts: tuple[int, ...]
    names: tuple[tuple[str, str], ...]
    orders: frozenset[int]
    items: frozenset[int]


def find(tx: Transaction, sender: Sender, person: Person) -> Trace:
    """Reads every document of the account, so it is meant for a reader: the writers go on beside it."""
    account_id, mode = sender.account_id, sender.mode
    contacts = tuple(row[0] for row in tx.all("find_contacts_named", account_id, mode, person.kind, person.spelling))
    names = {(person.kind, person.value.strip()), (person.kind, person.spelling)}
    for contact_id in contacts:
        names |= {(row[0], row[1]) for row in tx.all("find_identifiers_of_contact", account_id, mode, contact_id)}
    known = Recogniser(names)
    orders = _orders_of(tx, sender, contacts)
    items: set[int] = set()
    for item_id, order_id, document, problems, key in _mentions(tx, sender, _patterns(names)):
        if not (known.knows(document) or known.knows(problems) or known.knows_name(key)):
            continue
        if order_id is None:
            items.add(item_id)
        else:
            orders.add(order_id)
    return Trace(contacts, tuple(sorted(names)), frozenset(orders), frozenset(items))


def _mentions(tx: Transaction, sender: Sender, patterns: Iterable[str]) -> Iterator[Row]:
    """Items that may name the person: it is for the reader of the documents to say."""
    above, wanted = 0, sorted(patterns)
    while True:
        row = tx.one("erasing_reach", sender.account_id, above, SLICE)
        reach = row[0] if row else None
        if reach is None:
            return
        for pattern in wanted:
            place = (sender.account_id, above, reach, sender.mode)
            yield from tx.all("find_items_mentioning", *place, pattern, pattern, pattern)
        above = reach


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
    answers = _forget_answers(tx, account_id, trace)
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
    return len(items), tx.run("empty_events_of_order", ERASED_BODY, account_id, order_id)


def _forget_answers(tx: Transaction, account_id: int, trace: Trace) -> int:
    known = Recogniser(trace.names)
    found = {
        key
        for pattern in _patterns(trace.names)
        for key, body in tx.all("find_memos_mentioning", account_id, pattern)
        if known.knows(bytes(body).decode(errors="replace"))
    }
    return sum(tx.run("drop_memo", account_id, key) for key in sorted(found))


def _patterns(names: Iterable[tuple[str, str]]) -> set[str]:
    return {_pattern(kind, value) for kind, value in names if spell(kind, value)}


def _pattern(kind: str, value: str) -> str:
    """What every spelling of a value has in common, for LIKE: no more than where to look."""
    digits = re.findall("[0-9]", value) if kind == "phone" else []
    if len(digits) >= PHONE_DIGITS:  # people put signs between them, seldom within the first two or the last two
        parts = ["".join(digits[:2]), "".join(digits[-2:])]
    else:
        parts = [*_NAMED.get(kind, ()), *_UNSURE.split(value.casefold())]
    escaped = (part.replace("!", "!!").replace("%", "!%").replace("_", "!_") for part in parts)
    return f"%{'%'.join(escaped)}%"


def forget_documents(tx: Transaction, account_id: int, above: int, before: int) -> int | None:
    """One step of the retention for what was sent before an instant; where the next one begins, None at the end."""
    row = tx.one("retention_reach", account_id, above, before, STEP)
    reach = row[0] if row else None
    if reach is None:
        return None
    tx.run("forget_documents", account_id, above, reach)
    return int(reach)


def forget_file(tx: Transaction, account_id: int, before: int, now: int) -> bool:
    """The file of one import that has stood still since an instant, and what is kept of its rows. False at the end.

    The import stays, with its sums and columns; one that would need its file again is failed and says why.
    """
    row = tx.one("find_left_imports", account_id, before, 1)
    if row is None:
        return False
    number, state, understood, report = row
    told = (_without_rows(understood), _without_values(report))
    still = tx.run("forget_import_rows", *told, now, account_id, number, state, before)
    if still and tx.run("drop_parts", account_id, number):
        tx.run("fail_import_without_file", FILE_GONE, account_id, number)
    return True


def _without_rows(understood: str) -> str:
    said = json.loads(understood)
    return _compact({**said, "samples": []}) if "samples" in said else understood


def _without_values(report: str) -> str:
    said = json.loads(report)
    causes = [{**cause, "value": None} for cause in said.get("causes", ())]
    return _compact({**said, "causes": causes}) if causes else report


def _compact(said: object) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def forget_memos(tx: Transaction, account_id: int, before: int) -> int:
    """Answers to Idempotency-Keys that are past their time."""
    return tx.run("forget_memos_of", account_id, before)
