"""The rules of delivery, without a store: when to try again, when to give up, who hears what."""

from __future__ import annotations

import base64

import msgspec
import pytest

from ordermill.core.delivery import (
    RETRY_DELAYS_S,
    Answer,
    Claim,
    DeliveryState,
    Endpoint,
    EndpointState,
    Failure,
    Format,
    Kind,
    Ordering,
    Policy,
    Result,
    after_attempt,
    after_results,
    host_of,
    lane_of,
    make_secret,
    own_voice,
    wants,
)
from ordermill.core.event import Draught, Event, EventType, parse_message, spell_message
from ordermill.core.order import Mode

SECOND = 1_000_000
NOW = 1_795_167_000 * SECOND
OK = Answer(status=200, failure=None, took_ms=1)
BAD = Answer(status=500, failure=Failure.SERVER, took_ms=1)


def endpoint(**facts: object) -> Endpoint:
    given: dict[str, object] = {
        "id": 1, "account_id": 1, "mode": Mode.LIVE, "kind": Kind.OWN, "url": "https://a.example/", "description": "",
        "events": (), "format": Format.PLAIN, "ordering": Ordering.PER_ORDER, "state": EndpointState.ACTIVE,
        "reason": "", "secret": "whsec_" + "A" * 32, "old_secret": None, "old_secret_until": None, "created_at": NOW,
        "changed_at": NOW,
    }  # fmt: skip
    return Endpoint(**{**given, **facts})  # type: ignore[arg-type]


def claim(tries: int = 0, type_: EventType = EventType.ORDER_CREATED) -> Claim:
    event = Event(
        id=1, account_id=1, mode=Mode.LIVE, type=type_, dialect="brevo", order_id=7, item_id=7, batch_id=None,
        created_at=NOW, body=b"{}",
    )  # fmt: skip
    return Claim(
        delivery_id=1, account_id=1, endpoint_id=1, attempt=1, tries=tries, lane=7, url=None, event=event
    )  # fmt: skip


def policy(jitter: float = 0.0) -> Policy:
    return Policy(jitter=lambda: jitter)


def test_the_schedule_is_ten_attempts_in_less_than_76_hours() -> None:
    assert len(RETRY_DELAYS_S) == 10
    assert sum(RETRY_DELAYS_S) == pytest.approx(75 * 3600 + 35 * 60, abs=60)


@pytest.mark.parametrize("tries", range(9))
def test_a_failure_is_due_again_after_the_next_delay(tries: int) -> None:
    verdict = after_attempt(Result(claim(tries), BAD, NOW), policy())
    assert verdict.state is DeliveryState.PENDING
    assert verdict.tries == tries + 1
    assert verdict.due_at == NOW + RETRY_DELAYS_S[tries + 1] * SECOND


@pytest.mark.parametrize(("jitter", "factor"), [(-1.0, 0.8), (1.0, 1.2)])
def test_jitter_stays_within_a_fifth(jitter: float, factor: float) -> None:
    verdict = after_attempt(Result(claim(1), BAD, NOW), policy(jitter))
    assert verdict.due_at - NOW == pytest.approx(300 * factor * SECOND)


def test_the_tenth_failure_is_the_last() -> None:
    assert after_attempt(Result(claim(9), BAD, NOW), policy()).state is DeliveryState.EXHAUSTED


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.GONE])
def test_what_cannot_help_is_not_tried_again(failure: Failure) -> None:
    answer = Answer(status=None, failure=failure, took_ms=0)
    assert after_attempt(Result(claim(), answer, NOW), policy()).state is DeliveryState.EXHAUSTED


def test_a_ping_is_tried_once() -> None:
    assert after_attempt(Result(claim(0, EventType.PING), BAD, NOW), policy()).state is DeliveryState.EXHAUSTED


@pytest.mark.parametrize(("asked_s", "waited_s"), [(2, 5), (60, 60), (10**9, 86_400)])
def test_retry_after_can_only_make_it_longer_and_a_day_at_most(asked_s: float, waited_s: float) -> None:
    answer = msgspec.structs.replace(BAD, retry_after_s=asked_s)
    assert after_attempt(Result(claim(), answer, NOW), policy()).due_at == NOW + waited_s * SECOND


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered_even_with_a_cut_answer(status: int) -> None:
    answer = Answer(status=status, failure=Failure.CUT, took_ms=1)
    assert after_attempt(Result(claim(), answer, NOW), policy()).state is DeliveryState.DELIVERED


