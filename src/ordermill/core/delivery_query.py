"""What can be asked about endpoints, events and deliveries, and what is told: values between the edge and the store."""

from __future__ import annotations

import msgspec

from ordermill.core.delivery import DeliveryState, EndpointState, Format, Kind, Ordering
from ordermill.core.event import EventType


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is asked for. `secret`: None for one of ours."""

    url: str
    kind: Kind = Kind.OWN
    description: str = ""
    events: tuple[str, ...] = ()
    format: Format = Format.PLAIN
    ordering: Ordering = Ordering.PER_ORDER
    state: EndpointState = EndpointState.ACTIVE
    secret: str | None = None


class EndpointStats(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint fared in the last day, and what waits. `p95_ms`: the bound that 95 of 100 attempts stayed below,
    from sums (50, 250, 1,000, 5,000; None for above that, or without attempts). `missed`: events of its time off."""

    delivered: int
    failed: int
    average_ms: int | None
    p95_ms: int | None
    pending: int
    next_due_at: int | None
    exhausted: int
    missed: int


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries, newest event first. None: no such filter. `behind`: the delivery the last page ended with."""

    state: DeliveryState | None = None
    endpoint_id: int | None = None
    event_id: int | None = None
    type: EventType | None = None
    order_id: int | None = None
    batch_id: int | None = None
    error: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    behind: int | None = None
    limit: int = 50


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, newest first."""

    type: EventType | None = None
    order_id: int | None = None
    batch_id: int | None = None
    created_after: int | None = None
    created_before: int | None = None
    behind: int | None = None
    limit: int = 50


class Backlog(msgspec.Struct, frozen=True):
    """Since when the oldest delivery of an active endpoint is due (µs, None: nothing is), and how many are disabled."""

    oldest_due_at: int | None
    disabled: int
