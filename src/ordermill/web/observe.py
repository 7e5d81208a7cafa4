"""What is told about each request: one wide line, and metrics under the same names. Ids, never bodies or secrets."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ordermill import __version__
from ordermill.core.batch import Settled, Submission

REGISTRY = CollectorRegistry(auto_describe=True)
REQUESTS = Counter("ordermill_http_requests", "Requests answered.", ["route", "method", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "ordermill_http_request_seconds",
    "From the last byte of the request to the answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
ORDERS = Counter("ordermill_orders", "Orders settled.", ["contract", "outcome"], registry=REGISTRY)
BATCHES = Counter("ordermill_batches", "Batches settled.", ["contract", "status"], registry=REGISTRY)
REJECTIONS = Counter("ordermill_rejections", "Requests refused.", ["contract", "code"], registry=REGISTRY)
ORDER_SECONDS = Histogram(
    "ordermill_order_seconds",
    "From the begin of the transaction to durable.",
    buckets=(0.005, 0.025, 0.1, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
BUFFERED = Gauge("ordermill_buffered_bytes", "Bytes of request bodies held now.", registry=REGISTRY)
WAITING = Gauge("ordermill_waiting_orders", "Jobs that wait for a write connection.", registry=REGISTRY)
DB_BYTES = Gauge("ordermill_db_bytes", "Size of the ledger.", registry=REGISTRY)
DISK_FREE = Gauge("ordermill_disk_free_bytes", "Bytes free where the SQLite ledger lies.", registry=REGISTRY)
BACKUP_AGE = Gauge("ordermill_backup_age_seconds", "Since the newest backup of the SQLite ledger.", registry=REGISTRY)
for _unknown in (DB_BYTES, DISK_FREE, BACKUP_AGE):
    _unknown.set(math.nan)
BUILD = Gauge("ordermill_build_info", "Which version runs.", ["version"], registry=REGISTRY)
BUILD.labels(__version__).set(1)

RECENT_MAX = 200  # lines kept for the console
_encode = msgspec.json.Encoder(enc_hook=str).encode


# Finding the child of a metric by its labels takes ten times as long as counting with it.
_child = lru_cache(maxsize=1024)(lambda metric, *labels: metric.labels(*labels))


def count_answer(route: str, method: str, status: int, seconds: float) -> None:
    """One request that was answered."""
    _child(REQUESTS, route, method, str(status)).inc()
    _child(REQUEST_SECONDS, route).observe(seconds)


def tell_answer(told: dict[str, Any]) -> None:
    """The line of one request, as log.info would write it; structlog itself takes as long as reading an order."""
    if _informs:
        now = datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"
        LINES.msg(_encode({**told, "event": "request.answered", "level": "info", "ts": now}))


def count_settled(submission: Submission, settled: Settled, now: int) -> None:
    """What one commit made durable. `now`: µs since 1970 UTC; the transaction began at `settled.at`."""
    contract = submission.dialect
    counts = settled.counts
    for outcome in ("created", "updated", "unchanged", "failed"):
        number = getattr(counts, outcome)
        if number:
            _child(ORDERS, contract, outcome).inc(number)
    if settled.batch is not None and settled.batch.status.final:
        _child(BATCHES, contract, settled.batch.status.value).inc()
    ORDER_SECONDS.observe(max(0, now - settled.at) / 1_000_000)


class LineWriter:
    """Lines on standard error, gathered for a moment: a write per line costs more than the request it tells of."""

    def __init__(self) -> None:
        self.recent: deque[bytes] = deque(maxlen=RECENT_MAX)
        self._lines: list[bytes] = []
        self._lock = threading.Lock()

    def msg(self, line: bytes) -> None:
        self.recent.append(line)
        with self._lock:
            self._lines.append(line)
        if len(self._lines) > 500:
            self.flush()

    log = debug = info = warning = error = critical = msg

    def flush(self) -> None:
        """Called a few times a second by the server, and at its end."""
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            try:
                sys.stderr.buffer.write(b"\n".join(lines) + b"\n")
                sys.stderr.flush()
            except (OSError, ValueError):  # nobody reads it any more; the orders matter more than the log
                pass


LINES = LineWriter()


_informs = True


def set_up_logging(level: str) -> None:
    """JSON lines, one per thing done: `ts`, `level`, `event`, then flat fields."""
    global _informs
    _informs = level in ("debug", "info")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            {"debug": 10, "info": 20, "warning": 30, "error": 40}[level]
        ),
        logger_factory=lambda *_: LINES,
        cache_logger_on_first_use=False,
    )


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    return _encode(event)


log: Any = structlog.get_logger()
