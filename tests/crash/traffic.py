"""Clients that push, resend and give up through all three contracts, and remember exactly what they were told."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
TIMEOUT_S = 10
STORE = "crash"
Key = tuple[str, str, str]  # dialect, source, reference


class Sent:
    """One request: what it holds, and what became of it. `answer`: the decoded body of a 2xx, None without one."""

    def __init__(self, kind: str, path: str, body: Any, orders: dict[Key, int], memo: str = "") -> None:
        self.kind = kind
        self.path = path
        self.body = json.dumps(body).encode()
        self.orders = orders
        self.memo = memo
        self.acknowledged = False
        self.answer: Any = None
        self.tries = 0
        self.emails: list[str] = []


class Client(threading.Thread):
    """One client with orders of its own. Ends when `stop` is set and what it does not give up is acknowledged."""

    def __init__(self, number: int, url: str, key: str, stop: threading.Event, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.number = number
        self.address = urlsplit(url).netloc
        self.key = key
        self.stop = stop
        self.random = random.Random(seed * 1000 + number)
        self.requests: list[Sent] = []
        self.newest: dict[Key, int] = {}  # the newest acknowledged version of each order
        self.tried: dict[Key, set[int]] = {}  # every version that was ever sent
        self.wrong: list[str] = []
        self.made = 0
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        kinds = (self.brevo_single, self.brevo_batch, self.karrio_batch, self.karrio_single, self.centra_batch)
        while not self.stop.is_set():
            sent = self.random.choice(kinds)()
            self.requests.append(sent)
            for key, version in sent.orders.items():
                self.tried.setdefault(key, set()).add(version)
            self.push(sent, patience=1 if self.random.random() < 0.25 else 1000)
        self.hang_up()

    def push(self, sent: Sent, patience: int) -> None:
        """Sends, and sends again, until there is an answer or patience is at an end."""
        while sent.tries < patience:
            sent.tries += 1
            status, answer = self.call(sent)
            if 200 <= status < 300:
                sent.acknowledged, sent.answer = True, answer
                for key, version in sent.orders.items():
                    self.newest[key] = max(version, self.newest.get(key, 0))
                return
            if status not in (0, 429, 503):
                self.wrong.append(f"{sent.kind}: {status} {answer}")
                return
            time.sleep(self.random.uniform(0.01, 0.1))

    def call(self, sent: Sent) -> tuple[int, Any]:
        """Status and decoded body; status 0 when the connection was cut before the answer was whole."""
        headers = {
            "Content-Type": "application/json", "api-key": self.key, "API-Authorization": self.key,
            "Authorization": f"Token {self.key}",
        }  # fmt: skip
        if sent.memo:
            headers["Idempotency-Key"] = sent.memo
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
            self.connection.request("POST", sent.path, sent.body, headers)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return 0, None
        if answer.will_close:
            self.hang_up()
        return answer.status, json.loads(text) if text else None

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # what is sent

    def brevo_single(self) -> Sent:
        key, version = self.pick("brevo", "", 1)[0]
        return Sent("brevo single", "/v3/orders/status", brevo(key, version), {key: version})

    def brevo_batch(self) -> Sent:
        fresh = self.random.random() < 0.5
        orders = dict(self.pick("brevo", "", self.random.randint(2, 80), fresh=fresh))
        body = {"orders": [brevo(*order) for order in orders.items()], "historical": self.random.random() < 0.5}
        memo = uuid4().hex if self.random.random() < 0.3 else ""
        return Sent("brevo batch", "/v3/orders/status/batch", body, orders, memo)

    def karrio_batch(self) -> Sent:
        """What is there stays as it is, so every order of this contract has one version."""
        fresh = self.random.random() < 0.5
        picked = dict.fromkeys(
            (key for key, _ in self.pick("karrio", STORE, self.random.randint(2, 40), fresh=fresh)), 1
        )
        body = {"orders": [karrio(key) for key in picked]}
        return Sent("karrio batch", "/v1/batches/orders", body, picked)

    def karrio_single(self) -> Sent:
        key = self.new("karrio", STORE)
        return Sent("karrio single", "/v1/orders", karrio(key), {key: 1}, uuid4().hex)

    def centra_batch(self) -> Sent:
        """No order has a name of its own here: only the Idempotency-Key keeps a resend from creating twice."""
        emails = [f"{uuid4().hex}@example.com" for _ in range(self.random.randint(1, 30))]
        body = {f"o{place}": centra(email) for place, email in enumerate(emails)}
        sent = Sent("centra batch", f"/centra/{STORE}/orders", body, {}, uuid4().hex)
        sent.emails = emails
        return sent

    def pick(self, dialect: str, source: str, count: int, *, fresh: bool = False) -> list[tuple[Key, int]]:
        """Orders of ours with their next version; new ones, and some that were sent before."""
        known = [] if fresh else [key for key in self.tried if key[0] == dialect]
        chosen: dict[Key, int] = {}
        for _ in range(count):
            old = known and self.random.random() < 0.4
            key = self.random.choice(known) if old else self.new(dialect, source)
            newest = max(self.tried.get(key, {0}))
            late = newest > 1 and self.random.random() < 0.25  # an older version, sent after a newer one
            chosen[key] = self.random.randint(1, newest - 1) if late else newest + 1
        return list(chosen.items())

    def new(self, dialect: str, source: str) -> Key:
        self.made += 1
        return dialect, source, f"c{self.number}-{self.made}"


def instant(version: int) -> datetime:
    return EPOCH + timedelta(seconds=version)


def brevo(key: Key, version: int) -> dict[str, Any]:
    """The version is the instant and the amount: the two must never come apart."""
    updated = instant(version).isoformat().replace("+00:00", ".000Z")
    return {
        "id": key[2], "createdAt": "2024-01-01T00:00:00.000Z", "updatedAt": updated, "status": "completed",
        "amount": version, "products": [{"productId": "P1", "quantity": 1, "price": version}],
        "identifiers": {"email_id": f"{key[2]}@example.com"},
    }  # fmt: skip


def karrio(key: Key) -> dict[str, Any]:
    to = {"person_name": "Jane Doe", "address_line1": "1 Road", "city": "Basel", "postal_code": "4052"}
    line = {"weight": 1.5, "weight_unit": "KG", "title": "Kettle", "sku": "K", "quantity": 1}
    return {"order_id": key[2], "source": key[1], "shipping_to": {**to, "country_code": "CH"}, "line_items": [line]}


def centra(email: str) -> dict[str, Any]:
    address = {"country": "SE", "firstName": "A", "lastName": "B", "address": "1 Road", "zipcode": "1", "city": "C"}
    return {"address": {**address, "email": email}, "products": [{"qty": 1, "sku": "A", "unitPrice": 14.11}]}
