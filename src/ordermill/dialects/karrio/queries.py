"""Karrio's query strings, read: which page, which orders, which operations (contract, sections 4 and 5). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from ordermill.core import ids
from ordermill.core.batch import BatchStatus, Sender
from ordermill.core.order import Order
from ordermill.core.query import BatchQuery, OrderQuery
from ordermill.dialects.karrio import wire
from ordermill.dialects.karrio.inbound import NAME, STORED, invalid
from ordermill.dialects.reading import instant

PAGE_DEFAULT = 20
OFFSET_MAX = 2**31 - 1
ORDER_STATUSES = ("unfulfilled", "cancelled", "fulfilled", "delivered", "partial")
RESOURCE_TYPES = ("orders", "shipments", "trackers", "billing")
BATCH_STATUSES = {
    "queued": (BatchStatus.QUEUED,),
    "running": (BatchStatus.RUNNING,),
    "failed": (BatchStatus.FAILED, BatchStatus.CANCELLED),
    "completed": (BatchStatus.COMPLETED,),
    "completed_with_errors": (BatchStatus.COMPLETED_WITH_ERRORS,),
}
SEARCHED = (
    "address_line1", "address_line2", "postal_code", "person_name", "company_name", "city", "email", "phone_number",
)  # fmt: skip

Pairs = list[tuple[str, str]]
Accepts = Callable[[Order, wire.Order], bool]
_LOST_PLUS = re.compile(r"(T.*\d) (\d\d:?\d\d)$")


class Paging(msgspec.Struct, frozen=True):
    """Which page, and the other pairs of the query, which its links repeat.

    `forth`, `back`: how far off its neighbours begin, where that is less than `limit`.
    """

    limit: int
    offset: int
    kept: tuple[tuple[str, str], ...]
    forth: int | None = None
    back: int | None = None

    def links(self, url: str, count: int) -> tuple[str | None, str | None]:
        """(next, previous) as absolute links; `offset` is left out when it is 0."""
        after = self.offset + (self.forth or self.limit)
        following = self._link(url, after) if after < count else None
        before = self._link(url, max(self.offset - (self.back or self.limit), 0)) if self.offset else None
        return following, before

    def _link(self, url: str, offset: int) -> str:
        pairs = [*self.kept, ("limit", str(self.limit))] + ([("offset", str(offset))] if offset else [])
        return f"{url}?{urlencode(pairs)}"


def read_paging(pairs: Pairs, page_max: int) -> Paging:
    """`limit` and `offset`: what is no number, and a limit of 0, fall back; more than `page_max` is cut to it.

    Raises Invalid for a NUL anywhere in the query: no text in the ledger holds one.
    """
    for name, value in pairs:
        if "\0" in value:
            raise invalid(name.replace("\0", ""), "unreadable", "Null characters are not allowed.")
    limit = _whole(_last(pairs, "limit")) or PAGE_DEFAULT
    offset = _whole(_last(pairs, "offset")) or 0
    kept = tuple(pair for pair in pairs if pair[0] not in ("limit", "offset"))
    return Paging(min(limit, page_max), min(offset, OFFSET_MAX), kept)


def read_operation_query(pairs: Pairs, paging: Paging) -> BatchQuery | None:
    """Which operations, newest first; None when there can be none. Raises Invalid."""
    kinds = _choices(pairs, "resource_type", RESOURCE_TYPES)
    statuses = _choices(pairs, "status", tuple(BATCH_STATUSES))
    if kinds and "orders" not in kinds:
        return None
    return BatchQuery(
        dialect=NAME,
        statuses=tuple(status for word in statuses for status in BATCH_STATUSES[word]),
        limit=paging.limit,
        offset=paging.offset,
        with_count=True,
    )


def read_order_query(pairs: Pairs, paging: Paging, sender: Sender) -> OrderQuery | None:
    """Which orders, newest first; None when there can be none. Raises Invalid."""
    asked = _listed(pairs, "id")
    parsed = (ids.parse("ord", text, sender.account_id, sender.mode) for text in asked)
    numbers = tuple(number for number in parsed if number is not None)
    after, before = _moment(pairs, "created_after"), _moment(pairs, "created_before")
    statuses = _choices(pairs, "status", ORDER_STATUSES)
    # Nothing is ever archived here.
    if (asked and not numbers) or _last(pairs, "is_archived").lower() == "true":
        return None
    return OrderQuery(
        dialect=NAME,
        ids=numbers,
        references=_listed(pairs, "order_id"),
        sources=_listed(pairs, "source"),
        statuses=statuses,
        # The contract's bounds are inclusive, the core's are not.
        received_after=None if after is None else after - 1,
        received_before=None if before is None else before + 1,
        request_id=_last(pairs, "request_id") or None,
        limit=paging.limit,
        offset=paging.offset,
        accepts=_accepts(pairs),
    )


def _accepts(pairs: Pairs) -> Callable[[Order], bool] | None:
    """The filters that look into an order's content, as one; None when none is asked for."""
    tests: list[Accepts] = []
    if word := _last(pairs, "keyword").casefold():
        tests.append(lambda order, said: _mentions(word, (*_address(said), *_names(order))))
    if place := _last(pairs, "address").casefold():
        tests.append(lambda order, said: _mentions(place, _address(said)))
    if keys := _listed(pairs, "option_key"):
        tests.append(lambda order, said: all(key in (said.options or {}) for key in keys))
    if value := _last(pairs, "option_value"):
        tests.append(lambda order, said: value in (said.options or {}).values())
    if names := _listed(pairs, "metadata_key"):
        tests.append(lambda order, said: all(name in said.metadata for name in names))
    if text := _last(pairs, "metadata_value"):
        tests.append(lambda order, said: text in said.metadata.values())
    if not tests:
        return None

    def accepts(order: Order) -> bool:
        said = STORED.read_order((order.document or "").encode())
        return all(test(order, said) for test in tests)

    return accepts


def _mentions(word: str, texts: Iterable[str | None]) -> bool:
    return any(text is not None and word in text.casefold() for text in texts)


def _address(said: wire.Order) -> tuple[str | None, ...]:
    return tuple(getattr(said.shipping_to, name) for name in SEARCHED)


def _names(order: Order) -> tuple[str | None, ...]:
    return order.reference, order.source, ids.spell("ord", order.account_id, order.mode, order.id), order.request_id


def _last(pairs: Pairs, name: str) -> str:
    """The value of a name that counts once: the last one, '' when it was not sent."""
    return next((value.strip() for key, value in reversed(pairs) if key == name), "")


def _listed(pairs: Pairs, name: str) -> tuple[str, ...]:
    """A comma list."""
    return tuple(part for part in (part.strip() for part in _last(pairs, name).split(",")) if part)


def _choices(pairs: Pairs, name: str, of: Sequence[str]) -> tuple[str, ...]:
    """A name that may repeat. Raises Invalid for a word that is not on the list."""
    words = tuple(value for key, value in pairs if key == name and value)
    for word in words:
        if word not in of:
            text = f"Select a valid choice. {word[:100]} is not one of the available choices."
            raise invalid(name, "invalid_choice", text)
    return words


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _moment(pairs: Pairs, name: str) -> int | None:
    """A date or date-time (without a zone: UTC) as µs since 1970 UTC. Raises Invalid."""
    text = _last(pairs, name)
    if not text:
        return None
    try:
        # "+02:00" that was not percent-encoded arrives with a blank.
        parsed = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
        return instant(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise invalid(name, "invalid_date", "Enter a valid date/time.") from error
