"""The process dies between any two steps: what it was doing is whole or absent, and sending again makes it good."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from crash.books import Books, check, check_accounting
from crash.traffic import Client, Sent
from server_process import ServerProcess

from ordermill.failpoints import EXIT_CODE, POINTS

KINDS = ("brevo_batch", "karrio_batch", "centra_batch", "brevo_single", "karrio_single")
DURABLE = POINTS.index("lane.committed")
World = tuple[ServerProcess, Books]


@pytest.fixture
def server(world: World) -> Iterator[ServerProcess]:
    with world[0] as running:
        yield running
        running.environment.pop("ORDERMILL_FAILPOINT", None)


def die_at(point: str, kind: str, server: ServerProcess, client: Client) -> Sent:
    """One request to a server that dies at the point. It must not be answered, but at the very last one."""
    server.stop()
    server.environment["ORDERMILL_FAILPOINT"] = point
    server.start()
    before, client.tried = client.tried, {}  # so that it takes new orders only
    sent: Sent = getattr(client, kind)()
    client.tried = before
    for key, version in sent.orders.items():
        client.tried.setdefault(key, set()).add(version)
    client.push(sent, patience=1)
    client.hang_up()
    assert server.died() == EXIT_CODE, f"{point} was not reached"
    assert not sent.acknowledged or point == "answer.sent"
    del server.environment["ORDERMILL_FAILPOINT"]
    return sent


def written(sent: Sent, books: Books) -> bool:
    """Whether the ledger knows the request; half of it is an error."""
    references = {row[0] for row in books.rows("SELECT reference FROM orders")}
    bought = "SELECT c.value FROM orders o JOIN contact_identifier c ON c.contact_id = o.contact_id"
    emails = {row[0] for row in books.rows(bought)}  # an identifier without an order is nobody's yet
    there = [key[2] in references for key in sent.orders] + [email in emails for email in sent.emails]
    assert all(there) or not any(there), "half of it is there"
    return all(there)


def run(points: list[tuple[str, str]], server: ServerProcess, books: Books) -> None:
    client = Client(0, server.url, server.key, threading.Event(), seed=1)
    for point, kind in points:
        client.random.seed(point)
        sent = die_at(point, kind, server, client)
        assert written(sent, books) is (POINTS.index(point) >= DURABLE), f"{kind} at {point}"
        check_accounting(books)
        server.start()
        if not sent.acknowledged:
            client.push(sent, patience=3)
        client.requests.append(sent)
        client.hang_up()
        assert sent.acknowledged, f"{kind} after {point}: {client.wrong}"
        check(books, [client])


@pytest.mark.timeout(300)
def test_each_point_once_on_sqlite_and_some_on_postgres(world: World, server: ServerProcess) -> None:
    pairs = [(point, KINDS[place % len(KINDS)]) for place, point in enumerate(POINTS)]
    run(pairs if server.data == world[1].where else pairs[::4], server, world[1])


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_point_with_each_kind_of_request(world: World, server: ServerProcess) -> None:
    run([(point, kind) for point in POINTS for kind in KINDS], server, world[1])
