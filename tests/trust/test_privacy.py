"""Nothing personal, no secret in logs, metrics or foreign errors; who is erased is gone; retention keeps its word."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from crash.books import Books, check_accounting
from postgres_server import drop_database, fresh_database
from server_process import ServerProcess
from trust.test_isolation import BREVO, CENTRA, KARRIO
from trust.wire import request, speak

MAIL, PHONE, STREET, NAME = "mailcanary@secret.example", "+41791234567", "Streetcanary 7", "Namecanary"
FREE = "freetextcanary"
SECRETS = (MAIL, PHONE, "Streetcanary", NAME, FREE, "secretcanary")
Call = tuple[int, str]


def orders() -> list[tuple[str, Any]]:
    """One good order of the person through each call of each contract."""
    brevo = {
        **BREVO, "id": "p1", "identifiers": {"email_id": MAIL, "phone_id": PHONE, "ext_id": "ext-canary"},
        "billing": {"address": STREET, "phone": PHONE, "city": NAME}, "metaInfo": {"note": FREE},
    }  # fmt: skip
    to = {**KARRIO["shipping_to"], "person_name": NAME, "address_line1": STREET, "email": MAIL, "phone_number": PHONE}
    karrio = {**KARRIO, "order_id": "p2", "shipping_to": to, "metadata": {"note": FREE}}
    address = {**CENTRA["address"], "firstName": NAME, "address": STREET, "email": MAIL, "phoneNumber": PHONE}
    centra = {**CENTRA, "address": address, "comment": FREE}
    return [
        ("/v3/orders/status", brevo),
        ("/v3/orders/status/batch", {"orders": [{**brevo, "id": "p3"}]}),
        ("/v1/orders", karrio),
        ("/v1/batches/orders", {"orders": [{**karrio, "order_id": "p4"}]}),
        ("/centra/order", centra),
        ("/centra/orders", {"a": centra}),
    ]


def call(server: ServerProcess, method: str, path: str, body: Any = None, *headers: str, key: str = "") -> Call:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    heard = speak(server.url, request(method, path, key or server.key, data, "Connection: close", *headers))
    return heard.status, heard.text.decode(errors="replace")


def spoil(body: Any) -> list[bytes]:
    """The same personal content in requests that are refused, in different ways."""
    text = json.dumps(body)
    return [
        text[:-5].encode(),
        text.replace('"completed"', f'"{MAIL}"').replace('"quantity": 1', f'"quantity": "{MAIL}"').encode(),
        text.replace('"country_code": "CH"', f'"country_code": "{NAME}"').replace('"SE"', f'"{NAME}"').encode(),
        json.dumps([MAIL, PHONE]).encode(),
        text.encode("utf-16"),
        text.encode() + b"\xff",
        json.dumps({MAIL: {PHONE: STREET}}).encode(),
    ]


def test_no_canary_in_logs_metrics_or_foreign_errors(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, failed_keys_max="0", log_level="info") as server:
        other = json.loads(call(server, "POST", "/api/v1/accounts", {"name": "other"})[1].split("\r\n\r\n")[1])
        made = call(server, "POST", "/api/v1/keys", {"name": "theirs", "account": other["name"]})[1]
        key = json.loads(made.split("\r\n\r\n")[1])["key"]
        statuses = []
        for path, body in orders():
            statuses.append(call(server, "POST", path, body, f"Idempotency-Key: {FREE}-{len(statuses)}")[0])
            for bad in spoil(body):
                statuses.append(call(server, "POST", path, bad, f"X-Request-ID: {MAIL.replace('@', '-at-')[:5]}")[0])
                statuses.append(call(server, "POST", path, bad, key="secretcanary" + "x" * 40)[0])
        for path in (
            "/v3/orders",
            "/v1/orders",
            "/centra/orders",
            "/api/v1/orders",
            "/api/v1/nowhere",
            "/v1/orders/" + NAME,
        ):
            for query in (f"?email={MAIL}", f"?phone={PHONE}", f"?{NAME}=secretcanary", f"/{MAIL}"):
                statuses.append(call(server, "GET", path + query)[0])
                told = call(server, "GET", path, key=key)[1]
                assert not any(canary in told for canary in SECRETS if canary not in path), told
        metrics = call(server, "GET", "/metrics")[1]
        time.sleep(0.6)
    assert 200 in statuses
    assert 400 in statuses
    log = server.log.read_text()
    assert log.count("request.answered") > 100
    for canary in (*SECRETS, server.key, key, key[-43:], MAIL.replace("@", "%40")):
        assert canary not in metrics, canary
        assert canary not in log, next(line for line in log.splitlines() if canary in line)


def everywhere(books: Books, tables: tuple[str, ...] = ()) -> str:
    """Every cell of every table, as one text."""
    if isinstance(books.where, Path):
        names = books.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        names = books.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    cells = [cell for (name,) in names for row in books.rows(f"SELECT * FROM {name}") for cell in row]
    return "\n".join(cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in cells)


@pytest.mark.parametrize(
    ("store", "way"),
    [("sqlite", "API by email"), ("postgres", "API by email"), ("postgres", "API by ext"), ("sqlite", "CLI by phone")],
)
def test_who_is_erased_is_gone_and_the_books_are_right(
    store: str, way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server_url = request.getfixturevalue("postgres_url") if store == "postgres" else ""
    url = fresh_database(server_url) if server_url else ""
    books = Books(url or tmp_path)
    with ServerProcess(tmp_path, database_url=url) as server:
        for number, (path, body) in enumerate(orders()):
            assert call(server, "POST", path, body, f"Idempotency-Key: e{number}")[0] < 300
        newer = {**orders()[0][1], "updatedAt": "2024-02-01T00:00:00.000Z", "amount": 7}
        assert call(server, "POST", "/v3/orders/status", newer)[0] == 204
        call(server, "POST", "/v1/batches/orders", {"orders": [{"order_id": "bad", "shipping_to": {"email": MAIL}}]})
        assert call(server, "POST", "/v3/orders/status", {**BREVO, "id": "bystander"})[0] == 204
        figures = books.rows("SELECT sum(received), sum(created), sum(failed) FROM tally")
        assert MAIL in everywhere(books)
        erase(server, way)
        left = everywhere(books)
        for canary in (MAIL, PHONE, "Streetcanary", NAME, FREE) if "email" in way or "phone" in way else (MAIL, PHONE):
            assert canary not in left, canary
        assert "canary7c1@example.com" in left, "somebody else was erased as well"
        assert books.rows("SELECT sum(received), sum(created), sum(failed) FROM tally") == figures
        check_accounting(books)
        read_all(server)
        same = orders()[1]
        assert call(server, "POST", same[0], same[1])[0] == 202
        assert MAIL not in "".join(str(row) for row in books.rows("SELECT document FROM item")), "an unchanged resend"
    if store == "sqlite":
        with_log = b"".join(path.read_bytes() for path in tmp_path.glob("ordermill.db*"))
        assert FREE.encode() not in with_log, "it lies in free pages"
    if url:
        drop_database(server_url, url)


def erase(server: ServerProcess, way: str) -> None:
    if way.startswith("API"):
        body = {"email": MAIL.upper()} if way.endswith("email") else {"ext": "ext-canary"}
        status, told = call(server, "POST", "/api/v1/erasures", body)
        assert status == 200, told
        assert json.loads(told.split("\r\n\r\n")[1])["orders"] >= 2
        assert call(server, "POST", "/api/v1/erasures", {})[0] == 422
        return
    command = [sys.executable, "-m", "ordermill", "erase", "--phone", PHONE, "--yes", "--json"]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["orders"] >= 2


def read_all(server: ServerProcess) -> None:
    """Every way to read an order still works, and tells nobody."""
    listing = json.loads(call(server, "GET", "/api/v1/orders")[1].split("\r\n\r\n")[1])
    paths = ["/v3/orders", "/v1/orders", "/centra/orders", "/v1/batches/operations"]
    for entry in listing["data"]:
        own = f"/api/v1/orders/{entry['id']}"
        paths += [own, own + "/history", *(f"{own}?as={contract}" for contract in ("brevo", "karrio", "centra"))]
    for path in paths:
        status, told = call(server, "GET", path)
        assert status == 200, f"{path}: {told}"
        assert not re.search("Streetcanary|mailcanary", told), path


def brevo(reference: str, **said: Any) -> Any:
    return {**BREVO, "id": reference, "identifiers": {"email_id": f"{reference}@somebody.example"}, **said}


# reference of somebody else's order -> what it holds that looks like Ann's e-mail, id, loyalty number or phone
BYSTANDERS: dict[str, Any] = {
    "joann": {"identifiers": {"email_id": "joann@example.com"}},
    "jo-ann": {"identifiers": {"email_id": "jo-ann@example.com"}},
    "ann-au": {"identifiers": {"email_id": "ann@example.com.au"}},
    "ext-421": {"identifiers": {"ext_id": "421"}},
    "loyal-42": {"identifiers": {"loyalty_subscription_id": "42"}},
    "price": {"amount": 42, "products": [{"productId": "42", "price": 42, "quantity": 42, "variantId": "7700"}]},
    "note": {"metaInfo": {"floor": "42", "ext_id": "42", "note": "house 42, ring 0791234567"}},
    "42": {"storeId": "42"},
    "number": {"metaInfo": {"ticket": "0791234567"}},
}
ANNS: dict[str, Any] = {
    "own": {
        "identifiers": {
            "email_id": "Ann@Example.com", "ext_id": "42", "phone_id": "0791234567", "loyalty_subscription_id": "7700",
        }
    },
    "by-ext": {"identifiers": {"ext_id": " 42 "}},
    "noted": {"metaInfo": {"note": "for ANN@example.com."}},
    "called": {"billing": {"phone": "(079) 123 45-67", "city": "Annville"}},
}  # fmt: skip


def references_with_people(books: Books) -> set[str]:
    rows = books.rows("SELECT document FROM item WHERE document IS NOT NULL AND outcome <> 5")
    told = [document for (document,) in rows if re.search("metaInfo|identifiers|phone|storeId", document)]
    return {json.loads(document)["id"] for document in told if '"id"' in document}


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
@pytest.mark.parametrize("named", [{"email": "ann@example.com"}, {"ext": "42"}], ids=["email", "ext"])
def test_only_who_is_erased_is_erased(
    store: str, named: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Neither people of a longer name nor orders that hold the same digits somewhere."""
    server_url = request.getfixturevalue("postgres_url") if store == "postgres" else ""
    url = fresh_database(server_url) if server_url else ""
    books = Books(url or tmp_path)
    with ServerProcess(tmp_path, database_url=url, brevo_policy="accept_valid") as server:
        for reference, said in {**ANNS, **BYSTANDERS}.items():
            body = brevo(reference, **said)
            assert call(server, "POST", "/v3/orders/status", body, f"Idempotency-Key: {reference}")[0] == 204
        bad = [{**brevo(name, **said), "status": 7} for name, said in (*ANNS.items(), *BYSTANDERS.items())]
        assert call(server, "POST", "/v3/orders/status/batch", {"orders": bad})[0] == 202
        assert call(server, "POST", "/centra/order", {**CENTRA, "comment": "the 42nd"}, "Idempotency-Key: c")[0] < 300
        memos = books.one("SELECT count(*) FROM memo")
        assert books.one("SELECT count(*) FROM item WHERE outcome = 5") == len(bad)
        told = call(server, "POST", "/api/v1/erasures", named)[1]
        assert json.loads(told.split("\r\n\r\n")[1])["orders"] == len(ANNS)
        assert references_with_people(books) >= set(BYSTANDERS), "somebody else was erased as well"
        assert not references_with_people(books) & set(ANNS)
        left = books.one("SELECT count(*) FROM item WHERE outcome = 5 AND document IS NOT NULL")
        assert left == len(BYSTANDERS), "of the failed ones"
        assert books.one("SELECT count(*) FROM memo") == memos
    if url:
        drop_database(server_url, url)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_person_is_found_however_letters_are_spelled(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Capitals beyond ASCII, escapes of JSON, and letters that have no single small form."""
    server_url = request.getfixturevalue("postgres_url") if store == "postgres" else ""
    url = fresh_database(server_url) if server_url else ""
    books = Books(url or tmp_path)
    with ServerProcess(tmp_path, database_url=url) as server:
        for number, spelled in enumerate(("m\u00fcller_stra\u00dfe@x.de", "M\u00dcLLER_STRASSE@X.DE")):
            for ascii_only in (True, False):
                body = brevo(f"u{number}{ascii_only}", metaInfo={"note": f"for {spelled}"})
                text = json.dumps(body, ensure_ascii=ascii_only).encode()
                assert call(server, "POST", "/v3/orders/status", text)[0] == 204
        other = brevo("other", metaInfo={"note": "for muller_strase@x.de, m%ller_strasse@x.de"})
        assert call(server, "POST", "/v3/orders/status", other)[0] == 204
        told = call(server, "POST", "/api/v1/erasures", {"email": "m\u00fcller_strasse@x.de"})[1]
        assert json.loads(told.split("\r\n\r\n")[1])["orders"] == 4
        assert references_with_people(books) == {"other"}
    if url:
        drop_database(server_url, url)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_retention(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server_url = request.getfixturevalue("postgres_url") if store == "postgres" else ""
    url = fresh_database(server_url) if server_url else ""
    books = Books(url or tmp_path)
    with ServerProcess(tmp_path, database_url=url) as server:
        for path, body in orders():
            assert call(server, "POST", path, body, f"Idempotency-Key: {path}")[0] < 300
        newer = {**orders()[0][1], "updatedAt": "2024-02-01T00:00:00.000Z", "amount": 7}
        assert call(server, "POST", "/v3/orders/status", newer)[0] == 204
        call(server, "POST", "/v1/batches/orders", {"orders": [{"order_id": "bad", "shipping_to": {"email": MAIL}}]})
    age(books, days=31)
    with ServerProcess(tmp_path, database_url=url) as server:
        assert call(server, "POST", "/v3/orders/status", {**BREVO, "id": "fresh"})[0] == 204
        deadline = time.monotonic() + 10
        while books.one("SELECT count(*) FROM memo"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)
        kept = books.one("SELECT count(*) FROM item WHERE document IS NOT NULL")
        assert kept == books.one("SELECT count(*) FROM orders"), "only the newest document of each order stays"
        listing = json.loads(call(server, "GET", "/api/v1/orders")[1].split("\r\n\r\n")[1])
        raw = {
            entry["reference"]: call(server, "GET", f"/api/v1/orders/{entry['id']}/raw")[0] for entry in listing["data"]
        }
        assert raw["fresh"] == 200
        assert {status for reference, status in raw.items() if reference != "fresh"} == {404}
        read_all_statuses(server, listing)
    check_accounting(books)
    if url:
        drop_database(server_url, url)


def read_all_statuses(server: ServerProcess, listing: Any) -> None:
    for entry in listing["data"]:
        for ending in ("", "/history", "?as=karrio"):
            assert call(server, "GET", f"/api/v1/orders/{entry['id']}{ending}")[0] == 200


def age(books: Books, days: int) -> None:
    """Everything in the ledger came in so much earlier."""
    import sqlite3

    import psycopg

    back = days * 86_400_000_000
    statements = [
        f"UPDATE item SET at = at - {back}",
        f"UPDATE memo SET created_at = created_at - {back}",
        f"UPDATE orders SET changed_at = changed_at - {back}, received_at = received_at - {back}",
        "UPDATE duty SET due_at = 0",
    ]
    if isinstance(books.where, Path):
        raw = sqlite3.connect(books.where / "ordermill.db")
        for statement in statements:
            raw.execute(statement)
        raw.commit()
        raw.close()
        return
    with psycopg.connect(books.where) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_readyz_is_open_and_tells_no_secret(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server, urllib.request.urlopen(server.url + "/readyz") as answer:
        assert server.key.encode() not in answer.read()
