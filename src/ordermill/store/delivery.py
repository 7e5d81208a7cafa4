"""The queue of deliveries: what is due, who holds it, what came of it. Engine-free; the SQL stands in delivery.sql."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ordermill.core import ids
from ordermill.core.delivery import (
    Claim,
    DeliveryState,
    Due,
    Endpoint,
    Health,
    Policy,
    Recorded,
    Result,
    after_attempt,
    after_results,
    error_word,
)
from ordermill.core.event import (
    ADDRESS_CHARS_MAX,
    OPERATIONAL,
    Draught,
    Event,
    EventType,
    Scribe,
    Subject,
    facts_of,
    moment,
)
from ordermill.core.facts import EndpointFacts, ExhaustionFacts
from ordermill.core.order import Mode, Order
from ordermill.store import rows
from ordermill.store.announcing import Owed, Voices, announce, endpoint, event, listeners
from ordermill.store.engine import Row, Transaction

HOUR_US = 3_600_000_000
PARKED_US = 1_000_000  # at least so long what waits for an older delivery is left alone
_MS_BOUNDS = (50, 250, 1_000, 5_000)


def find_busy(tx: Transaction, now: int) -> tuple[Endpoint, ...]:
    """Active endpoints of any account with something due."""
    return tuple(endpoint(row) for row in tx.all("find_busy", now))


def find_due(tx: Transaction, wanted: Sequence[tuple[Endpoint, int]], now: int) -> list[Due]:
    """What is due of each endpoint, the longest due first, at most so many."""
    found: list[Due] = []
    for target, limit in wanted:
        found += [_due(row) for row in tx.all("find_due", target.account_id, target.id, now, limit)]
    return found


def find_claim(tx: Transaction, account_id: int, delivery_id: int) -> Due | None:
    row = tx.one("find_claim", account_id, delivery_id)
    return _due(row) if row else None


def _due(row: Row) -> Due:
    claim = Claim(
        delivery_id=row[0],
        account_id=row[1],
        endpoint_id=row[2],
        attempt=row[3],
        tries=row[4],
        lane=row[5],
        url=row[6],
        event=event(row[7:17]),
    )
    return Due(claim, row[17], row[18])


def claim(tx: Transaction, found: Sequence[Due], owner: str, now: int, until: int) -> list[Claim]:
    """Takes what is free of `found`, for `owner`, until then; parks what waits behind an older delivery."""
    free = sorted((due for due in found if due.ahead_until is None), key=lambda due: due.claim.delivery_id)
    behind = sorted(
        (
            due.claim.account_id, due.claim.delivery_id, due.claim.attempt, due.due_at,
            max(due.ahead_until, now + PARKED_US),
        )
        for due in found
        if due.ahead_until is not None
    )  # fmt: skip
    wanted = [
        (due.claim.account_id, due.claim.delivery_id, due.claim.attempt, due.due_at, owner, until) for due in free
    ]
    taken = {row[0] for row in tx.all_of("claim_deliveries", (), wanted)}
    tx.run_of("park_deliveries", (), behind)
    claims = [due.claim for due in free if due.claim.delivery_id in taken]
    return [msgspec.structs.replace(entry, attempt=entry.attempt + 1) for entry in claims]


def release(tx: Transaction, claims: Iterable[Claim], owner: str, now: int) -> None:
    """Gives back what was claimed and not sent."""
    held = sorted((entry.account_id, entry.delivery_id, owner, entry.attempt, now) for entry in claims)
    tx.run_of("release_deliveries", (), held)


def record(
    tx: Transaction, voices: Voices, results: Sequence[Result], owner: str, policy: Policy, now: int
) -> Recorded:
    """Writes down what came of attempts: delivered, due again, or given up; and what follows from that.

    A result counts only while its claim is the newest one of its delivery.
    """
    verdicts = {result.claim.delivery_id: after_attempt(result, policy) for result in results}
    wanted = []
    for result in sorted(results, key=lambda entry: entry.claim.delivery_id):
        held, answer = result.claim, result.answer
        verdict = verdicts[held.delivery_id]
        finished = None if verdict.state is DeliveryState.PENDING else result.at
        wanted.append(
            (
                held.account_id, held.delivery_id, owner, held.attempt, verdict.state.value, verdict.due_at,
                verdict.tries, answer.status, error_word(answer), finished,
            )
        )  # fmt: skip
    ours = {row[0] for row in tx.all_of("settle_deliveries", (), wanted)}
    counted = [result for result in results if result.claim.delivery_id in ours]
    _log(tx, counted)
    terminal = [entry for entry in counted if verdicts[entry.claim.delivery_id].state is not DeliveryState.PENDING]
    woken = _wake(tx, terminal, now)
    health = _note_health(tx, voices, counted, policy, now)
    given_up = [entry for entry in terminal if verdicts[entry.claim.delivery_id].state is DeliveryState.EXHAUSTED]
    deliveries = _announce_exhausted(tx, voices, given_up, now) + sum(health[1].values())
    return Recorded(health[0], len(results) - len(counted), woken, deliveries)


def _log(tx: Transaction, counted: Sequence[Result]) -> None:
    """The attempts, and the sums per endpoint and hour."""
    attempts = []
    tallies: dict[tuple[int, int, int], list[int]] = {}
    for result in counted:
        held, answer = result.claim, result.answer
        attempts.append(
            (
                held.account_id, held.delivery_id, held.attempt, result.at, answer.took_ms, answer.status,
                error_word(answer), answer.snippet,
            )
        )  # fmt: skip
        tally = tallies.setdefault((held.account_id, held.endpoint_id, result.at // HOUR_US), [0] * 8)
        tally[0 if answer.delivered else 1] += 1
        tally[2] += answer.took_ms
        tally[3 + sum(answer.took_ms > bound for bound in _MS_BOUNDS)] += 1
    tx.run_of("save_attempts", (), sorted(attempts, key=lambda row: row[:3]))
    for scope, tally in sorted(tallies.items()):
        tx.run("add_delivery_tally", *scope, *tally)


def _wake(tx: Transaction, terminal: Sequence[Result], now: int) -> int:
    """What waited behind a delivery that is over is due now."""
    lanes = {
        (entry.claim.account_id, entry.claim.endpoint_id, entry.claim.lane)
        for entry in terminal
        if entry.claim.lane is not None
    }
    return tx.run_of("wake_lanes", (), [(*lane, now) for lane in sorted(lanes)])


def _note_health(
    tx: Transaction, voices: Voices, counted: Sequence[Result], policy: Policy, now: int
) -> tuple[dict[int, Health], dict[int, int]]:
    """Endpoint id -> its health by now, and how many deliveries were written because it was disabled."""
    grouped: dict[tuple[int, int], list[Result]] = {}
    for result in counted:
        grouped.setdefault((result.claim.account_id, result.claim.endpoint_id), []).append(result)
    healths: dict[int, Health] = {}
    announced: dict[int, int] = {}
    for (account_id, endpoint_id), results in sorted(grouped.items()):
        row = tx.one("find_endpoint", account_id, endpoint_id)
        if row is None:
            continue
        known = endpoint(row)
        health = healths[endpoint_id] = after_results(known, results, policy)
        tx.run(
            "update_health", health.last_success_at, health.last_failure_at, health.failing_since,
            health.last_error, account_id, endpoint_id,
        )  # fmt: skip
        if health.disable and tx.run("disable_endpoint", health.disable, now, account_id, endpoint_id):
            announced[endpoint_id] = _announce_disabled(tx, voices, known, health, now)
    return healths, announced


def _announce_disabled(tx: Transaction, voices: Voices, known: Endpoint, health: Health, now: int) -> int:
    facts = EndpointFacts(
        account_id=known.account_id,
        test_mode=known.mode is Mode.TEST,
        endpoint_id=ids.spell("we", known.account_id, known.mode, known.id),
        url=known.url[:ADDRESS_CHARS_MAX],
        reason=health.disable,
        failing_since=None if health.failing_since is None else moment(health.failing_since),
    )
    body = Scribe(known.account_id, known.mode, now).compose(EventType.ENDPOINT_DISABLED, facts)
    owed = Owed(Draught(EventType.ENDPOINT_DISABLED, body), but=known.id)
    return announce(
        tx, voices, (known.account_id, known.mode, now), listeners(tx, known.account_id, known.mode), [owed]
    )


def _announce_exhausted(tx: Transaction, voices: Voices, given_up: Sequence[Result], now: int) -> int:
    """One event for each message that was given up, except for those that are about the pipeline itself."""
    scopes: dict[tuple[int, Mode], list[Result]] = {}
    for result in given_up:
        about = result.claim.event
        if about.type not in OPERATIONAL:
            scopes.setdefault((about.account_id, about.mode), []).append(result)
    written = 0
    for (account_id, mode), results in sorted(scopes.items()):
        scribe = Scribe(account_id, mode, now)
        endpoints = listeners(tx, account_id, mode)
        owed = [_exhausted(tx, scribe, result) for result in results]
        written += announce(tx, voices, (account_id, mode, now), endpoints, owed)
    return written


def _exhausted(tx: Transaction, scribe: Scribe, result: Result) -> Owed:
    held = result.claim
    row = tx.one("find_endpoint", held.account_id, held.endpoint_id)
    facts = ExhaustionFacts(
        account_id=held.account_id,
        test_mode=scribe.test_mode,
        message_id=held.event.message_id,
        message_type=held.event.type.value,
        endpoint_id=ids.spell("we", held.account_id, scribe.mode, held.endpoint_id),
        url=(held.url or (row[4] if row else ""))[:ADDRESS_CHARS_MAX],
        attempts=held.tries + 1,
        last_error=error_word(result.answer),
    )
    draught = Draught(
        EventType.MESSAGE_EXHAUSTED,
        scribe.compose(EventType.MESSAGE_EXHAUSTED, facts),
        order_id=held.event.order_id,
        batch_id=held.event.batch_id,
    )
    return Owed(draught, but=held.endpoint_id)


# what an event is about


def find_subject(tx: Transaction, about: Event) -> Subject:
    """The order as it stood at that version, or the batch with its items. Empty where the retention took it."""
    if about.order_id is not None:
        return Subject(order=_order_then(tx, about))
    if about.batch_id is None:
        return Subject()
    row = tx.one("find_batch", about.account_id, about.mode, about.batch_id)
    if row is None:
        return Subject()
    first, behind = about.batch_id << 24, (about.batch_id + 1) << 24
    found = tx.compose("find_item_heads", [], [about.account_id, first - 1, behind, 1 << 24], "item.by_position")
    return Subject(batch=rows.batch(row), items=tuple(rows.item(entry) for entry in found))


def _order_then(tx: Transaction, about: Event) -> Order | None:
    row = tx.one("find_order_at", about.item_id, about.account_id, about.mode, about.order_id)
    if row is None:
        return None
    facts = facts_of(about)
    return msgspec.structs.replace(
        rows.order(row), status=facts["status"], revision=facts["version"], amount=facts["amount"],
        currency=facts["currency"],
    )  # fmt: skip


# retention


def forget(tx: Transaction, account_id: int, before: int, events: int) -> bool:
    """Drops the oldest events from before that instant, with their log; about so many. False: nothing is left."""
    row = tx.one("find_cutoff", account_id, before, events)
    cutoff = row[0] if row else before - 1
    tx.run("forget_attempts", account_id, account_id, cutoff)
    tx.run("forget_deliveries", account_id, account_id, cutoff)
    tx.run("forget_events", account_id, cutoff)
    if row is None:
        tx.run("forget_hosts", account_id, before, account_id)
    return row is not None
