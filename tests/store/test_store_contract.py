"""What every engine keeps of the store's promise: taking in. Reading back stands in test_store_queries.py."""

from __future__ import annotations

import asyncio
import itertools

import msgspec
import pytest
from ledgers import SECOND, START, Clock, ask, bad, order, put, put_one, reopened, sender, submission, words

from ordermill.core.batch import BatchStatus, Draft, ErrorPolicy, OutcomeKind, Problem, Sender, item_id
from ordermill.core.errors import Conflict, Duplicate, Invalid, NotFound
from ordermill.core.figures import MINUTE_US
from ordermill.core.memo import KEPT_S, AlreadyRemembered, Answer, Memo
from ordermill.core.mill import single
from ordermill.core.order import Mode, NewOrder, OnExisting, Order, OrderKey
from ordermill.core.query import BatchQuery, ItemQuery, OrderQuery
from ordermill.core.watching import Process
from ordermill.store import duties
from ordermill.store.engine import Engine
from ordermill.store.intake import Job
from ordermill.store.lanes import SMALL
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
A = OrderKey("brevo", "", "A")


def numbered(reference: str | None = None, **facts: object) -> NewOrder:
    return order(reference, dialect="centra", on_existing=OnExisting.REFUSE, numbered=True, **facts)  # type: ignore[arg-type]


async def current(ledger: Ledger, who: Sender, key: OrderKey = A) -> Order:
    found = await ledger.find_order_by_key(who, key)
    assert found is not None
    return found


# one order


async def test_a_new_order_is_created_with_everything_it_says(ledger: Ledger) -> None:
    who = sender()
    given = order(status="paid", amount="12345678901234.567890", currency="SEK", request_id="r-1", content=-(2**63))
    settled = await put(ledger, who, given)
    item = settled.items[0]
    found = await current(ledger, who)
    assert (item.outcome, item.revision, item.reference, item.order_id) == (OutcomeKind.CREATED, 1, "A", item.id)
    assert found == Order(
        id=item.id,
        account_id=who.account_id,
        mode=Mode.LIVE,
        dialect="brevo",
        source="",
        reference="A",
        revision=1,
        status="paid",
        placed_at=START,
        updated_at=START,
        received_at=START,
        changed_at=START,
        amount="12345678901234.567890",
        currency="SEK",
        contact_id=None,
        content_hash=-(2**63),
        request_id="r-1",
        released=False,
        document=given.document,
    )


async def test_a_newer_version_replaces_the_order_and_keeps_its_id_and_first_receipt(
    ledger: Ledger, clock: Clock
) -> None:
    who = sender()
    first = (await put(ledger, who, order(at=1))).items[0]
    clock.advance(60)
    second = (await put(ledger, who, order(at=2, status="shipped", amount=None, currency=None))).items[0]
    found = await current(ledger, who)
    assert (second.outcome, second.revision, second.order_id) == (OutcomeKind.UPDATED, 2, first.order_id)
    assert (found.id, found.revision, found.status, found.amount) == (first.order_id, 2, "shipped", None)
    assert (found.received_at, found.changed_at) == (START, START + 60 * SECOND)
    assert found.document == order(at=2).document


async def test_the_same_content_again_records_no_version(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=1))
    again = await put(ledger, who, order(at=1))
    assert words(again) == ["unchanged"]
    assert (again.items[0].revision, again.items[0].reference) == (1, "A")
    assert len(await ledger.find_revisions(who, again.items[0].order_id or 0)) == 1
    assert again.batch is not None
    assert again.batch.counts.unchanged == 1


async def test_a_stale_version_is_kept_in_the_history_and_never_becomes_current(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=5))
    stale = await put(ledger, who, order(at=4, status="older"))
    found = await current(ledger, who)
    history = await ledger.find_revisions(who, found.id)
    assert words(stale) == ["stale"]
    assert (found.status, found.revision, found.updated_at) == ("open", 1, START + 5 * SECOND)
    assert [(version.stale, version.updated_at) for version in history] == [
        (False, START + 5 * SECOND),
        (True, START + 4 * SECOND),
    ]
    assert history[1].document == order(at=4).document


async def test_an_equal_instant_with_other_content_applies(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=5, content=1))
    assert words(await put(ledger, who, order(at=5, content=2, status="corrected"))) == ["updated"]
    assert (await current(ledger, who)).status == "corrected"


