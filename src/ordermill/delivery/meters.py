"""Metrics of the deliveries. The registry is handed in: who shows them is the web's business."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ordermill.core.delivery import Recorded, Result


class Meters:
    """Counts attempts by result (delivered, or the failure's word), and shows how far behind the deliveries are."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.deliveries = Counter(
            "ordermill_webhook_deliveries", "Attempts to deliver an event.", ["result"], registry=registry
        )
        self._by_word: dict[str, Counter] = {}
        self.seconds = Histogram(
            "ordermill_webhook_seconds",
            "How long an attempt took.",
            buckets=(0.01, 0.05, 0.25, 1, 5, 15),
            registry=registry,
        )
        self.lost = Counter(
            "ordermill_webhook_results_lost", "Results that came after their lease had ended.", registry=registry
        )
        self.oldest = Gauge(
            "ordermill_webhook_oldest_pending_seconds",
            "For how long the oldest delivery of an active endpoint has been due.",
            registry=registry,
        )
        self.disabled = Gauge("ordermill_webhook_disabled_endpoints", "Endpoints that are disabled.", registry=registry)

    def attempted(self, result: Result) -> None:
        answer = result.answer
        word = "delivered" if answer.delivered or answer.failure is None else answer.failure.value
        counter = self._by_word.get(word)
        if counter is None:
            counter = self._by_word[word] = self.deliveries.labels(word)
        counter.inc()
        self.seconds.observe(answer.took_ms / 1000)

    def recorded(self, recorded: Recorded) -> None:
        if recorded.lost:
            self.lost.inc(recorded.lost)

    def backlog(self, oldest_s: float, disabled: int) -> None:
        self.oldest.set(oldest_s)
        self.disabled.set(disabled)
