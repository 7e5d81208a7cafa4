"""The clock is set while deliveries wait: forward or back, by whom it may be, and also while no process runs."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from delivery.house import House, policy
from delivery.test_schedule import HOUR, telling
from ledgers import Clock, order, put, sender

from ordermill.core.batch import Sender
from ordermill.core.delivery import DeliveryState
from ordermill.store import duties
from ordermill.store.ledger import Ledger
from ordermill.work.stepping import ClockSteps

pytestmark = pytest.mark.anyio
_names = itertools.count()
DELAYS_S = (0, 5, 300, 300)


class Steady:
    """The clock that nobody can set."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class Times:
    """Both clocks: time passes on both, one of them is set."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.clock = clock
        self.steady = Steady()
        self.steps = ClockSteps(ledger, clock, monotonic=self.steady)

    async def set(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.steps.look()

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.steady.now += int(seconds * 1_000_000)
        await self.steps.look()


async def merchant(ledger: Ledger) -> Sender:
    """A sender of an account that there is: what is set back is looked for account by account."""
    account = await ledger.create_account(f"clock {next(_names)} {id(ledger)}")
    return msgspec.structs.replace(sender(), account_id=account.id)


@pytest.fixture
def times(ledger: Ledger, clock: Clock) -> Times:
    return Times(ledger, clock)


async def failing(house: House, who: Sender, *answers: int) -> Any:
    """An endpoint that has refused one event already; the next attempt is 5 s away."""
    told = telling(house, *answers)
    await house.endpoint(who, "http://127.0.0.1:9/")
    await put(house.ledger, who, order("A"))
    await house.turn()
    return told


@pytest.mark.parametrize("back_s", [60, HOUR, 30 * 24 * HOUR])
async def test_set_back_nothing_waits_longer_than_it_would_have(ledger: Ledger, times: Times, back_s: int) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        told = await failing(house, who, 500, 500, 200)
        first = len(told.asked)
        await times.set(-back_s)
        await house.turn()
        assert len(told.asked) == first, "not early"
        await times.passes(5)
        await house.turn()
        assert len(told.asked) > first, "not late"
        second = len(told.asked)
        await times.passes(299)
        await house.turn()
        assert len(told.asked) == second
        await times.passes(2)
        await house.turn()
        assert {entry.state for entry in await house.deliveries(who)} == {DeliveryState.DELIVERED}


async def test_set_forward_each_wait_is_cut_short_once_and_nothing_is_lost(ledger: Ledger, times: Times) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        told = await failing(house, who, 500, 500, 200)
        await times.set(24 * HOUR)
        await house.turn()
        second = len(told.asked)
        await times.passes(299)
        await house.turn()
        assert len(told.asked) == second, "the wait behind it is a whole one"
        await times.passes(2)
        await house.turn()
        assert {entry.state for entry in await house.deliveries(who)} == {DeliveryState.DELIVERED}


async def test_set_back_while_no_process_ran(ledger: Ledger, clock: Clock) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        told = await failing(house, who, 500, 200)
        first = len(told.asked)
        clock.advance(-24 * HOUR)
        await ClockSteps(ledger, clock).at_start()
        clock.advance(5.1)
        await house.turn()
        assert len(told.asked) > first
        assert {entry.state for entry in await house.deliveries(who)} == {DeliveryState.DELIVERED}


async def test_what_a_crash_left_claimed_is_due_when_its_lease_would_have_ended(ledger: Ledger, times: Times) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        told = telling(house, 200)
        await house.endpoint(who, "http://127.0.0.1:9/")
        await put(ledger, who, order("A"))
        busy = await ledger.outbox.find_busy()
        due = await ledger.outbox.find_due(
            [(endpoint, 8) for endpoint in busy if endpoint.account_id == who.account_id]
        )
        assert await ledger.outbox.claim(due, "gone", 60_000_000)
        await times.set(-HOUR)
        await times.passes(59)
        await house.turn()
        assert told.asked == []
        await times.passes(2)
        await house.turn()
        assert {entry.state for entry in await house.deliveries(who)} == {DeliveryState.DELIVERED}


async def test_a_signature_is_of_the_instant_at_which_it_is_made(ledger: Ledger, times: Times, clock: Clock) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        seen: list[dict[str, str]] = []
        told = telling(house, 200)
        post = told.post

        async def noting(url: str, headers: dict[str, str], body: bytes) -> Any:
            seen.append({**headers, "told": str(json.loads(body)["timestamp"])})
            return await post(url, headers, body)

        told.post = noting  # type: ignore[method-assign]
        await house.endpoint(who, "http://127.0.0.1:9/")
        await put(ledger, who, order("A"))
        await times.set(-HOUR)
        await house.turn()
        assert {headers["webhook-timestamp"] for headers in seen} == {str(clock() // 1_000_000)}


async def test_duties_are_done_in_time_as_well(ledger: Ledger, times: Times, clock: Clock) -> None:
    def mine() -> Any:
        now = clock()
        return ledger.lanes.write(lambda tx: duties.claim_duty(tx, "tested", now, now + 60_000_000))

    assert await mine()
    await times.set(-HOUR)
    await times.passes(59)
    assert not await mine()
    await times.passes(2)
    assert await mine()


async def test_what_a_kept_clock_is_corrected_by_moves_nothing(ledger: Ledger, times: Times) -> None:
    who = await merchant(ledger)
    async with House(ledger, policy=policy(DELAYS_S)) as house:
        await failing(house, who, 500, 200)
        before = [entry.due_at for entry in await house.deliveries(who)]
        await times.set(-2)
        assert [entry.due_at for entry in await house.deliveries(who)] == before