async def test_without_an_instant_the_later_receipt_wins_even_when_the_clock_was_set_back(
    ledger: Ledger, clock: Clock
) -> None:
    who = sender()
    await put(ledger, who, order(at=None, content=1))
    clock.advance(-3600)
    assert words(await put(ledger, who, order(at=None, content=2, status="later"))) == ["updated"]
    found = await current(ledger, who)
    assert (found.status, found.updated_at) == ("later", START)


async def test_an_order_that_is_to_be_kept_is_left_as_it_is(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=1))
    kept = await put(ledger, who, order(at=9, on_existing=OnExisting.KEEP))
    assert words(kept) == ["unchanged"]
    assert (await current(ledger, who)).updated_at == START + SECOND


async def test_an_order_whose_key_is_taken_is_refused_where_the_contract_says_so(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=1))
    refused = await put(ledger, who, order(at=9, on_existing=OnExisting.REFUSE), order("B"))
    assert words(refused) == ["failed", "created"]
    assert refused.items[0].problems[0].code == "duplicate_reference"
    assert (await current(ledger, who)).updated_at == START + SECOND


@pytest.mark.parametrize("instants", list(itertools.permutations((1, 2, 3))))
async def test_the_newest_of_one_key_in_one_batch_wins_in_every_order(
    ledger: Ledger, instants: tuple[int, ...]
) -> None:
    who = sender()
    settled = await put(ledger, who, *(order(at=instant) for instant in instants))
    expected, newest = ["created"], instants[0]
    for instant in instants[1:]:
        expected.append("updated" if instant > newest else "stale")
        newest = max(newest, instant)
    found = await current(ledger, who)
    history = await ledger.find_revisions(who, found.id)
    assert words(settled) == expected
    assert (found.updated_at, found.revision) == (START + 3 * SECOND, expected.count("updated") + 1)
    assert found.document == order(at=3).document
    assert [(v.updated_at - START) // SECOND for v in history] == list(instants)
    assert (await ledger.find_orders(who, OrderQuery())).count == 1


async def test_an_order_that_changes_twice_in_one_batch_goes_on_from_what_was_there(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=1, identifiers=(("email", "a@example.com"),)))
    contact = (await current(ledger, who)).contact_id
    settled = await put(ledger, who, order(at=2), order(at=3, status="last"), order(at=3))
    found = await current(ledger, who)
    assert words(settled) == ["updated", "updated", "unchanged"]
    assert (found.revision, found.status, found.contact_id) == (3, "last", contact)


# batches


async def test_failed_items_keep_what_was_sent_and_why_it_failed(ledger: Ledger) -> None:
    who = sender()
    problems = (
        Problem(code="invalid_parameter", message="not a number", field="amount", value="x", hint="send 10.00"),
        Problem(code="required", message="is missing", field="id"),
    )
    settled = await put(ledger, who, order("A"), bad("1", *problems, reference="B-7"), order("C"))
    batch = settled.batch
    assert batch is not None
    page = await ledger.find_items(who, ItemQuery(batch_id=batch.id, with_document=True))
    assert words(settled) == ["created", "failed", "created"]
    assert batch.status is BatchStatus.COMPLETED_WITH_ERRORS
    assert page.entries[1].problems == problems
    assert (page.entries[1].reference, page.entries[1].document) == ("B-7", '{"amount":"x"}')
    assert page.entries == tuple(settled.items)


async def test_the_accounting_of_a_batch_adds_up_and_is_read_back_as_answered(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order("old", at=5), order("same"))
    settled = await put(
        ledger,
        who,
        order("new"),
        order("old", at=6),
        order("old", at=1),
        order("same"),
        bad("4"),
        source="shop",
        size_bytes=77,
    )
    batch = settled.batch
    assert batch is not None
    counts = msgspec.structs.asdict(batch.counts)
    assert counts == {"received": 5, "created": 1, "updated": 1, "unchanged": 2, "failed": 1, "waiting": 0}
    assert batch.counts.adds_up
    assert await ledger.find_batch(who, batch.id) == batch


@pytest.mark.parametrize(
    ("drafts", "status"),
    [
        ((order("A"),), BatchStatus.COMPLETED),
        ((order("A"), bad("1")), BatchStatus.COMPLETED_WITH_ERRORS),
        ((bad("0"), bad("1")), BatchStatus.FAILED),
        ((), BatchStatus.COMPLETED),
    ],
)
async def test_a_batch_is_final_when_it_is_answered(
    ledger: Ledger, drafts: tuple[Draft, ...], status: BatchStatus
) -> None:
    settled = await put(ledger, sender(), *drafts)
    assert settled.batch is not None
    assert (settled.batch.status, settled.batch.finished_at) == (status, START)


