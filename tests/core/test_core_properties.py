"""What holds of the pure core for every input that Hypothesis can think of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import START, bad, order

from ordermill.core import ids
from ordermill.core.batch import BatchStatus, Counts, Draft, OutcomeKind, count, item_id, roll_up
from ordermill.core.order import Mode, NewOrder, OnExisting, Order, OrderKey
from ordermill.core.outcome import Created, Outcome, Rejected, Stale, Unchanged, Updated
from ordermill.core.processing import Place, after, decide_all
from ordermill.dialects.reading import instant, iso, moment, plain_decimal

# counting

outcomes = st.lists(st.sampled_from(OutcomeKind))
amounts = st.integers(0, 1000)
counts = st.builds(
    lambda *parts: Counts(
        received=sum(parts), created=parts[0], updated=parts[1], unchanged=parts[2], failed=parts[3], waiting=parts[4]
    ),
    *[amounts] * 5,
)


@given(outcomes)
def test_counts_add_up_and_stale_is_unchanged(seen: list[OutcomeKind]) -> None:
    told = count(seen)
    assert told.adds_up
    assert told.received == len(seen)
    assert told.unchanged == seen.count(OutcomeKind.UNCHANGED) + seen.count(OutcomeKind.STALE)


@given(outcomes, outcomes)
def test_counting_in_two_parts_is_counting_at_once(first: list[OutcomeKind], second: list[OutcomeKind]) -> None:
    one, two, both = count(first), count(second), count(first + second)
    names = Counts.__struct_fields__
    assert [getattr(one, name) + getattr(two, name) for name in names] == [getattr(both, name) for name in names]


@given(counts, st.booleans())
def test_a_batch_is_final_exactly_when_nothing_is_to_come(told: Counts, open_: bool) -> None:
    status = roll_up(told, open_=open_)
    assert status.final == (not open_ and told.waiting == 0)
    assert (status is BatchStatus.COMPLETED) == (status.final and told.failed == 0)
    assert (status is BatchStatus.FAILED) == (status.final and told.failed == told.received > 0)
    if status is BatchStatus.QUEUED:
        assert told.waiting == told.received


@given(st.integers(0, (1 << 38) - 1), st.integers(0, (1 << 24) - 1))
def test_an_items_number_holds_its_batch_and_its_place(batch: int, position: int) -> None:
    number = item_id(batch, position)
    assert (number >> 24, number & 0xFFFFFF) == (batch, position)
    assert 0 <= number < 1 << 63


# deciding

REFERENCES = ("A", "B", "1", "2")
orders = st.builds(
    lambda reference, at, content, on_existing, released: order(
        reference,
        at=at,
        content=content,
        on_existing=on_existing,
        released=released,
        numbered=reference in ("1", "2", None),
    ),
    st.none() | st.sampled_from(REFERENCES),
    st.none() | st.integers(-2, 2),
    st.integers(0, 3),
    st.sampled_from(OnExisting),
    st.sampled_from((False, False, True)),
)
drafts = st.lists(st.one_of(orders.map(lambda entry: Draft("k", entry)), st.just(bad("x"))), max_size=12)


def placed(entries: list[Draft], now: int, batch: int = 1) -> list[tuple[Place, Draft]]:
    return [(Place(item_id(batch, n), 1, Mode.LIVE, now), draft) for n, draft in enumerate(entries)]


def numbers() -> Any:
    stream: Iterator[int] = itertools.count(1)
    return lambda entry: str(next(stream))


def settled(entries: list[tuple[Place, Draft]], ledger: dict[OrderKey, Order]) -> list[Outcome]:
    """Decides them, and writes what became of them down, as a store does."""
    decided = decide_all(entries, dict(ledger), numbers())
    for (place, _), outcome in zip(entries, decided, strict=True):
        if isinstance(outcome, Created | Updated):
            order_now = after(place, outcome)
            ledger[order_now.key] = order_now
    return decided


def written(entry: NewOrder, reference: str) -> OrderKey:
    return OrderKey(entry.dialect, entry.source, reference)


@given(drafts, st.integers(-3, 3))
def test_every_draft_has_one_outcome_that_fits_what_was_known(entries: list[Draft], now: int) -> None:
    before: dict[OrderKey, Order] = {}
    decided = decide_all(placed(entries, START + now), {}, numbers())
    assert len(decided) == len(entries)
    for draft, outcome in zip(entries, decided, strict=True):
        match outcome:
            case Rejected(problems):
                assert problems
                assert draft.order is None or draft.order.on_existing is OnExisting.REFUSE
            case Created(entry, reference, order_id):
                holder = before.get(written(entry, reference))
                assert holder is None or holder.released
                before[written(entry, reference)] = state(entry, reference, order_id, 1)
            case Updated(entry, was, revision):
                assert before[was.key].id == was.id
                assert (revision, was.released) == (was.revision + 1, False)
                assert entry.on_existing is OnExisting.UPDATE
                assert entry.updated_at is not None
                assert entry.updated_at >= was.updated_at
                assert entry.content_hash != was.content_hash
                before[was.key] = state(entry, was.reference, was.id, revision)
            case Stale(entry, was):
                assert entry.updated_at is not None
                assert entry.updated_at < was.updated_at
            case Unchanged(was):
                assert before[was.key].revision == was.revision


def state(entry: NewOrder, reference: str, order_id: int, revision: int) -> Order:
    return Order(
        id=order_id, account_id=1, mode=Mode.LIVE, dialect=entry.dialect, source=entry.source, reference=reference,
        revision=revision, status=entry.status, placed_at=0, updated_at=0, received_at=0, changed_at=0, amount=None,
        currency=None, contact_id=None, content_hash=entry.content_hash, request_id=None, released=entry.released,
    )  # fmt: skip


@given(drafts)
def test_deciding_in_one_call_is_deciding_one_by_one(entries: list[Draft]) -> None:
    """But for numbers: one call does not allot what a later draft of it names."""
    named = [draft for draft in entries if draft.order is None or draft.order.reference is not None]
    together: dict[OrderKey, Order] = {}
    apart: dict[OrderKey, Order] = {}
    at_once = settled(placed(named, START), together)
    singly: list[Outcome] = []
    for entry in placed(named, START):
        singly += settled([entry], apart)
    assert at_once == singly
    assert together == apart


@given(drafts)
def test_sending_everything_again_changes_nothing_more_where_contents_are_instants(entries: list[Draft]) -> None:
    """What is sent again finds its newest version, or is older than it: nothing is created twice."""
    sent = [
        Draft("k", order(draft.order.reference, at=draft.order.content_hash, content=draft.order.content_hash))
        for draft in entries
        if draft.order is not None and draft.order.reference is not None
    ]
    known: dict[OrderKey, Order] = {}
    settled(placed(sent, START), known)
    again = settled(placed(sent, START + 9, batch=2), known)
    assert all(isinstance(outcome, Unchanged | Stale) for outcome in again)


@given(drafts)
def test_no_number_is_allotted_twice_or_taken_from_another(entries: list[Draft]) -> None:
    decided = decide_all(placed(entries, START), {}, numbers())
    named = {draft.order.reference for draft in entries if draft.order is not None}
    allotted = [
        outcome.reference
        for draft, outcome in zip(entries, decided, strict=True)
        if isinstance(outcome, Created) and draft.order is not None and draft.order.reference is None
    ]
    assert len(set(allotted)) == len(allotted)
    assert not set(allotted) & named
    assert len(allotted) == sum(1 for draft in entries if draft.order is not None and draft.order.reference is None)


# ids

account_ids = st.integers(1, (1 << 63) - 1)
row_ids = st.integers(0, (1 << 63) - 1)


@given(account_ids, st.sampled_from(Mode), row_ids)
def test_an_id_is_read_back_as_it_was_spelled(account: int, mode: Mode, number: int) -> None:
    text = ids.spell("ord", account, mode, number)
    assert ids.parse("ord", text, account, mode) == number
    assert ids.parse("batch", text, account, mode) is None
    assert ids.parse("ord", text, account ^ 1, mode) is None
    assert ids.parse("ord", text, account, Mode(1 - mode)) is None


@given(st.text(), account_ids, st.sampled_from(Mode))
def test_any_other_text_is_no_id(text: str, account: int, mode: Mode) -> None:
    number = ids.parse("ord", text, account, mode)
    assert number is None or ids.spell("ord", account, mode, number) == text.lower()


@given(st.text("0123456789abcdefABCDEF_ +-x٣", min_size=32, max_size=32))
def test_digits_that_only_look_like_an_id_raise_nothing(digits: str) -> None:
    assert ids.parse("ord", f"ord_{digits}", 1, Mode.LIVE) is None


# decimals and instants


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text(max_size=70))
def test_a_plain_decimal_is_exactly_what_was_sent_or_nothing(sent: Decimal | str) -> None:
    plain = plain_decimal(str(sent))
    if plain is not None:
        assert Decimal(plain) == Decimal(str(sent))
        assert set(plain) <= set("-0123456789.")
        assert len(plain) < 100
        assert plain_decimal(plain) == plain


@given(st.decimals(min_value=-(10**14), max_value=10**14, places=6))
def test_every_amount_of_money_is_a_plain_decimal(amount: Decimal) -> None:
    plain = plain_decimal(str(amount))
    assert plain is not None
    assert Decimal(plain) == amount


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23 * 60, 23 * 60))
def test_an_instant_is_the_same_moment_in_every_zone(wall: datetime, offset: int) -> None:
    sent = wall.replace(tzinfo=timezone(timedelta(minutes=offset)))
    micros = instant(sent)
    assert moment(micros) == sent
    assert moment(micros).tzinfo is UTC
    assert instant(datetime.fromisoformat(iso(micros))) == micros


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_instants_are_ordered_as_time_is(one: datetime, two: datetime) -> None:
    assert (instant(one) < instant(two)) == (one < two)
    assert (iso(instant(one))[:19] < iso(instant(two))[:19]) == (
        one.replace(microsecond=0) < two.replace(microsecond=0)
    )


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-23:59"])
def test_what_lies_outside_of_all_years_is_refused_and_no_fault(text: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        instant(datetime.fromisoformat(text))
