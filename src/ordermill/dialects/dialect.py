"""The shape of a dialect: what the HTTP shell, the native API and the importers ask of every contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec

from ordermill.core.batch import Batch, Draft, Item, Submission
from ordermill.core.errors import Refusal
from ordermill.core.order import Content, Order
from ordermill.web.http import Reply, Request, Route


class ReadBatch(Protocol):
    """bytes -> Submission, for readers outside the dialect's own routes. Raises a Refusal on a bad envelope."""

    def __call__(self, body: bytes, *, now: int, source: str = "") -> Submission: ...


class ReadDraft(Protocol):
    """One order's JSON -> Draft. Never raises: a bad order is a Draft with all its Problems, their fields relative."""

    def __call__(self, key: str, document: bytes, *, now: int, source: str = "") -> Draft: ...


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One contract. All members are pure but the handlers in `routes`.

    `prefix`: where it is mounted. `read_key`: the key as sent, or None. `write_refusal`: the contract's error form.
    `throttle_headers`: (limit, remaining, reset_s) -> headers of a rate-limited answer.
    `read_content`: an order of this dialect, document included -> normal form. `write_content`: any order, in normal
    form, as this contract shows it. `write_order_request`: any order in normal form as this contract would be SENT it,
    with the names of fields that cannot be carried. `write_batch`: the answer once more, from the ledger.
    `media`: which content types a body may have: JSON only (else 415, and 406 for an Accept without JSON), anything but
    forms, or anything at all.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    read_key: Callable[[Mapping[str, str]], str | None]
    write_refusal: Callable[[Refusal, Request], Reply]
    throttle_headers: Callable[[int, int, int], tuple[tuple[str, str], ...]]
    read_batch: ReadBatch
    read_draft: ReadDraft
    read_content: Callable[[Order], Content]
    write_content: Callable[[Content, Order], bytes]
    write_order_request: Callable[[Content], tuple[bytes, tuple[str, ...]]]
    write_batch: Callable[[Batch, tuple[Item, ...]], bytes]
    body_bytes_max: int
    orders_max: int
    media: Literal["json", "lenient", "any"] = "lenient"
