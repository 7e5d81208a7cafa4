"""The books after the storm: what the database really holds, compared with what the clients were told."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from crash.traffic import STORE, Client, Key, Sent, instant

from ordermill.core import ids


class Books:
    """Plain SQL on the ledger, past our own code. `where`: the folder of the data, or a PostgreSQL URL."""

    def __init__(self, where: Path | str) -> None:
        self.where = where

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        if isinstance(self.where, str):
            with psycopg.connect(self.where) as connection:
                return connection.execute(statement.encode()).fetchall()
        with closing(sqlite3.connect(self.where / "ordermill.db")) as raw:
            return raw.execute(statement).fetchall()

    def one(self, statement: str) -> Any:
        return self.rows(statement)[0][0]


def check(books: Books, clients: Sequence[Client]) -> dict[str, int]:
    """Raises AssertionError for the first promise that was broken. What was counted, for the report."""
    assert [wrong for client in clients for wrong in client.wrong] == []
    requests = [sent for client in clients for sent in client.requests]
    orders = _orders(books)
    _check_orders(clients, orders)
    _check_batches(books, requests)
    for client in clients:
        _check_whole_or_absent(client, orders)
    people = _check_centra(books, requests)
    check_accounting(books)
    return {
        "requests": len(requests),
        "sent again": sum(sent.tries - 1 for sent in requests),
        "acknowledged": sum(sent.acknowledged for sent in requests),
        "orders acknowledged": sum(len(client.newest) for client in clients) + people,
        "orders in the ledger": books.one("SELECT count(*) FROM orders"),
        "batches in the ledger": books.one("SELECT count(*) FROM batch"),
    }


def _orders(books: Books) -> dict[Key, tuple[int, str | None]]:
    """Every current order: key -> (instant of its version, amount). A key that occurs twice is an error at once."""
    found: dict[Key, tuple[int, str | None]] = {}
    for dialect, source, reference, updated_at, amount in books.rows(
        "SELECT dialect, source, reference, updated_at, amount FROM orders WHERE account_id = 1 AND mode = 0"
    ):
        assert (dialect, source, reference) not in found, f"there twice: {dialect} {source} {reference}"
        found[dialect, source, reference] = (updated_at, amount)
    return found


def _check_orders(clients: Sequence[Client], orders: dict[Key, tuple[int, str | None]]) -> None:
    """Each acknowledged order is there, in its newest acknowledged version or in a newer one that was really sent."""
    for client in clients:
        for key, version in client.newest.items():
            assert key in orders, f"acknowledged and lost: {key} version {version}"
            if key[0] == "brevo":
                updated_at, amount = orders[key]
                there = int(float(amount or 0))
                assert version <= there, f"{key}: acknowledged {version}, there is {there}"
                assert there in client.tried[key], f"{key}: {there} was never sent"
                assert updated_at == int(instant(there).timestamp()) * 1_000_000, f"{key}: two versions mixed"
    known = {key for client in clients for key in client.tried}
    strangers = [key for key in orders if key[0] != "centra" and key not in known]
    assert not strangers, f"never sent: {strangers[:5]}"


def _number(sent: Sent) -> int | None:
    """The number of the batch, as the answer spells it."""
    if sent.kind == "brevo batch":
        return int(sent.answer["batchId"])
    return ids.parse("batch", sent.answer["id"], 1, 0) if sent.kind == "karrio batch" else None


def _check_batches(books: Books, requests: Sequence[Sent]) -> None:
    """Every acknowledged batch is final and holds exactly what was sent; no number was given to two requests."""
    items: dict[int, Counter[str]] = {}
    for batch_id, reference in books.rows(
        "SELECT i.id >> 24, coalesce(i.reference, o.reference) FROM item i "
        "LEFT JOIN orders o ON o.account_id = i.account_id AND o.id = i.order_id"
    ):
        items.setdefault(batch_id, Counter())[reference] += 1
    received = dict(books.rows("SELECT id, received FROM batch"))
    told: dict[int, Sent] = {}
    for sent in requests:
        number = _number(sent) if sent.acknowledged else None
        if number is None:
            continue
        assert number not in told, f"batch number {number} was given twice"
        told[number] = sent
        assert received.get(number) == len(sent.orders), f"batch {number} was acknowledged and is not there whole"
        assert items.get(number) == Counter(key[2] for key in sent.orders), f"batch {number} holds something else"
    assert all(sum(items[number].values()) == count for number, count in received.items()), "a batch is not whole"
    assert books.one("SELECT count(*) FROM batch WHERE finished_at IS NULL") == 0, "a batch is not final"


def _check_whole_or_absent(client: Client, orders: dict[Key, tuple[int, str | None]]) -> None:
    """Of a request nobody answered, the orders that no other request held are all there, or none is."""
    times = Counter(key for sent in client.requests for key in sent.orders)
    for sent in client.requests:
        own = [key for key in sent.orders if times[key] == 1]
        if own and not sent.acknowledged:
            there = sum(key in orders for key in own)
            assert there in (0, len(own)), f"{sent.kind}: {there} of {len(own)} orders are there"


def _check_centra(books: Books, requests: Sequence[Sent]) -> int:
    """Under one Idempotency-Key each order is there once, with the number that was told. The acknowledged ones."""
    numbers: dict[str, list[str]] = {}
    for email, reference in books.rows(
        "SELECT c.value, o.reference FROM orders o JOIN contact_identifier c "
        f"ON c.account_id = o.account_id AND c.contact_id = o.contact_id WHERE o.source = '{STORE}' "
        "AND o.dialect = 'centra' AND c.kind = 'email'"
    ):
        numbers.setdefault(email, []).append(reference)
    acknowledged = 0
    for sent in requests:
        if sent.kind != "centra batch":
            continue
        there = [numbers.get(email, []) for email in sent.emails]
        if sent.acknowledged:
            told = [[str(number) for number in entry["orders"]] for entry in sent.answer.values()]
            assert told == there, f"told {told}, there is {there}"
            acknowledged += len(there)
        else:
            assert all(len(found) == 1 for found in there) or not any(there), "a batch is half there, or twice"
    return acknowledged


def check_accounting(books: Books) -> None:
    """Every stored copy of a fact agrees with what it is a copy of."""
    counted = books.rows(
        "SELECT account_id, mode, dialect, count(*) FROM orders GROUP BY account_id, mode, dialect ORDER BY 1, 2, 3"
    )
    kept = books.rows("SELECT account_id, mode, dialect, orders FROM order_count WHERE orders <> 0 ORDER BY 1, 2, 3")
    assert kept == counted, f"counts {kept}, orders {counted}"
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in ("received", "created", "updated", "unchanged", "failed"))
    kinds = ", ".join(f"count(CASE WHEN outcome IN ({kind}) THEN 1 END)" for kind in ("1", "2", "3, 4", "5"))
    assert books.rows(f"SELECT {sums} FROM tally") == books.rows(f"SELECT count(*), {kinds} FROM item")
    twice = books.rows(
        "SELECT order_id FROM item WHERE outcome IN (1, 2) GROUP BY order_id, revision HAVING count(*) > 1"
    )
    assert not twice, "a version was recorded twice"
    events = "SELECT order_id FROM event WHERE type = 'order.created' GROUP BY order_id HAVING count(*) > 1"
    assert not books.rows(events), "an order was announced twice as created"