def test_410_disables_at_once() -> None:
    gone = Answer(status=410, failure=Failure.GONE, took_ms=1)
    assert "410" in after_results(endpoint(), [Result(claim(), gone, NOW)], policy()).disable


def test_five_days_of_only_failures_disable() -> None:
    days = 86_400 * SECOND
    failing = endpoint(failing_since=NOW)
    almost = after_results(failing, [Result(claim(), BAD, NOW + 5 * days - 1)], policy())
    over = after_results(failing, [Result(claim(), BAD, NOW + 5 * days)], policy())
    assert (almost.disable, almost.failing_since) == ("", NOW)
    assert over.disable == "5 days of nothing but failures (last: server_error 500)"


def test_one_success_forgets_the_failures() -> None:
    failing = endpoint(failing_since=NOW - 86_400 * SECOND * 9, last_error="timeout")
    results = [Result(claim(), BAD, NOW), Result(claim(), OK, NOW + 1)]
    health = after_results(failing, reversed(results), policy())
    assert (health.failing_since, health.last_error, health.disable) == (None, "", "")
    assert (health.last_failure_at, health.last_success_at) == (NOW, NOW + 1)


def test_a_host_of_notify_urls_is_never_disabled() -> None:
    gone = Answer(status=410, failure=Failure.GONE, took_ms=1)
    host = endpoint(kind=Kind.NOTIFY, failing_since=NOW - 86_400 * SECOND * 9)
    assert after_results(host, [Result(claim(), gone, NOW)], policy()).disable == ""


CREATED = Draught(EventType.ORDER_CREATED, b"", order_id=7)
DISABLED = Draught(EventType.ENDPOINT_DISABLED, b"")


@pytest.mark.parametrize(
    ("events", "draught", "told"),
    [
        ((), CREATED, True),
        (("*",), CREATED, True),
        (("order.*",), CREATED, True),
        (("order.created",), CREATED, True),
        (("order.updated", "batch.*"), CREATED, False),
        ((), DISABLED, False),
        (("*",), DISABLED, False),
        (("endpoint.disabled",), DISABLED, True),
    ],
)
def test_filters(events: tuple[str, ...], draught: Draught, told: bool) -> None:
    assert wants(endpoint(events=events), draught, own_voice()) is told


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (EndpointState.ACTIVE, True),
        (EndpointState.PAUSED, True),
        (EndpointState.DISABLED, False),
        (EndpointState.DELETED, False),
    ],
)
def test_a_paused_endpoint_is_owed_and_a_disabled_one_is_not(state: EndpointState, told: bool) -> None:
    assert wants(endpoint(state=state), CREATED, own_voice()) is told


@pytest.mark.parametrize(
    ("ordering", "of_order", "of_batch"),
    [(Ordering.NONE, None, None), (Ordering.PER_ORDER, 7, None), (Ordering.STRICT, 0, 0)],
)
def test_lanes(ordering: Ordering, of_order: int | None, of_batch: int | None) -> None:
    assert lane_of(ordering, CREATED) == of_order
    assert lane_of(ordering, Draught(EventType.BATCH_COMPLETED, b"", batch_id=3)) == of_batch


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example/x?y", "https://a.example:443"),
        ("http://a.example:81/", "http://a.example:81"),
        ("http://[::1]/", "http://[::1]:80"),
        ("http://a:b:c", "invalid:"),
        ("http://[x", "invalid:"),
    ],
)
def test_hosts_of_notify_urls(url: str, host: str) -> None:
    assert host_of(url) == host


def test_message_ids_are_ulids_that_lead_back_to_their_event() -> None:
    ids = {spell_message(number, account, NOW) for number in range(1, 500) for account in (1, 2)}
    assert len(ids) == 998
    for number in (1, 77, 2**48 - 1):
        spelled = spell_message(number, 3, NOW)
        assert len(spelled) == 30
        assert parse_message(spelled, 3) == number
        assert parse_message(spelled, 4) is None
    assert spell_message(1, 1, NOW) < spell_message(1, 1, NOW + 5_000)
    assert spell_message(1, 1, NOW) != spell_message(1, 1, NOW + 5_000)


@pytest.mark.parametrize("text", ["", "msg_", "msg_" + "I" * 26, "evt_" + "0" * 26, "msg_" + "0" * 25])
def test_what_is_no_message_id_leads_nowhere(text: str) -> None:
    assert parse_message(text, 1) is None


def test_secrets_have_the_form_and_the_length_of_standard_webhooks() -> None:
    secret = make_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
