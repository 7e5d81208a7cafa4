"""What can be asked of the ledger: filters, order, one page. Reads meet no rules."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from ordermill.core.batch import BatchStatus, OutcomeKind
from ordermill.core.order import Order


class OrderSort(enum.Enum):
    """By what a list of orders is sorted. Every sort ends with the id, so that paging is stable."""

    RECEIVED = "received"  # our id: the order of first receipt
    PLACED = "placed"  # the merchant's creation instant
    PLACED_UPDATED = "placed_updated"  # equal creation instants: by the merchant's update instant
    NUMBER = "number"  # the order number, for sources whose references are numbers


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders, in which order, which page. None or () means: no such filter. Instants are µs since 1970 UTC.

    `*_after` and `*_before` are strict. `after_id` (keyset; only with RECEIVED) continues behind that order.
    `accepts` is a last filter that only the dialect can decide; it sees each candidate with its document, and at most
    `scan_max` candidates are looked at. `with_count` asks for the number of all matches.
    """

    dialect: str | None = None
    sources: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    statuses_not: tuple[str, ...] = ()
    placed_after: int | None = None
    placed_before: int | None = None
    updated_after: int | None = None
    updated_before: int | None = None
    received_after: int | None = None
    received_before: int | None = None
    contact_id: int | None = None
    identifier: tuple[str, str] | None = None
    request_id: str | None = None
    sort: OrderSort = OrderSort.RECEIVED
    descending: bool = True
    limit: int = 50
    offset: int = 0
    after_id: int | None = None
    with_count: bool = True
    with_document: bool = True
    accepts: Callable[[Order], bool] | None = None
    scan_max: int = 50_000


class BatchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which batches, newest first (or oldest first), which page."""

    dialect: str | None = None
    statuses: tuple[BatchStatus, ...] = ()
    key_id: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    has_failures: bool | None = None
    origin: str | None = None
    parent_batch_id: int | None = None
    limit: int = 50
    offset: int = 0
    after_id: int | None = None
    with_count: bool = False
    descending: bool = True


class ItemQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which items of one batch, by position, which page (keyset on position)."""

    batch_id: int
    outcomes: tuple[OutcomeKind, ...] = ()
    code: str | None = None
    field: str | None = None
    after_position: int = -1
    limit: int = 100
    with_document: bool = False


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why items of a batch failed: how many, with an example."""

    code: str
    field: str
    message: str
    example_value: str | None
    example_position: int
    example_key: str
    hint: str
    count: int


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page. `count`: all matches, where asked for. `more`: there is a next page."""

    entries: tuple[T, ...]
    count: int | None = None
    more: bool = False
