"""What a client does, without a socket: when it tries again, how long it waits, what it makes of a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from ordermill.client.steps import Answer, Call, Refused, Unreachable, Wait, asked_wait_s, exchange, refused

GET = Call(method="GET", path="/x")
POST = Call(method="POST", path="/x")
KEYED = Call(method="POST", path="/x", headers=(("Idempotency-Key", "k"),))


def drive(call: Call, *answers: Any, **more: Any) -> tuple[Any, list[float]]:
    """The result of an exchange that meets these answers, and its waits."""
    waits: list[float] = []
    left = list(answers)
    conversation = exchange(call, **more)
    try:
        step = next(conversation)
        while True:
            if isinstance(step, Wait):
                waits.append(step.seconds)
                step = conversation.send(None)
                continue
            met = left.pop(0)
            step = conversation.throw(met) if isinstance(met, Exception) else conversation.send(met)
    except StopIteration as end:
        return end.value, waits


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


def test_a_good_answer_is_the_end() -> None:
    assert drive(POST, answer(201)) == (answer(201), [])


@pytest.mark.parametrize("call", [GET, KEYED])
def test_what_changes_nothing_or_carries_a_key_is_sent_again(call: Call) -> None:
    result, waits = drive(call, Unreachable("gone"), answer(502), answer(200))
    assert result.status == 200
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1] * 2.1


def test_what_may_have_had_its_effect_is_not_sent_again() -> None:
    with pytest.raises(Unreachable):
        drive(POST, Unreachable("gone"))
    assert drive(POST, answer(502)) == (answer(502), [])


def test_come_back_later_is_heeded_by_everything() -> None:
    result, waits = drive(POST, answer(429, retry_after="7"), answer(503, retry_after="0"), answer(204))
    assert (result.status, waits) == (204, [7.0, 0.0])


def test_it_gives_up_after_the_last_try() -> None:
    result, waits = drive(GET, *[answer(503)] * 3, tries=3)
    assert (result.status, len(waits)) == (503, 2)


def test_other_refusals_are_answers() -> None:
    for status in (400, 401, 404, 409, 422):
        assert drive(KEYED, answer(status))[1] == []


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"x-sib-ratelimit-remaining": "0", "x-sib-ratelimit-reset": "12"}, 12.0),
        ({"x-sib-ratelimit-remaining": "5", "x-sib-ratelimit-reset": "12"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_what_servers_ask_for(headers: dict[str, str], wait: float | None) -> None:
    assert asked_wait_s(headers) == wait


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"detail":"no","code":"invalid","hint":"do","errors":[]}', "no"),
        (b'{"message":"no","code":"invalid_parameter"}', "no"),
        (b'{"errors":[{"message":"no","code":"validation"}]}', "no"),
        (b'{"status":"no","msg":"no"}', "no"),
        (b"<html>no</html>", "<html>no</html>"),
        (b"", "HTTP 400"),
    ],
)
def test_refusals_in_every_known_form(body: bytes, message: str) -> None:
    error = refused(Answer(400, {}, body))
    assert isinstance(error, Refused)
    assert error.message == message
