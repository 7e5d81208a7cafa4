"""`ordermill webhooks`, as it is typed, on a ledger in a folder; and its receiver."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from delivery.receiver import OK, Receiver, answering, status
from standardwebhooks.webhooks import Webhook

from ordermill.cli.listening import Known, handler
from ordermill.cli.webhooks import webhooks
from ordermill.delivery.signing import NotGenuine, sign, verify

pytestmark = pytest.mark.anyio


class Terminal:
    """Types commands in a thread of its own, as another process would run them."""

    def __init__(self, data: Path) -> None:
        self.data = data

    async def __call__(self, *words: str, code: int = 0) -> Result:
        typed = [*words, "--data", str(self.data)]
        allow = {"ORDERMILL_WEBHOOK_ALLOW": "127.0.0.1", "ORDERMILL_WEBHOOK_RETRIES": "0s"}
        done = await asyncio.to_thread(CliRunner(env=allow).invoke, webhooks, typed)
        assert done.exit_code == code, done.output + repr(done.exception)
        return done

    async def json(self, *words: str) -> Any:
        return json.loads((await self(*words)).stdout)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


async def test_an_endpoint_is_added_tested_and_removed(terminal: Terminal) -> None:
    async with Receiver(answering(OK, status(500, body=b"broken"), OK)) as receiver:
        made = await terminal.json("add", receiver.url, "--events", "order.*,batch.failed", "--json")
        number = made["id"]
        assert made["events"] == ["order.*", "batch.failed"]
        assert (await terminal("test", number)).stdout.startswith("arrived   200")
        Webhook(made["secret"]).verify(receiver.got[0].body, receiver.got[0].headers)
        failed = await terminal("test", number, code=5)
        assert "failed: server_error   500" in failed.stdout
        assert "broken" in failed.stdout
        listed = await terminal("list")
        assert number in listed.stdout
        assert "last error server_error 500" in listed.stdout
        assert (await terminal.json("show", number))["stats"]["exhausted"] == 1
        (given_up,) = await terminal.json("deliveries", "--failed", "--json")
        assert [attempt["answer"] for attempt in given_up["log"]] == ["broken"]
        assert given_up["id"] in (await terminal("deliveries", "--endpoint", number)).stdout
        assert (await terminal("replay", given_up["id"])).stdout.startswith("1 owed")
        assert (await terminal("replay", "--failed")).stdout.startswith("0 owed")
        assert (await terminal("replay", "--endpoint", number, "--since", "6h")).stdout.startswith("0 owed")
        assert given_up["id"] in (await terminal("deliveries", "--pending")).stdout
        assert "is paused" in (await terminal("pause", number)).stdout
        assert "is active" in (await terminal("enable", number)).stdout
        rotated = (await terminal("rotate-secret", number)).stdout.strip()
        assert rotated == (await terminal("secret", number)).stdout.strip() != made["secret"]
        assert (before := (await terminal("secret")).stdout).startswith("whsec_")
        assert (await terminal("rotate-secret")).stdout == (await terminal("secret")).stdout != before
        await terminal("remove", number)
        assert "no endpoint yet" in (await terminal("list")).stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "http://10.0.0.1/"), 2, "ORDERMILL_WEBHOOK_ALLOW"),
        (("add", "http://x.example/", "--events", "order.eaten"), 2, "event type"),
        (("test", "we_" + "0" * 32), 2, "no id of this account"),
        (("replay",), 2, "say which"),
        (("replay", "--failed", "--since", "whenever"), 2, "no point in time"),
        (("list", "--account", "nobody"), 6, "no account"),
    ],
)
async def test_what_goes_wrong_is_said_plainly(
    terminal: Terminal, words: tuple[str, ...], code: int, told: str
) -> None:
    assert told in (await terminal(*words, code=code)).stderr


def test_the_receiver_verifies_and_answers_as_told(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "whsec_" + "A" * 32
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(Known(lambda: (secret,)), status=202, bodies=True))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        body = b'{"type":"order.created"}'
        now = int(time.time())
        for sent_at, expected in ((now, 202), (now - 1_000, 401)):
            headers = {
                "webhook-id": "msg_1", "webhook-timestamp": str(sent_at),
                "webhook-signature": sign((secret,), "msg_1", sent_at, body),
            }  # fmt: skip
            request = urllib.request.Request(f"http://127.0.0.1:{server.server_address[1]}/x", body, headers)
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    answered = answer.status
            except urllib.error.HTTPError as error:
                answered = error.code
                error.close()
            assert answered == expected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    told = capsys.readouterr().out
    assert "msg_1  order.created" in told
    assert "/x  verified" in told
    assert "NOT VERIFIED" in told


def test_the_receiver_knows_endpoints_that_were_added_after_it() -> None:
    old, new = "whsec_" + "A" * 32, "whsec_" + "B" * 32
    secrets, asked = [old], []

    def find() -> tuple[str, ...]:
        asked.append(len(secrets))
        return tuple(secrets)

    known = Known(find)
    secrets.append(new)
    at = int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign((new,), "msg_1", at, b"{}"),
    }
    known.verify(headers, b"{}")
    for _ in range(5):  # whoever sends rubbish does not keep the ledger busy
        with pytest.raises(NotGenuine):
            known.verify(headers, b"[]")
    assert asked == [1, 2]


def test_signatures_are_those_of_standard_webhooks() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    # the vector of the specification's own libraries
    assert sign((secret,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1700000001"},
        {"webhook-timestamp": "x"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
    ],
)
def test_what_was_tampered_with_is_not_genuine(change: dict[str, str]) -> None:
    secret, now, body = "whsec_" + "A" * 32, 1_700_000_000, b"{}"
    headers = {
        "webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": sign((secret,), "msg_1", now, body),
    }  # fmt: skip
    verify((secret,), headers, body, now + 299)
    verify(("whsec_" + "B" * 32, secret), headers, body, now)
    with pytest.raises(NotGenuine):
        verify((secret,), {**headers, **change}, body, now)
    with pytest.raises(NotGenuine):
        verify((secret,), headers, b"{ }", now)
    with pytest.raises(NotGenuine):
        verify((secret,), headers, body, now + 301)
