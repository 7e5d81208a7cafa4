"""The console: each page's time in the server over a ledger that has grown. 100 ms is what a page may take."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlencode, urlsplit

from bench.context import Bench, median, send
from bench.server import KEY

ROUNDS = 9
MS_MAX = 100.0
PAGES = (
    "/", "/?range=30d", "/batches", "/batches?failures=1", "/batches/bch_2", "/batches/bch_2?show=all", "/orders",
    "/orders?status=nothing", "/orders?contract=brevo&status=nothing", "/orders?from=1&to=2", "/orders?q=nothing",
    "/orders?q=nobody%40example.com", "/import", "/webhooks", "/requests", "/keys", "/playground", "/reference",
    "/system",
)  # fmt: skip


def pages(bench: Bench) -> None:
    """Signed in by key, page by page; the first reading of each is left out (templates are compiled then)."""
    with bench.server() as server:
        size = max(bench.sizes.stored)
        for _ in range(size // 10_000):
            send(server, bench.batches(server, "brevo", 10), 4)
        host = urlsplit(server.url).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", urlencode({"key": KEY}), form)
        answer = connection.getresponse()
        answer.read()
        cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        for path in PAGES:
            taken = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                connection.request("GET", path, headers={"Cookie": cookie, "Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                answer.read()
                taken.append((time.perf_counter() - started) * 1000)
                assert answer.status == 200, (path, answer.status)
            middle = median(taken[1:])
            bench.note(
                f"console {path}", ratio=middle / MS_MAX, of="100 ms", figure=1, least=False, p50_ms=middle,
                note=f"{size:,} orders",
            )  # fmt: skip
        connection.close()
