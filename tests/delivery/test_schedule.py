"""Time, with a clock that the tests move: ten attempts in 76 hours, ordering, leases, disabling, sending again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from delivery.house import House, policy
from delivery.receiver import OK, Receiver, answering, status
from ledgers import SECOND, Clock, order, put, put_one, sender
from standardwebhooks.webhooks import Webhook

from ordermill.core.delivery import (
    RETRY_DELAYS_S,
    Answer,
    DeliveryState,
    Endpoint,
    EndpointState,
    Failure,
    Ordering,
    Policy,
    Result,
)
from ordermill.core.delivery_query import DeliveryQuery, EventQuery
from ordermill.core.erasing import Person
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.event import EventType, facts_of
from ordermill.delivery.pipeline import bounds_for
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio
HOUR = 3_600


def becoming(**changes: Any) -> Callable[[Endpoint], Endpoint]:
    return lambda known: msgspec.structs.replace(known, **changes)


class Told:
    """A post that answers as it is told, and remembers when it was asked for what."""

    def __init__(self, clock: Clock, *answers: int) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.asked: list[tuple[int, str]] = []

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        self.asked.append((self.clock.now, headers["webhook-id"]))
        code = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        failure = None if code < 300 else Failure.GONE if code == 410 else Failure.SERVER
        return Answer(status=code, failure=failure, took_ms=3, snippet=f"answer {code}")

    async def close(self) -> None:
        pass


def telling(house: House, *answers: int) -> Told:
    assert isinstance(house.clock, Clock)
    told = Told(house.clock, *answers)
    house.dispatcher.posts = {"http": told}
    return told


@pytest.mark.parametrize("jitter", [0.0, 1.0, -1.0, None])
async def test_over_76_hours_there_are_exactly_ten_attempts(ledger: Ledger, clock: Clock, jitter: float | None) -> None:
    who = sender()
    dice = random.Random(7)
    kept = Policy(jitter=lambda: dice.uniform(-1, 1) if jitter is None else jitter)
    async with House(ledger, policy=kept) as house:
        told = telling(house, 503)
        await house.endpoint(who, "https://receiver.example/")
        await put_one(ledger, who, order("A"))
        started = clock.now
        await house.turn()
        while (entry := (await house.deliveries(who))[0]).state is DeliveryState.PENDING:
            tried = len(told.asked)
            clock.now = entry.due_at - 1
            await house.turn()
            assert len(told.asked) == tried
            clock.now = entry.due_at
            await house.turn()
        clock.advance(100 * HOUR)
        await house.turn()
        assert len(told.asked) == 10
        assert len({message for _, message in told.asked}) == 1
        waits = [
            (later - earlier) / SECOND for (earlier, _), (later, _) in zip(told.asked, told.asked[1:], strict=False)
        ]
        for waited, due in zip(waits, RETRY_DELAYS_S[1:], strict=True):
            least, most = (0.8, 1.2) if jitter is None else (1 + jitter * 0.2,) * 2
            assert due * least - 0.001 <= waited <= due * most + 0.001
        if jitter == 0.0:
            assert 75 * HOUR < (told.asked[-1][0] - started) / SECOND < 76 * HOUR
        (entry,) = await house.deliveries(who)
        assert (entry.state, entry.tries, entry.last_error) == (DeliveryState.EXHAUSTED, 10, "server_error 503")
        log = await ledger.outbox.find_attempts(who, entry.id)
        assert [(attempt.at, attempt.status, attempt.snippet) for attempt in log] == [
            (at, 503, "answer 503") for at, _ in told.asked
        ]


async def test_a_message_that_is_given_up_is_announced_to_the_others(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger, policy=policy((0, 1))) as house:
        telling(house, 500)
        failing = await house.endpoint(who, "https://receiver.example/", events=("order.*", "message.exhausted"))
        other = await house.endpoint(who, "https://other.example/", events=("message.exhausted",))
        await put_one(ledger, who, order("A"))
        for _ in range(4):
            await house.turn()
            clock.advance(2)
        told = await house.deliveries(who, type=EventType.MESSAGE_EXHAUSTED)
        assert [entry.endpoint_id for entry in told] == [other.id]
        page = await ledger.outbox.find_events(who, EventQuery(type=EventType.MESSAGE_EXHAUSTED))
        (event,) = page.entries
        facts = facts_of(event)
        assert (facts["messageType"], facts["attempts"], facts["lastError"]) == ("order.created", 2, "server_error 500")
        (given_up,) = await house.deliveries(who, endpoint_id=failing.id)
        assert facts["messageId"] == given_up.message_id


async def test_410_disables_and_says_so(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        told = telling(house, 410)
        gone = await house.endpoint(who, "https://receiver.example/", ordering=Ordering.STRICT)
        other = await house.endpoint(who, "https://other.example/", events=("endpoint.disabled",))
        await put(ledger, who, order("A"), order("B"))
        await house.turn()
        known = await ledger.outbox.find_endpoint(who, gone.id)
        assert known is not None
        assert (known.state, known.reason) == (EndpointState.DISABLED, "it answered 410 Gone")
        owed = await house.deliveries(who, type=EventType.ENDPOINT_DISABLED)
        assert [entry.endpoint_id for entry in owed] == [other.id]
        # nothing more goes there, until it is enabled again
        clock.advance(100 * HOUR)
        before = len(told.asked)
        await house.turn()
        assert len(told.asked) - before == 0
        told.answers = [200]
        await ledger.outbox.change_endpoint(who, gone.id, becoming(state=EndpointState.ACTIVE))
        await house.turn()
        assert {entry.state for entry in await house.deliveries(who, endpoint_id=gone.id)} == {
            DeliveryState.DELIVERED, DeliveryState.EXHAUSTED,
        }  # fmt: skip


async def test_five_days_of_only_failures_disable(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        telling(house, 500)
        endpoint = await house.endpoint(who, "https://receiver.example/")
        started = clock.now
        states = []
        for number in range(11):
            await put_one(ledger, who, order(f"O{number}"))
            await house.turn()
            known = await ledger.outbox.find_endpoint(who, endpoint.id)
            assert known is not None
            states.append((known.state, (clock.now - started) // (24 * HOUR * SECOND)))
            clock.advance(12 * HOUR)
        assert states[9] == (EndpointState.ACTIVE, 4)
        assert states[10] == (EndpointState.DISABLED, 5)
        stats = await ledger.outbox.find_stats(who, endpoint.id)
        await put_one(ledger, who, order("later"))
        assert (await ledger.outbox.find_stats(who, endpoint.id)).missed == stats.missed + 1


async def test_a_newer_event_of_an_order_waits_for_the_older_one(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        told = telling(house, 500, 200)
        await house.endpoint(who, "https://receiver.example/", events=("order.*",))
        await put_one(ledger, who, order("A", at=1))
        await house.turn()
        await put_one(ledger, who, order("A", at=2))
        await put_one(ledger, who, order("B", at=1))
        await house.turn()
        assert len(told.asked) == 2  # A's first in vain, then B's; A's second waits
        clock.advance(5)
        await house.turn()
        ids = [message for _, message in told.asked]
        assert ids[2] == ids[0]
        assert len(ids) == 4
        assert (await house.deliveries(who))[0].state is DeliveryState.DELIVERED


async def test_strict_and_no_ordering(ledger: Ledger, clock: Clock) -> None:
    for ordering, sent in ((Ordering.STRICT, 1), (Ordering.NONE, 3)):
        who = sender()
        async with House(ledger) as house:
            told = telling(house, 500)
            await house.endpoint(who, "https://receiver.example/", events=("order.*",), ordering=ordering)
            for at in range(3):
                await put_one(ledger, who, order("A", at=at))
            await house.turn()
            assert len(told.asked) == sent


@pytest.mark.parametrize("ordering", list(Ordering))
async def test_everything_arrives_in_its_order_through_failures(
    ledger: Ledger, clock: Clock, ordering: Ordering
) -> None:
    who = sender()
    dice = random.Random(3)
    async with House(ledger, policy=policy([0] + [1] * 60)) as house:
        told = telling(house, *(dice.choice([200, 200, 500]) for _ in range(400)), 200)
        await house.endpoint(who, "https://receiver.example/", events=("order.*",), ordering=ordering)
        for at in range(6):
            await put(ledger, who, *(order(f"O{number}", at=at) for number in range(8)))
        for _ in range(80):
            await house.turn()
            clock.advance(1)
        done = await house.deliveries(who)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        assert len(done) == 48
        page = await ledger.outbox.find_events(who, EventQuery(limit=100))
        about = {event.message_id: facts_of(event) for event in page.entries}
        first: list[str] = []
        for _, message in told.asked:
            if message in about and message not in first:
                first.append(message)
        for number in range(8) if ordering is Ordering.PER_ORDER else ():
            versions = [about[message]["version"] for message in first if about[message]["reference"] == f"O{number}"]
            assert versions == sorted(versions)
        if ordering is Ordering.STRICT:
            numbers = [event.id for message in first for event in page.entries if event.message_id == message]
            assert numbers == sorted(numbers)


async def test_a_result_after_the_lease_does_not_count(ledger: Ledger, clock: Clock) -> None:
    """Two processes; the first one was stopped in mid-attempt for longer than its lease."""
    who = sender()
    async with House(ledger) as slow, House(ledger) as quick:
        await slow.endpoint(who, "https://receiver.example/")
        await put_one(ledger, who, order("A"))
        outbox = ledger.outbox
        (endpoint,) = [entry for entry in await outbox.find_busy() if entry.account_id == who.account_id]
        due = await outbox.find_due([(endpoint, 10)])
        held = await outbox.claim(due, "slow", 60 * SECOND)
        assert len(held) == 1
        assert await outbox.claim(due, "other", 60 * SECOND) == []
        clock.advance(59)
        assert telling(quick, 200).asked == []
        await quick.turn()
        assert quick.dispatcher.posts["http"].asked == []  # type: ignore[attr-defined]
        clock.advance(2)
        await quick.turn()
        late = Result(held[0], Answer(status=500, failure=Failure.SERVER, took_ms=1), clock.now)
        recorded = await outbox.record([late], "slow", policy())
        assert recorded.lost == 1
        (entry,) = await quick.deliveries(who)
        assert entry.state is DeliveryState.DELIVERED
        assert [attempt.status for attempt in await outbox.find_attempts(who, entry.id)] == [200]


async def test_what_was_put_off_at_the_last_moment_is_not_claimed_as_it_was_seen(ledger: Ledger, clock: Clock) -> None:
    """The lease ran out and another process saw it due; then the first one wrote down, late, that it is due later."""
    who = sender()
    outbox = ledger.outbox
    async with House(ledger) as house:
        endpoint = await house.endpoint(who, "https://receiver.example/")
        await put_one(ledger, who, order("A"))
        (held,) = await outbox.claim(await outbox.find_due([(endpoint, 10)]), "slow", SECOND)
        clock.advance(2)
        seen = await outbox.find_due([(endpoint, 10)])
        assert len(seen) == 1
        failed = Answer(status=500, failure=Failure.SERVER, took_ms=1)
        assert (await outbox.record([Result(held, failed, clock.now)], "slow", policy())).lost == 0
        assert await outbox.claim(seen, "other", 60 * SECOND) == []


async def test_what_somebody_holds_is_not_tried_now_by_another(ledger: Ledger) -> None:
    who = sender()
    async with House(ledger) as house:
        endpoint = await house.endpoint(who, "https://receiver.example/")
        await put_one(ledger, who, order("A"))
        (held,) = await ledger.outbox.claim(await ledger.outbox.find_due([(endpoint, 10)]), "other", 60 * SECOND)
        assert await house.dispatcher.try_now(who.account_id, held.delivery_id) is None


def test_a_claim_outlasts_the_longest_attempt() -> None:
    for attempt_s in (0.1, 15, 55, 300):
        bounds = bounds_for(attempt_s)
        assert bounds.lease_s - bounds.attempt_s >= attempt_s


async def test_of_two_claims_by_one_process_only_the_newer_one_counts(ledger: Ledger, clock: Clock) -> None:
    """It claimed again what it had lost the lease of; then the first attempt comes back after all."""
    who = sender()
    outbox = ledger.outbox
    house = House(ledger)
    endpoint = await house.endpoint(who, "https://receiver.example/")
    await put_one(ledger, who, order("A"))
    (first,) = await outbox.claim(await outbox.find_due([(endpoint, 10)]), "me", SECOND)
    clock.advance(2)
    (second,) = await outbox.claim(await outbox.find_due([(endpoint, 10)]), "me", 60 * SECOND)
    assert second.attempt == first.attempt + 1
    failed = Answer(status=500, failure=Failure.SERVER, took_ms=1)
    assert (await outbox.record([Result(first, failed, clock.now)], "me", policy())).lost == 1
    fine = Answer(status=200, failure=None, took_ms=1)
    assert (await outbox.record([Result(second, fine, clock.now)], "me", policy())).lost == 0
    (entry,) = await house.deliveries(who)
    assert (entry.state, entry.tries) == (DeliveryState.DELIVERED, 1)


async def test_a_paused_endpoint_gets_everything_later(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        told = telling(house, 200)
        endpoint = await house.endpoint(who, "https://receiver.example/")
        await ledger.outbox.change_endpoint(who, endpoint.id, becoming(state=EndpointState.PAUSED))
        await put(ledger, who, order("A"), order("B"))
        await house.turn()
        assert told.asked == []
        await ledger.outbox.change_endpoint(who, endpoint.id, becoming(state=EndpointState.ACTIVE))
        await house.turn()
        assert len(told.asked) == 3


async def test_a_deleted_endpoint_is_owed_nothing_more(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        told = telling(house, 200)
        endpoint = await house.endpoint(who, "https://receiver.example/")
        await put_one(ledger, who, order("A"))
        await ledger.outbox.change_endpoint(who, endpoint.id, becoming(state=EndpointState.DELETED))
        await house.turn()
        assert told.asked == []
        (entry,) = await house.deliveries(who)
        assert (entry.state, entry.last_error) == (DeliveryState.EXHAUSTED, "endpoint_deleted")
        with pytest.raises(NotFound):
            await ledger.outbox.change_endpoint(who, endpoint.id, becoming(description="x"))
        with pytest.raises(Conflict):
            await ledger.outbox.resend(who, entry.id)
        assert await ledger.outbox.replay(who, DeliveryQuery()) == 0


async def test_one_is_sent_again_with_the_same_id_and_body(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url)
        await put_one(ledger, who, order("A"))
        await house.turn()
        (entry,) = await house.deliveries(who)
        clock.advance(3)
        await ledger.outbox.resend(who, entry.id)
        await house.turn()
        first, second = receiver.got
        assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
        assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
        Webhook(endpoint.secret).verify(second.body, second.headers)
        assert [attempt.number for attempt in await ledger.outbox.find_attempts(who, entry.id)] == [1, 2]


async def test_what_was_given_up_is_replayed(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger, policy=policy((0,))) as house:
        told = telling(house, 500)
        first = await house.endpoint(who, "https://receiver.example/", events=("order.*",))
        second = await house.endpoint(who, "https://other.example/", events=("order.*",))
        await put(ledger, who, *(order(f"O{number}") for number in range(30)))
        await house.turn()
        assert len(await house.deliveries(who, state=DeliveryState.EXHAUSTED)) == 60
        told.answers = [200]
        assert await ledger.outbox.replay(who, DeliveryQuery(endpoint_id=first.id)) == 30
        await house.turn()
        assert {entry.endpoint_id for entry in await house.deliveries(who, state=DeliveryState.EXHAUSTED)} == {
            second.id
        }
        assert await ledger.outbox.replay(who, DeliveryQuery()) == 30
        await house.turn()
        assert await house.deliveries(who, state=DeliveryState.EXHAUSTED) == ()


async def test_an_endpoint_recovers_what_it_missed_since_an_instant(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with House(ledger) as house:
        told = telling(house, 200)
        endpoint = await house.endpoint(who, "https://receiver.example/", events=("order.created",))
        await put_one(ledger, who, order("before"))
        await house.turn()
        clock.advance(10)
        off = clock.now
        await ledger.outbox.change_endpoint(who, endpoint.id, becoming(state=EndpointState.DISABLED))
        for batch in range(3):
            await put(ledger, who, *(order(f"O{batch}-{number}") for number in range(200)))
            clock.advance(1)
        await put_one(ledger, who, order("O0-0", at=9))
        await ledger.outbox.change_endpoint(who, endpoint.id, becoming(state=EndpointState.ACTIVE))
        assert await ledger.outbox.recover(who, endpoint.id, off) == 600
        assert await ledger.outbox.recover(who, endpoint.id, off) == 0
        await house.turn()
        assert len({message for _, message in told.asked}) == 601 == len(told.asked)


async def test_what_was_erased_is_told_nobody_again(ledger: Ledger, clock: Clock) -> None:
    """Not by sending one again, not by a replay, and not to an endpoint that recovers what it missed."""
    who = sender()
    async with House(ledger, policy=policy((0,))) as house:
        told = telling(house, 500)
        known = await house.endpoint(who, "https://receiver.example/", events=("order.created",))
        begun = clock.now - 1
        owned = msgspec.structs.replace(order("A"), identifiers=(("email", "ann@example.com"),))
        await put(ledger, who, owned, order("B"))
        await house.turn()
        assert (await ledger.erase(who, Person("email", "ann@example.com"), lambda _: "{}")).orders == 1
        gone = {event.id for event in (await ledger.outbox.find_events(who, EventQuery())).entries if event.erased}
        (entry,) = [entry for entry in await house.deliveries(who) if entry.event_id in gone]
        assert entry.state is DeliveryState.EXHAUSTED
        clock.advance(1)
        with pytest.raises(Conflict, match="erased"):
            await ledger.outbox.resend(who, entry.id)
        assert await ledger.outbox.replay(who, DeliveryQuery()) == 1
        told.answers = [200]
        await house.turn()
        late = await house.endpoint(who, "https://late.example/", events=("order.created",))
        assert await ledger.outbox.recover(who, late.id, begun) == 1
        assert await ledger.outbox.recover(who, known.id, begun) == 0
        told.asked.clear()
        await house.turn()
        assert [message for _, message in told.asked] == [
            event.message_id
            for event in (await ledger.outbox.find_events(who, EventQuery())).entries
            if event.type is EventType.ORDER_CREATED and not event.erased
        ]


async def test_for_a_day_after_a_rotation_both_secrets_verify(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger) as house:
        old = await house.endpoint(who, receiver.url)
        new = await ledger.outbox.rotate_secret(who, old.id)
        assert new.secret != old.secret
        await put_one(ledger, who, order("A"))
        await house.turn()
        got = receiver.got[0]
        assert len(got.headers["webhook-signature"].split()) == 2
        for secret in (old.secret, new.secret):
            Webhook(secret).verify(got.body, got.headers)
        clock.advance(24 * HOUR)
        await put_one(ledger, who, order("B"))
        await house.turn()
        assert len(receiver.got[1].headers["webhook-signature"].split()) == 1


async def test_a_ping_goes_out_at_once_and_is_logged(ledger: Ledger) -> None:
    who = sender()
    async with Receiver(answering(status(503, body=b"not now"))) as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url, events=("batch.failed",))
        delivery_id = await ledger.outbox.ping(who, endpoint.id)
        await house.turn()
        assert receiver.got == []  # the loops leave it to whoever asked
        answer = await house.dispatcher.try_now(who.account_id, delivery_id)
        assert answer is not None
        assert (answer.status, answer.failure, answer.snippet) == (503, Failure.SERVER, "not now")
        assert json.loads(receiver.got[0].body)["type"] == "ping"
        found = await ledger.outbox.find_delivery(who, delivery_id)
        assert found is not None
        assert found.state is DeliveryState.EXHAUSTED


async def test_what_is_older_than_the_retention_is_forgotten(ledger: Ledger, clock: Clock) -> None:
    who = sender(1)
    async with House(ledger) as house:
        telling(house, 200)
        endpoint = await house.endpoint(who, "https://receiver.example/")
        await put(ledger, who, *(order(f"old{number}") for number in range(5)), notify_url="https://n.example/1")
        await house.turn()
        clock.advance(10)
        await put_one(ledger, who, order("new"))
        await house.turn()
        (kept, *old) = await house.deliveries(who)
        await ledger.outbox.forget(clock.now)
        assert [entry.id for entry in await house.deliveries(who)] == [kept.id]
        assert await ledger.outbox.find_attempts(who, old[0].id) == ()
        assert len((await ledger.outbox.find_events(who, EventQuery())).entries) == 1
        assert [entry.id for entry in await ledger.outbox.find_endpoints(who)] == [endpoint.id]


async def test_statistics_add_up(ledger: Ledger, clock: Clock) -> None:
    who = sender()
    async with Receiver(answering(OK, status(500), OK)) as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url, events=("order.*",))
        for number in range(4):
            await put_one(ledger, who, order(f"O{number}"))
            await house.turn()
        stats = await ledger.outbox.find_stats(who, endpoint.id)
        assert (stats.delivered, stats.failed, stats.pending, stats.exhausted) == (3, 1, 1, 0)
        assert stats.next_due_at == clock.now + 5 * SECOND
        assert stats.p95_ms is not None
        clock.advance(25 * HOUR)
        assert (await ledger.outbox.find_stats(who, endpoint.id)).delivered == 0