async def test_a_batch_that_is_taken_whole_or_not_leaves_nothing_behind(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order("taken"))
    refusing = (order("new"), order("taken", on_existing=OnExisting.REFUSE), bad("2"))
    with pytest.raises(Invalid) as refusal:
        await put(ledger, who, *refusing, policy=ErrorPolicy.REJECT_ALL)
    assert [problem.code for problem in refusal.value.problems] == ["duplicate_reference", "invalid_parameter"]
    assert (await ledger.find_orders(who, OrderQuery())).count == 1
    assert len((await ledger.find_batches(who, BatchQuery())).entries) == 1


async def test_a_thousand_and_ten_thousand_rows_travel_in_one_batch(ledger: Ledger) -> None:
    who = sender()
    for size in (1_000, 10_000):
        batch = [order(f"{size}-{n}", identifiers=(("ext", f"{size}-{n % 700}"),)) for n in range(size)]
        settled = await put(ledger, who, *batch)
        assert settled.batch is not None
        assert settled.batch.counts.created == size
        assert set(words(await put(ledger, who, *batch))) == {"unchanged"}
        newer = [msgspec.structs.replace(entry, content_hash=7, updated_at=START + 1) for entry in batch]
        assert set(words(await put(ledger, who, *newer))) == {"updated"}
        page = await ledger.find_orders(who, OrderQuery(references=(f"{size}-0", f"{size}-{size - 1}")))
        assert [(found.revision, found.contact_id is not None) for found in page.entries] == [(2, True), (2, True)]


async def test_keys_of_items_come_back_byte_for_byte_and_what_no_column_holds_is_shown(ledger: Ledger) -> None:
    who = sender()
    keys = ["0", "order one", "ключ", "2", "a\u0000b"]
    drafts = [Draft(key, order(f"R{n}")) for n, key in enumerate(keys)]
    broken = Problem(code="invalid_parameter", message="nul", field="x\u0000y", value="\u0000")
    settled = await put(ledger, who, *drafts, Draft("f\u0000", None, (broken,), "{}", "r\u0000"))
    assert settled.batch is not None
    page = await ledger.find_items(who, ItemQuery(batch_id=settled.batch.id))
    assert [item.key for item in settled.items] == [*keys, "f\u0000"]
    assert [item.key for item in page.entries] == ["0", "order one", "ключ", "2", "a\ufffdb", "f\ufffd"]
    assert (page.entries[5].reference, page.entries[5].problems) == ("r\ufffd", (broken,))
    assert (await ledger.find_causes(who, settled.batch.id))[0].code == "invalid_parameter"


async def test_a_question_changes_nothing_and_foretells_the_outcome(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order("A", at=5))
    asked = submission(order("A", at=4), order("A", at=6), order("B"), numbered(), bad("4"))
    told = await ledger.check(who, asked)
    assert words(told) == ["stale", "updated", "created", "created", "failed"]
    assert [(item.order_id is None, item.reference) for item in told.items[2:4]] == [(True, "B"), (True, "")]
    assert told.batch is not None
    assert told.batch.status is BatchStatus.COMPLETED_WITH_ERRORS
    assert (await ledger.find_orders(who, OrderQuery())).count == 1
    assert (await put_one(ledger, who, numbered())).reference == "1"


# open batches


