"""What stands in the bodies of events: one struct for each kind of `data`, from which their JSON Schema is made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec


class OrderFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel"):
    """The facts of an order at one version; the whole order is a GET away. Amounts are plain decimal text."""

    account_id: int
    test_mode: Annotated[bool, msgspec.Meta(description="true for what was sent with a test key")] = msgspec.field(
        name="test_mode"
    )
    order_id: str
    contract: str
    source: str
    reference: str
    version: Annotated[int, msgspec.Meta(description="counts from 1; what is lower than a version seen is old news")]
    status: str
    amount: str | None
    currency: str | None
    placed_at: datetime
    updated_at: datetime
    batch_id: int | None = None


class OrderUpdate(OrderFacts, frozen=True, gc=False, kw_only=True, rename="camel"):
    """`changes`: which facts differ from the version before; `content` stands for everything inside the order."""

    changes: tuple[str, ...]


class OrderStatusChange(OrderFacts, frozen=True, gc=False, kw_only=True, rename="camel"):
    """`previousStatus`: what the status was before."""

    previous_status: str


class ItemError(msgspec.Struct, frozen=True, gc=False):
    """Why one order of a batch was not taken. `index` counts from 0; `id` is the reference, as far as it was read."""

    index: int
    id: str
    code: str
    field: str
    message: str


class BatchFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A batch at its end. `count` = `succeeded` + `failed`; `succeeded` = `created` + `updated` + `unchanged`."""

    account_id: int
    test_mode: bool = msgspec.field(name="test_mode")
    batch_id: int
    contract: str
    source: str
    status: str
    historical: bool
    count: int
    succeeded: int
    created: int
    updated: int
    unchanged: int
    failed: int
    errors: Annotated[
        tuple[ItemError, ...], msgspec.Meta(description="the first of them; all stand at /api/v1/batches/{id}/items")
    ]
    errors_truncated: bool
    created_at: datetime
    completed_at: datetime | None


class EndpointFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint that is sent nothing more until somebody enables it again."""

    account_id: int
    test_mode: bool = msgspec.field(name="test_mode")
    endpoint_id: str
    url: str
    reason: str
    failing_since: datetime | None


class ExhaustionFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that was tried as often as the schedule says, in vain. It can be sent again by hand."""

    account_id: int
    test_mode: bool = msgspec.field(name="test_mode")
    message_id: str
    message_type: str
    endpoint_id: str
    url: str
    attempts: int
    last_error: str


class PingFacts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A test, sent by hand."""

    account_id: int
    test_mode: bool = msgspec.field(name="test_mode")
    endpoint_id: str


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Every body: what happened, when, and the facts."""

    type: str
    timestamp: datetime
    data: Any
