"""The documentation of events: its receivers run and verify, its examples are what is sent, its words are all there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import aiohttp
import pytest
from delivery.house import House
from ledgers import Clock, order, put, sender

from ordermill.core.delivery import DeliveryState, Failure
from ordermill.core.event import CATALOGUE
from ordermill.delivery.signing import sign
from ordermill.store.engine import Engine
from ordermill.store.ledger import Ledger
from ordermill.web.event_types import example_of

pytestmark = pytest.mark.anyio
DOCS = Path(__file__).resolve().parents[2] / "docs"
EVENTS = (DOCS / "events.md").read_text(encoding="utf-8")
RUNTIMES = {"python": sys.executable, "javascript": shutil.which("node"), "php": shutil.which("php")}
ENDINGS = {"python": "py", "javascript": "js", "php": "php"}


def snippet(language: str) -> str:
    text = (DOCS / "how-to" / "receive-webhooks.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def start(language: str, folder: Path, port: int, secret: str) -> asyncio.subprocess.Process:
    """The snippet as a process of its own, listening."""
    program = folder / f"receive.{ENDINGS[language]}"
    program.write_text(snippet(language), encoding="utf-8")
    runtime = RUNTIMES[language]
    assert runtime is not None
    command = [runtime, "-S", f"127.0.0.1:{port}", str(program)] if language == "php" else [runtime, str(program)]
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=quiet, stderr=quiet)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the {language} receiver does not listen")


@pytest.mark.parametrize("language", list(RUNTIMES))
async def test_the_receivers_of_the_documentation_verify(
    engine: Engine, tmp_path: Path, language: str, unavailable: Callable[[str], NoReturn]
) -> None:
    if RUNTIMES[language] is None:
        unavailable(f"a runtime for {language}")
    who, port = sender(), free_port()
    ledger = Ledger(engine, Clock(time.time_ns() // 1000))
    async with House(ledger) as house:
        endpoint = await house.endpoint(who, f"http://127.0.0.1:{port}/")
        process = await start(language, tmp_path, port, endpoint.secret)
        try:
            await put(ledger, who, order("Ä"), order("B"))
            await house.turn()
            done = await house.deliveries(who)
            assert {(entry.state, entry.last_status) for entry in done} == {(DeliveryState.DELIVERED, 204)}
            assert len(done) == 3
            await ledger.outbox.rotate_secret(who, endpoint.id)  # the old one still signs
            await put(ledger, who, order("C"))
            await house.turn()
            assert {entry.state for entry in await house.deliveries(who)} == {DeliveryState.DELIVERED}
            await refuses(port, endpoint.secret)
        finally:
            process.terminate()
            await process.wait()
    ledger.close()


async def refuses(port: int, secret: str) -> None:
    """What is forged, changed or old is answered with 401."""
    body, now = b'{"type":"ping","data":{}}', int(time.time())
    genuine = sign((secret,), "msg_1", now, body)
    cases = [
        (204, now, genuine, body),
        (401, now, genuine, body + b" "),
        (401, now + 1, genuine, body),
        (401, now - 1_000, sign((secret,), "msg_1", now - 1_000, body), body),
        (401, now, "v1,AAAA", body),
        (401, now, "", body),
    ]
    async with aiohttp.ClientSession() as session:
        for expected, sent_at, signature, sent in cases:
            headers = {"webhook-id": "msg_1", "webhook-timestamp": str(sent_at), "webhook-signature": signature}
            async with session.post(f"http://127.0.0.1:{port}/", data=sent, headers=headers) as answer:
                assert answer.status == expected


@pytest.mark.parametrize("type_", list(CATALOGUE))
def test_every_event_is_documented_with_what_is_really_sent(type_: str) -> None:
    (example,) = re.findall(rf"### {re.escape(type_)}\n\n.*?```json\n(.*?)```", EVENTS, re.DOTALL)
    assert json.loads(example) == json.loads(example_of(type_))  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", list(Failure))
def test_every_word_of_the_log_is_explained(failure: Failure) -> None:
    assert f"`{failure.value}" in EVENTS