async def test_an_open_batch_is_filled_chunk_by_chunk(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    opened = await ledger.settle(who, submission(order("A"), origin="file.csv", size_bytes=10), last=False)
    assert opened.batch is not None
    number = opened.batch.id
    clock.advance(1)
    more = await ledger.settle(who, submission(order("A"), bad("x"), size_bytes=5), into=(number, 1), last=False)
    clock.advance(1)
    done = await ledger.settle(who, submission(order("C")), into=(number, 3), last=True)
    batch = await ledger.find_batch(who, number)
    page = await ledger.find_items(who, ItemQuery(batch_id=number))
    assert [s.batch.status for s in (opened, more, done) if s.batch] == [
        BatchStatus.RUNNING,
        BatchStatus.RUNNING,
        BatchStatus.COMPLETED_WITH_ERRORS,
    ]
    assert batch == done.batch
    assert batch is not None
    assert msgspec.structs.astuple(batch.counts) == (4, 2, 0, 1, 1, 0)
    assert (batch.origin, batch.created_at, batch.finished_at) == ("file.csv", START, START + 2 * SECOND)
    assert batch.size_bytes == 15
    assert [(item.position, item.outcome.word) for item in page.entries] == [
        (0, "created"),
        (1, "unchanged"),
        (2, "failed"),
        (3, "created"),
    ]


async def test_a_batch_without_orders_yet_is_queued(ledger: Ledger) -> None:
    opened = await ledger.settle(sender(), submission(), last=False)
    assert opened.batch is not None
    assert (opened.batch.status, opened.batch.finished_at) == (BatchStatus.QUEUED, None)


async def test_a_closed_or_foreign_batch_takes_no_more(ledger: Ledger) -> None:
    who, stranger = sender(), sender()
    closed = (await put(ledger, who, order("A"))).batch
    opened = (await ledger.settle(who, submission(order("B")), last=False)).batch
    assert closed is not None
    assert opened is not None
    for asking, number in ((who, closed.id), (stranger, opened.id), (sender(who.account_id, Mode.TEST), opened.id)):
        with pytest.raises(Conflict):
            await ledger.settle(asking, submission(order("C")), into=(number, 1))
        assert (await ledger.find_orders(asking, OrderQuery(references=("C",)))).entries == ()


# singles and groups


async def test_singles_that_wait_together_are_each_answered_for_themselves(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order("taken"))
    entries = [order(f"S{n}") for n in range(60)]
    entries[17] = order("taken", on_existing=OnExisting.REFUSE, at=9)
    entries[40] = order("S3", at=1)
    settled = await asyncio.gather(*(ledger.settle(who, submission(entry, single=True)) for entry in entries))
    assert all(answer.batch is None for answer in settled)
    kinds = [answer.items[0].outcome for answer in settled]
    assert kinds[17] is OutcomeKind.FAILED
    assert {kinds[3], kinds[40]} == {OutcomeKind.CREATED, OutcomeKind.UPDATED}
    assert [kind for n, kind in enumerate(kinds) if n not in (3, 17, 40)] == [OutcomeKind.CREATED] * 57
    with pytest.raises(Conflict):
        single(settled[17])
    assert (await ledger.find_orders(who, OrderQuery())).count == 59
    assert (await ledger.find_batches(who, BatchQuery())).entries[1:] == ()


async def test_singles_of_many_accounts_and_modes_share_a_transaction_and_nothing_else(ledger: Ledger) -> None:
    senders = [sender(mode=mode) for _ in range(5) for mode in (Mode.LIVE, Mode.TEST)]
    await asyncio.gather(*(put_one(ledger, who, order("A")) for who in senders for _ in range(3)))
    for who in senders:
        page = await ledger.find_orders(who, OrderQuery())
        assert (page.count, len(page.entries), page.entries[0].revision) == (1, 1, 1)


async def test_a_member_of_a_group_that_fails_is_answered_alone(ledger: Ledger, engine: Engine) -> None:
    """One lane is kept busy, so that the others wait and are then taken together."""
    who = sender()
    good = [submission(order(f"G{n}")) for n in range(10)]
    wrong = submission(order("W"), order("G0", on_existing=OnExisting.REFUSE), bad("2"), policy=ErrorPolicy.REJECT_ALL)
    busy = asyncio.gather(*(put(ledger, who, *(order(f"B{i}-{n}") for n in range(SMALL + 1))) for i in range(8)))
    answers = await asyncio.gather(
        *(ledger.settle(who, entry) for entry in [*good[:5], wrong, *good[5:]]), return_exceptions=True
    )
    await busy
    assert isinstance(answers.pop(5), Invalid)
    assert [words(answer) for answer in answers if not isinstance(answer, BaseException)] == [["created"]] * 10
    assert (await ledger.find_orders(who, OrderQuery(references=("W",)))).entries == ()


async def test_a_single_that_is_rejected_leaves_no_trace(ledger: Ledger, engine: Engine) -> None:
    who = sender()
    await put_one(ledger, who, order("A"))
    item = await put_one(ledger, who, order("A", on_existing=OnExisting.REFUSE, at=3))
    assert item.outcome is OutcomeKind.FAILED
    assert len(await ledger.find_revisions(who, (await current(ledger, who)).id)) == 1
    assert tallied(engine, who) == {
        "batches": 0,
        "received": 1,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "failed": 0,
    }


def tallied(engine: Engine, who: Sender) -> dict[str, int]:
    """The sums over all hours, as the overview shows them."""
    names = ("batches", "received", "created", "updated", "unchanged", "failed")
    sums = ", ".join(f"sum({name})" for name in names)
    row = ask(engine, f"SELECT {sums} FROM tally WHERE account_id = ? AND mode = ?", who.account_id, int(who.mode))[0]
    return dict(zip(names, map(int, row), strict=True))


async def test_the_tally_is_the_sum_of_all_batches_and_singles(ledger: Ledger, engine: Engine, clock: Clock) -> None:
    who = sender()
    await put(ledger, who, order("A", at=5), order("B"), bad("2"))
    clock.advance(3600)
    await put(ledger, who, order("A", at=6), order("A", at=1))
    await put_one(ledger, who, order("C"))
    assert tallied(engine, who) == {
        "batches": 2, "received": 6, "created": 3, "updated": 1, "unchanged": 1, "failed": 1,
    }  # fmt: skip


async def test_the_minutes_tell_what_the_hours_tell_until_they_are_forgotten(
    ledger: Ledger, engine: Engine, clock: Clock
) -> None:
    who = sender()
    await put(ledger, who, order("A", at=5), order("B"), bad("2"))
    await put_one(ledger, who, order("C"))
    clock.advance(60)
    await put(ledger, who, order("A", at=6))
    now = clock() // MINUTE_US
    told = await ledger.find_minutes(who, now - 1, now + 1)
    assert [(tally.hour, tally.received, tally.failed) for tally in told] == [(now - 1, 4, 1), (now, 1, 0)]
    assert await ledger.find_minutes(sender(), now - 1, now + 1) == ()
    assert (await ledger.find_minutes(who, now, now + 1))[0].updated == 1
    await ledger.lanes.write(lambda tx: duties.forget_minutes(tx, who.account_id, now))
    assert [tally.hour for tally in await ledger.find_minutes(who, 0, now + 1)] == [now]
    assert tallied(engine, who)["received"] == 5


async def test_processes_are_known_until_they_leave_or_are_silent_for_a_day(ledger: Ledger, clock: Clock) -> None:
    async def told() -> list[tuple[str, int]]:
        found = await ledger.lanes.read(duties.find_processes)
        return [(process.name, process.seen_at) for process in found]

    async def tell(name: str) -> None:
        process = Process(name, "requests", "1.0", START, clock())
        await ledger.lanes.write(lambda tx: duties.save_process(tx, process))

    began = clock()
    await tell("a:1")
    await tell("b:2")
    clock.advance(30)
    await tell("a:1")
    assert await told() == [("a:1", clock()), ("b:2", began)]
    clock.advance(86_400 - 10)
    await tell("a:1")
    assert await told() == [("a:1", clock())]
    await ledger.lanes.write(lambda tx: duties.forget_process(tx, "a:1"))
    assert await told() == []


# numbers


async def test_numbers_are_allotted_in_order_and_skip_those_that_came_with_orders(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, numbered("2"), numbered("4"))
    settled = await put(ledger, who, *(numbered(content=n) for n in range(4)))
    assert [item.reference for item in settled.items] == ["1", "3", "5", "6"]


async def test_a_number_named_in_the_same_batch_is_not_allotted_to_another(ledger: Ledger) -> None:
    settled = await put(ledger, sender(), numbered(content=1), numbered("1"), numbered(content=2))
    assert [(item.reference, item.outcome.word) for item in settled.items] == [
        ("2", "created"),
        ("1", "created"),
        ("3", "created"),
    ]


async def test_a_high_number_that_came_with_an_order_is_not_jumped_to(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, numbered("2"), numbered("5000"))
    settled = await put(ledger, who, *(numbered(content=n) for n in range(5)))
    assert [item.reference for item in settled.items] == ["1", "3", "4", "5", "6"]
    settled = await put(ledger, who, numbered("11"), numbered("12"), numbered("12"), *(numbered() for _ in range(3)))
    assert [item.reference for item in settled.items[3:]] == ["13", "14", "15"]


async def test_a_long_run_of_taken_numbers_is_passed_in_one_step(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, *(numbered(str(n)) for n in range(1, 3_001)), numbered("3005"))
    references = [(await put_one(ledger, who, numbered(content=n))).reference for n in range(5)]
    assert references == ["3001", "3002", "3003", "3004", "3006"]


async def test_numbers_count_for_each_source_account_and_mode(ledger: Ledger) -> None:
    who = sender()
    for asking, source in ((who, "se"), (who, "no"), (sender(), "se"), (sender(who.account_id, Mode.TEST), "se")):
        assert (await put_one(ledger, asking, numbered(source=source))).reference == "1"


async def test_numbers_are_never_given_twice_by_two_processes(ledger: Ledger, engine: Engine, clock: Clock) -> None:
    who = sender()
    other = Ledger(reopened(engine), clock)
    try:
        items = await asyncio.gather(
            *(put_one(ledger if n % 2 else other, who, numbered(content=n)) for n in range(80)),
            *(put_one(ledger, who, numbered(str(n), content=n)) for n in range(5, 80, 10)),
        )
    finally:
        other.close()
    created = [item.reference for item in items if item.outcome is OutcomeKind.CREATED]
    assert len(created) == len(set(created)) >= 80
    assert all(item.outcome is OutcomeKind.CREATED for item in items[:80])


# keys that are released, amendments


def cancelled(given: Order) -> NewOrder:
    return order(given.reference, at=None, status="cancelled", released=True, content=99)


async def test_a_released_key_is_free_for_a_new_order(ledger: Ledger) -> None:
    who = sender()
    first = (await put(ledger, who, order(at=9))).items[0]
    await ledger.amend(who, first.order_id or 0, cancelled)
    second = (await put(ledger, who, order(at=1, on_existing=OnExisting.REFUSE))).items[0]
    assert (second.outcome, second.order_id != first.order_id) == (OutcomeKind.CREATED, True)
    assert (await current(ledger, who)).id == second.order_id
    assert (await ledger.find_orders(who, OrderQuery())).count == 2


async def test_the_newest_former_holder_answers_for_a_key_that_nobody_holds(ledger: Ledger) -> None:
    who = sender()
    numbers = []
    for at in (1, 2):
        numbers.append((await put(ledger, who, order(at=at))).items[0].order_id or 0)
        await ledger.amend(who, numbers[-1], cancelled)
    assert (await current(ledger, who)).id == numbers[1]


async def test_an_order_that_frees_its_key_and_its_successor_fit_in_one_batch(ledger: Ledger) -> None:
    who = sender()
    await put(ledger, who, order(at=1))
    settled = await put(ledger, who, order(at=2, released=True), order(at=3), order(at=4, released=True), order(at=5))
    assert words(settled) == ["updated", "created", "updated", "created"]
    assert (await current(ledger, who)).id == settled.items[3].order_id
    assert (await ledger.find_orders(who, OrderQuery())).count == 3


async def test_an_amendment_is_a_version_of_its_own(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    item = (await put(ledger, who, order(at=None, identifiers=(("email", "a@example.com"),)))).items[0]
    before = await current(ledger, who)
    clock.advance(5)
    amended = await ledger.amend(who, before.id, lambda given: order("A", at=None, status="packed", content=5))
    history = await ledger.find_revisions(who, before.id)
    assert (amended.status, amended.revision, amended.updated_at) == ("packed", 2, START + 5 * SECOND)
    assert (amended.contact_id, amended.received_at) == (before.contact_id, START)
    assert [version.revision for version in history] == [1, 2]
    assert history[1].item_id >> 24 != item.batch_id


async def test_an_amendment_that_changes_nothing_records_nothing(ledger: Ledger) -> None:
    who = sender()
    number = (await put(ledger, who, order())).items[0].order_id or 0
    amended = await ledger.amend(who, number, lambda given: order())
    assert amended.revision == 1
    assert len(await ledger.find_revisions(who, number)) == 1


async def test_an_amendment_is_never_older_than_what_it_amends(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    number = (await put(ledger, who, order(at=100))).items[0].order_id or 0
    clock.advance(-86_400)
    amended = await ledger.amend(who, number, lambda given: order(at=None, content=1, status="late"))
    assert (amended.status, amended.updated_at) == ("late", START + 100 * SECOND)
    amended = await ledger.amend(who, number, lambda given: order(at=-5, content=2, status="later"))
    assert (amended.status, amended.revision, amended.updated_at) == ("later", 3, START + 100 * SECOND)


async def test_an_order_whose_key_was_taken_over_is_amended_all_the_same(ledger: Ledger) -> None:
    who = sender()
    first = (await put(ledger, who, order())).items[0].order_id or 0
    await ledger.amend(who, first, cancelled)
    second = (await put(ledger, who, order(at=3))).items[0].order_id or 0
    noted = await ledger.amend(who, first, lambda given: order(at=None, released=True, status="refunded", content=3))
    assert (noted.id, noted.status, noted.revision) == (first, "refunded", 3)
    assert (await current(ledger, who)).id == second
    with pytest.raises(Duplicate):
        await ledger.amend(who, first, lambda given: order(at=None, status="revived", content=4))
    assert (await ledger.find_order(who, first)) == noted


async def test_an_order_may_take_its_key_back_when_nobody_holds_it(ledger: Ledger) -> None:
    who = sender()
    number = (await put(ledger, who, order())).items[0].order_id or 0
    await ledger.amend(who, number, cancelled)
    await ledger.amend(who, number, lambda given: order(at=None, status="open", content=4))
    assert words(await put(ledger, who, order(at=9, on_existing=OnExisting.REFUSE))) == ["failed"]


async def test_what_the_change_refuses_leaves_the_order_alone(ledger: Ledger) -> None:
    who = sender()
    number = (await put(ledger, who, order())).items[0].order_id or 0

    def refuse(given: Order) -> NewOrder:
        raise Conflict("it is on its way")

    with pytest.raises(Conflict, match="on its way"):
        await ledger.amend(who, number, refuse)
    assert (await current(ledger, who)).revision == 1


# contacts


async def contact_of(ledger: Ledger, who: Sender, reference: str) -> int | None:
    return (await current(ledger, who, OrderKey("brevo", "", reference))).contact_id


async def test_the_same_identifier_is_the_same_contact(ledger: Ledger) -> None:
    who = sender()
    email, phone, other = ("email", "a@example.com"), ("phone", "+4670"), ("email", "b@example.com")
    await put(ledger, who, order("1", identifiers=(email,)), order("2", identifiers=(phone, email)))
    await put(ledger, who, order("3", identifiers=(phone,)), order("4", identifiers=(other,)), order("5"))
    found = [await contact_of(ledger, who, reference) for reference in "12345"]
    assert found[0] == found[1] == found[2] is not None
    assert found[3] not in (None, found[0])
    assert found[4] is None


async def test_an_order_with_identifiers_of_two_contacts_goes_to_that_of_the_strongest(ledger: Ledger) -> None:
    who = sender()
    email, phone = ("email", "a@example.com"), ("phone", "+4670")
    await put(ledger, who, order("1", identifiers=(email,)), order("2", identifiers=(phone,)))
    await put(ledger, who, order("3", identifiers=(phone, email)), order("4", identifiers=(email, phone)))
    one, two, three, four = [await contact_of(ledger, who, reference) for reference in "1234"]
    assert (three, four) == (two, one)


async def test_a_version_that_names_nobody_leaves_the_order_with_whom_it_was(ledger: Ledger) -> None:
    """So that a search and an erasure of the person still find its older versions."""
    who = sender()
    mail = (("email", "a@example.com"),)
    await put(ledger, who, order("1", identifiers=mail))
    known = await contact_of(ledger, who, "1")
    await put(ledger, who, order("1", at=1, status="paid"))
    assert await contact_of(ledger, who, "1") == known is not None


async def test_contacts_are_apart_by_account_and_mode(ledger: Ledger) -> None:
    who = sender()
    test = sender(who.account_id, Mode.TEST)
    mail = (("email", "a@example.com"),)
    for asking in (who, test):
        await put(ledger, asking, order("1", identifiers=mail))
    assert await contact_of(ledger, who, "1") != await contact_of(ledger, test, "1")
    assert (await ledger.find_orders(sender(), OrderQuery(identifier=mail[0]))).entries == ()


# memos


def memo(key: str, fingerprint: bytes = b"f") -> Memo:
    return Memo(key, fingerprint, lambda settled: Answer(201, "application/json", f"{settled.batch_id}".encode()))


async def test_the_answer_to_a_key_is_kept_with_its_effect_and_found_again(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    settled = await ledger.settle(who, submission(order("A")), memo("K"))
    found = await ledger.find_answer(who.account_id, "K")
    assert found is not None
    assert (found.fingerprint, found.created_at) == (b"f", START)
    assert found.answer == Answer(201, "application/json", f"{settled.batch_id}".encode())
    assert await ledger.find_answer(sender().account_id, "K") is None


async def test_a_key_that_was_settled_by_another_has_no_second_effect(ledger: Ledger) -> None:
    who = sender()
    await ledger.settle(who, submission(order("A")), memo("K"))
    with pytest.raises(AlreadyRemembered):
        await ledger.settle(who, submission(order("B")), memo("K"))
    assert (await ledger.find_orders(who, OrderQuery())).count == 1


async def test_of_many_repeats_at_once_one_has_an_effect(ledger: Ledger, engine: Engine, clock: Clock) -> None:
    who = sender()
    other = Ledger(reopened(engine), clock)
    try:
        asked = [submission(order(f"R{n}"), single=n % 2 == 0) for n in range(40)]
        answers = await asyncio.gather(
            *((ledger, other)[n // 2 % 2].settle(who, entry, memo("K")) for n, entry in enumerate(asked)),
            return_exceptions=True,
        )
    finally:
        other.close()
    settled = [answer for answer in answers if not isinstance(answer, AlreadyRemembered)]
    assert len(settled) == 1
    assert (await ledger.find_orders(who, OrderQuery())).count == 1


async def test_an_answer_is_forgotten_after_a_day(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    await ledger.settle(who, submission(order("A")), memo("K"))
    await ledger.keep_answer(who.account_id, "L", b"f", Answer(200, "text/plain", b"\x00\xff"))
    clock.advance(KEPT_S - 1)
    assert await ledger.find_answer(who.account_id, "K") is not None
    clock.advance(1)
    assert await ledger.find_answer(who.account_id, "K") is None
    await ledger.settle(who, submission(order("B")), memo("K", b"g"))
    await ledger.keep_answer(who.account_id, "L", b"h", Answer(200, "text/plain", b"new"))
    again, kept = [await ledger.find_answer(who.account_id, key) for key in "KL"]
    assert again is not None
    assert kept is not None
    assert (again.fingerprint, kept.fingerprint, kept.answer.body) == (b"g", b"h", b"new")


async def test_an_amendment_is_remembered_too(ledger: Ledger) -> None:
    who = sender()
    number = (await put(ledger, who, order())).items[0].order_id or 0
    await ledger.amend(who, number, cancelled, memo("K"))
    with pytest.raises(AlreadyRemembered):
        await ledger.amend(who, number, lambda given: order(status="again", content=8, released=True), memo("K"))
    assert (await ledger.find_order(who, number)) is not None
    assert len(await ledger.find_revisions(who, number)) == 2


# apart


async def test_what_is_another_accounts_or_modes_is_never_found(ledger: Ledger) -> None:
    who = sender()
    settled = await put(ledger, who, order("A"), bad("1"))
    assert settled.batch is not None
    number, batch_id = settled.items[0].order_id or 0, settled.batch.id
    for stranger in (sender(), sender(who.account_id, Mode.TEST), sender(mode=Mode.TEST)):
        assert await ledger.find_order(stranger, number) is None
        assert await ledger.find_order_by_key(stranger, A) is None
        assert await ledger.find_revisions(stranger, number) == ()
        assert await ledger.find_batch(stranger, batch_id) is None
        assert (await ledger.find_items(stranger, ItemQuery(batch_id=batch_id))).entries == ()
        assert await ledger.find_causes(stranger, batch_id) == ()
        orders = await ledger.find_orders(stranger, OrderQuery(ids=(number,)))
        batches = await ledger.find_batches(stranger, BatchQuery(with_count=True))
        assert (orders.entries, orders.count, batches.entries, batches.count) == ((), 0, (), 0)
        with pytest.raises(NotFound):
            await ledger.amend(stranger, number, cancelled)
        assert words(await ledger.check(stranger, submission(order("A", on_existing=OnExisting.REFUSE)))) == ["created"]
    assert (await current(ledger, who)).status == "open"


async def test_dialects_and_sources_are_name_spaces_of_their_own(ledger: Ledger) -> None:
    who = sender()
    settled = await put(ledger, who, order(), order(dialect="karrio"), order(source="shop"), order(dialect="centra"))
    assert words(settled) == ["created"] * 4


async def test_two_accounts_may_use_the_same_item_positions_and_batches_stay_apart(ledger: Ledger) -> None:
    one, two = sender(), sender()
    first, second = await asyncio.gather(put(ledger, one, order()), put(ledger, two, order()))
    assert first.batch_id != second.batch_id
    assert first.items[0].id == item_id(first.batch_id, 0)


# ending


async def test_what_waits_when_the_ledger_is_closed_is_done_and_nothing_is_taken_after(
    engine: Engine, clock: Clock
) -> None:
    ledger = Ledger(engine, clock)
    who = sender()
    jobs = [Job(sender=who, submission=submission(order(f"Q{n}"), single=n % 2 == 0)) for n in range(50)]
    answers = [ledger.lanes.submit(job) for job in jobs]
    ledger.close()
    settled = await asyncio.gather(*answers)
    assert [answer.items[0].outcome for answer in settled] == [OutcomeKind.CREATED] * 50
    with pytest.raises(Exception, match="leaving"):
        await put(ledger, who, order("late"))
    with pytest.raises(Exception, match="leaving"):
        await ledger.find_order(who, 1)
    ledger.close()
