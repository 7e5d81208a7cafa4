"""What our own API says: one struct per JSON object. The same types write the answers and make the OpenAPI document.

Names are camelCase on the wire, ids are texts, instants are ISO 8601 in UTC, money and quantities are decimal texts.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

Contract = Literal["brevo", "karrio", "centra"]
CONTRACTS: tuple[Contract, ...] = ("brevo", "karrio", "centra")
BatchStatus = Literal["queued", "running", "completed", "completed_with_errors", "failed", "cancelled"]
Outcome = Literal["waiting", "created", "updated", "unchanged", "stale", "failed"]
ModeWord = Literal["live", "test"]
ScopeWord = Literal["orders:read", "orders:write", "webhooks", "admin"]

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-11-20T09:30:00.000Z"])]
Money = Annotated[str, Meta(description="Plain decimal text, exact.", examples=["308.42"])]
BatchId = Annotated[str, Meta(pattern="^bch_[0-9]+$", examples=["bch_12"])]
OrderId = Annotated[str, Meta(pattern="^ord_[0-9a-f]{32}$")]


class Shape(msgspec.Struct, kw_only=True, rename="camel"):
    """An object on the wire. Every member is always there; null says that there is nothing to say."""


class Listing(Shape, Generic[T], kw_only=True):
    """A page. `next` is the `cursor` of the page that follows, null on the last one."""

    data: list[T]
    next: str | None
    has_more: bool


class Problem(Shape, kw_only=True):
    """What is wrong with one field of one order. `code` is stable: see the catalogue of codes."""

    code: str
    field: Annotated[str, Meta(description="Where, as the contract writes it; empty: the order as a whole.")]
    message: str
    value: str | None
    hint: str


class Fault(Shape, kw_only=True):
    """One of several things that are wrong with a request."""

    code: str
    field: str
    message: str
    hint: str
    value: str | None = None


class ProblemDetails(msgspec.Struct, kw_only=True):
    """Every refusal, in the form of RFC 9457. `code` is stable; `field` and `hint` may be empty."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str
    hint: str
    errors: list[Fault]
    request_id: str


# batches


class Counts(Shape, kw_only=True):
    """received = created + updated + unchanged + failed + waiting, always."""

    received: int
    created: int
    updated: int
    unchanged: int
    failed: int
    waiting: int


class Notification(Shape, kw_only=True):
    """Whether the address was told: not yet due, being tried, told, or given up after the last try."""

    state: Literal["not_sent", "pending", "delivered", "exhausted"]


class BatchLinks(Shape, kw_only=True):
    items: str
    causes: str
    failed_csv: str
    failed_ndjson: str


class Batch(Shape, kw_only=True):
    """One submission and what became of it. `sizeBytes`: the body after decompression."""

    id: BatchId
    contract: Contract
    source: str
    mode: ModeWord
    status: BatchStatus
    historical: bool
    origin: Annotated[str, Meta(description="How it came in: empty for the contract itself, else api, retry, …")]
    key_id: str
    request_id: str
    counts: Counts
    parent_batch_id: BatchId | None
    notify_url: str | None
    size_bytes: int
    created_at: Instant
    updated_at: Instant
    finished_at: Instant | None
    links: BatchLinks


class BatchDetail(Batch, kw_only=True):
    """A batch with the batches that came of it (retries, corrections), and whether its `notifyUrl` was told."""

    notification: Notification | None
    child_batch_ids: list[BatchId]


class Item(Shape, kw_only=True):
    """One order's place in a batch. `position` counts from 0; `key` is the client's name for it, else its position."""

    position: int
    key: str
    outcome: Outcome
    reference: str
    order_id: OrderId | None
    revision: int | None
    problems: list[Problem]


class CauseExample(Shape, kw_only=True):
    position: int
    key: str
    value: str | None


class Cause(Shape, kw_only=True):
    """One reason why orders of a batch failed, and how many did. An order counts with the first of its problems."""

    code: str
    field: str
    count: int
    message: str
    hint: str
    example: CauseExample


class Taken(Shape, kw_only=True):
    """What became of a submission: the batch (null after a dry run), its sums and every order's fate, in order."""

    batch: Batch | None
    dry_run: bool
    counts: Counts
    orders: list[Item]


NoControl = r"^[^\u0000-\u001f\u007f]*$"
Source = Annotated[str, Meta(max_length=64, pattern=NoControl)]
Policy = Literal["reject_all", "accept_valid"]


