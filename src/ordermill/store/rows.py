"""Row <-> core struct, for every table the ledger reads."""

from __future__ import annotations

import msgspec

from ordermill.core.batch import POSITIONS_MAX, Batch, BatchStatus, Counts, Draft, Item, OutcomeKind, Problem
from ordermill.core.memo import Answer, Remembered
from ordermill.core.order import Mode, NewOrder, Order, Revision
from ordermill.core.outcome import Created, Outcome, Rejected, Stale, Unchanged, Updated
from ordermill.core.processing import Place, instant
from ordermill.core.query import Cause
from ordermill.store.engine import Row

_problems = msgspec.json.Decoder(tuple[Problem, ...])
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_encode = msgspec.json.Encoder().encode
_MODES = (Mode.LIVE, Mode.TEST)
_OUTCOMES = tuple(OutcomeKind)


def order(row: Row) -> Order:
    """find_order, find_orders, find_current: the columns stand in the order of the fields."""
    return Order(
        row[0], row[1], _MODES[row[2]], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10], row[11],
        row[12], row[13], row[14], row[15], row[16], row[17] != 0, None, row[18],
    )  # fmt: skip


def new_order_row(
    order: NewOrder, place: Place, number: int, reference: str, revision: int, contact_id: int | None
) -> Row:
    """save_orders."""
    return (
        number, order.dialect, order.source, reference, number if order.released else 0, revision, order.status,
        order.placed_at, instant(order, place), order.amount, order.currency, contact_id, order.content_hash,
        order.request_id, int(reference) if order.numbered else None, place.item_id,
    )  # fmt: skip


def changed_order_row(outcome: Updated, place: Place, known_revision: int, contact_id: int | None) -> Row:
    """update_orders. Several versions of one order in one transaction make one step of the row."""
    order, number = outcome.order, outcome.known.id
    return (
        number, known_revision, outcome.revision, number if order.released else 0, order.status, order.placed_at,
        instant(order, place), place.now, order.amount, order.currency, contact_id, order.content_hash, place.item_id,
    )  # fmt: skip


def batch(row: Row) -> Batch:
    """find_batch, find_batches."""
    return Batch(
        id=row[0],
        account_id=row[1],
        mode=_MODES[row[2]],
        dialect=row[3],
        source=row[4],
        key_id=row[5],
        request_id=row[6],
        status=BatchStatus(row[7]),
        historical=bool(row[8]),
        notify_url=row[9],
        origin=row[10],
        parent_batch_id=row[11],
        counts=Counts(
            received=row[12], created=row[13], updated=row[14], unchanged=row[15], failed=row[16], waiting=row[17]
        ),
        created_at=row[18],
        updated_at=row[19],
        finished_at=row[20],
        size_bytes=row[21],
    )


def batch_row(batch: Batch) -> Row:
    """save_batch."""
    counts = batch.counts
    return (
        batch.account_id, batch.id, batch.mode, batch.dialect, batch.source, batch.key_id, batch.request_id,
        batch.status.value, int(batch.historical), batch.notify_url, batch.origin, batch.parent_batch_id,
        counts.received, counts.created, counts.updated, counts.unchanged, counts.failed, counts.waiting,
        batch.created_at, batch.updated_at, batch.finished_at, batch.size_bytes,
    )  # fmt: skip


def item(row: Row) -> Item:
    """find_items."""
    number, account_id, key, outcome, reference, order_id, revision, problems, document = row
    return Item(
        id=number,
        account_id=account_id,
        key=_key(key, number),
        outcome=_OUTCOMES[outcome],
        reference=reference,
        order_id=order_id,
        revision=revision,
        problems=_problems.decode(problems) if problems else (),
        document=document,
    )


def item_row(place: Place, draft: Draft, outcome: Outcome) -> Row:
    """save_items; for a Rejected one save_failed_items."""
    number = place.item_id
    key = None if draft.key == str(number & (POSITIONS_MAX - 1)) else storable(draft.key)
    match outcome:
        case Created(order, _, order_id):
            return (number, key, 1, order_id, 1, instant(order, place), order.document)
        case Updated(order, known, revision):
            return (number, key, 2, known.id, revision, instant(order, place), order.document)
        case Unchanged(known):
            return (number, key, 3, known.id, known.revision, None, None)
        case Stale(order, known):
            return (number, key, 4, known.id, None, instant(order, place), order.document)
        case Rejected(problems):
            sent, first = draft.order, problems[0]
            reference = draft.reference or (sent.reference or "" if sent is not None else "")
            document = draft.document or (sent.document if sent is not None else "")
            return (
                number, key, storable(reference), first.code, storable(first.field), problems_text(problems),
                storable(document),
            )  # fmt: skip


def revision(row: Row) -> Revision:
    """find_revisions."""
    return Revision(
        item_id=row[0],
        order_id=row[1],
        revision=row[2] or 0,
        stale=row[3] == OutcomeKind.STALE,
        updated_at=row[4],
        received_at=row[5],
        document=row[6],
        historical=bool(row[7]),
        batch_id=row[8],
    )


def cause(row: Row) -> Cause:
    """find_causes."""
    code, field, count, number, key, problems = row
    first = next((p for p in _problems.decode(problems) if p.code == code and (p.field or "") == (field or "")), None)
    return Cause(
        code=code or "",
        field=field or "",
        message=first.message if first else "",
        example_value=first.value if first else None,
        example_position=number & (POSITIONS_MAX - 1),
        example_key=_key(key, number),
        hint=first.hint if first else "",
        count=count,
    )


def remembered(row: Row) -> Remembered:
    """find_memo."""
    headers = _headers(row[3]) if row[3] else ()
    return Remembered(bytes(row[0]), Answer(row[1], row[2], bytes(row[4]), headers), row[5])


def headers_text(headers: tuple[tuple[str, str], ...]) -> str:
    """For save_memo."""
    return msgspec.json.encode(headers).decode() if headers else ""


def problems_text(problems: tuple[Problem, ...]) -> str:
    """The JSON that item.problems holds."""
    return _encode(problems).decode()


def storable(text: str) -> str:
    """Text as every engine can hold it: what no column takes (NUL, half a surrogate pair) becomes U+FFFD."""
    if text.isprintable():
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _key(key: str | None, number: int) -> str:
    return str(number & (POSITIONS_MAX - 1)) if key is None else key