class Resubmission(Shape, kw_only=True, forbid_unknown_fields=True):
    """Orders in the contract of the batch they correct: a list, or an object with a name for each."""

    orders: msgspec.Raw
    error_policy: Policy = "accept_valid"
    dry_run: bool = False
    historical: bool | None = None
    notify_url: str | None = None


class NewBatch(Resubmission, kw_only=True, forbid_unknown_fields=True):
    """Orders of any contract. `historical`: past orders, nobody is told of each. `dryRun`: nothing is written."""

    contract: Contract
    source: Source = ""


class Retry(Shape, kw_only=True, forbid_unknown_fields=True):
    """Which failed orders to take in again: all, or those of one cause."""

    code: str | None = None
    field: str | None = None
    dry_run: bool = False


# orders


class Address(Shape, kw_only=True):
    name: str | None = None
    company: str | None = None
    line1: str | None = None
    line2: str | None = None
    street_number: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    residential: bool | None = None


class Line(Shape, kw_only=True):
    quantity: Money
    unit_price: Money | None = None
    list_price: Money | None = None
    product_id: str | None = None
    variant_id: str | None = None
    sku: str | None = None
    ean: str | None = None
    title: str | None = None
    description: str | None = None
    currency: str | None = None
    weight: Money | None = None
    weight_unit: str | None = None
    origin_country: str | None = None
    hs_code: str | None = None
    comment: str | None = None


class Content(Shape, kw_only=True):
    """What an order says, whichever contract it came in through. `extra`: what only that contract has a word for."""

    lines: list[Line]
    shipping: Money | None
    discount: Money | None
    identifiers: dict[str, str]
    ship_to: Address | None
    ship_from: Address | None
    bill_to: Address | None
    coupons: list[str]
    payment_method: str | None
    store: str | None
    comment: str | None
    metadata: dict[str, Any]
    options: dict[str, Any]
    extra: dict[str, Any]


class Order(Shape, kw_only=True):
    """The newest state of an order. `revision` counts the versions that were current, from 1.

    `placedAt`, `updatedAt`: the merchant's instants. `receivedAt`, `changedAt`: ours. `released`: its reference is free
    for a new order.
    """

    id: OrderId
    contract: Contract
    source: str
    reference: str
    mode: ModeWord
    status: str
    revision: int
    amount: Money | None
    currency: str | None
    contact_id: str | None
    placed_at: Instant
    updated_at: Instant
    received_at: Instant
    changed_at: Instant
    released: bool


class Warning(Shape, kw_only=True):
    """What was taken although it is odd. `field`: where, as the contract names it."""

    code: str
    field: str
    message: str


class OrderDetail(Order, kw_only=True):
    """An order with its content (null when that is past the retention time) and what is odd about it."""

    content: Content | None
    warnings: list[Warning] = []


class Change(Shape, kw_only=True):
    """One field that differs from the version before. null: it is not there."""

    field: str
    before: Any
    after: Any


class Version(Shape, kw_only=True):
    """One recorded version, counted in the order of arrival. `stale`: older than what was known, kept, never current.

    `changes`: against the current version before it; null where one of the two is past the retention time.
    """

    version: int
    revision: int | None
    stale: bool
    status: str
    historical: bool
    updated_at: Instant
    received_at: Instant
    batch_id: BatchId | None
    kept: Annotated[bool, Meta(description="Whether it can still be shown as it was sent.")]
    changes: list[Change] | None


# figures


class ContractLimits(Shape, kw_only=True):
    orders_in_request: int
    body_bytes: int


class Limits(Shape, kw_only=True):
    """What this server takes. Sizes are bytes after decompression."""

    contracts: dict[str, ContractLimits]
    lines_per_order: int
    metadata_keys: int
    reference_characters: int
    text_characters: int
    nesting: int
    page_entries: int
    requests_per_minute: Annotated[int | None, Meta(description="Of a key without a limit of its own; null: none.")]
    request_deadline_seconds: float
    raw_retention_days: Annotated[int, Meta(description="0: for ever.")]
    idempotency_key_hours: int


class Hour(Shape, kw_only=True):
    """What came in during one hour. `at`: its beginning."""

    at: Instant
    batches: int
    received: int
    created: int
    updated: int
    unchanged: int
    failed: int


class Overview(Shape, kw_only=True):
    """What came in during a range of whole hours; hours without anything are left out."""

    since: Instant
    until: Instant
    batches: int
    received: int
    created: int
    updated: int
    unchanged: int
    failed: int
    hours: list[Hour]
    orders: Annotated[dict[str, int], Meta(description="Orders in the ledger, by contract.")]
    unfinished_batches: int
    oldest_unfinished_at: Instant | None
