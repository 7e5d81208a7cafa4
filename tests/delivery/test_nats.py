"""Events to NATS JetStream, against a server of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from delivery.house import House
from ledgers import Clock, order, put, sender
from standardwebhooks.webhooks import Webhook

from ordermill.core.delivery import DeliveryState
from ordermill.core.delivery_query import NewEndpoint
from ordermill.core.endpoints import Endpoints
from ordermill.core.errors import Invalid
from ordermill.delivery.broker_nats import NatsPost
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio


class Broker:
    """nats-server with JetStream, its data in a folder of the test."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.command = [program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("nats-server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture
def broker(tmp_path: Path, unavailable: Callable[[str], NoReturn]) -> Iterator[Broker]:
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        unavailable("nats-server (Debian: apt install nats-server)")
    running = Broker(program, tmp_path)
    running.start()
    yield running
    running.stop()


async def messages(url: str, stream: str) -> list[Any]:
    """Everything a stream holds."""
    import nats

    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        held = (await jetstream.stream_info(stream)).state.messages
        return [await jetstream.get_msg(stream, seq=number) for number in range(1, held + 1)]
    finally:
        await client.close()


async def make_stream(url: str, stream: str, subjects: list[str]) -> None:
    import nats

    client = await nats.connect(url)
    await client.jetstream().add_stream(name=stream, subjects=subjects)
    await client.close()


async def test_events_are_in_the_stream_before_they_count_and_once(
    ledger: Ledger, clock: Clock, broker: Broker
) -> None:
    who = sender()
    await make_stream(broker.url, "ORDERS", ["orders.>"])
    async with House(ledger) as house:
        house.dispatcher.posts = {"nats": NatsPost(broker.url)}
        endpoint = await house.endpoint(who, "nats:orders")
        await put(ledger, who, order("A"), order("B"))
        await house.turn()
        done = await house.deliveries(who)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        held = await messages(broker.url, "ORDERS")
        assert sorted(message.subject for message in held) == [
            "orders.batch.completed", "orders.order.created", "orders.order.created",
        ]  # fmt: skip
        assert {message.headers["Nats-Msg-Id"] for message in held} == {entry.message_id for entry in done}
        for message in held:
            Webhook(endpoint.secret).verify(message.data, dict(message.headers))
        # sent again: the stream knows that it has it
        await ledger.outbox.resend(who, done[0].id)
        await house.turn()
        log = await ledger.outbox.find_attempts(who, done[0].id)
        assert "had this message already" in log[-1].snippet
        assert len(await messages(broker.url, "ORDERS")) == 3


async def test_without_a_stream_or_a_server_nothing_counts_and_everything_comes_later(
    ledger: Ledger, clock: Clock, broker: Broker
) -> None:
    who = sender()
    async with House(ledger) as house:
        house.dispatcher.posts = {"nats": NatsPost(broker.url)}
        await house.endpoint(who, "nats:orders", events=("order.*",))
        await put(ledger, who, order("A"))
        await house.turn()
        (entry,) = await house.deliveries(who)
        assert (entry.state, entry.last_error) == (DeliveryState.PENDING, "broker")
        broker.stop()
        clock.advance(6)
        await house.turn()
        (entry,) = await house.deliveries(who)
        assert (entry.tries, entry.last_error) in ((2, "timeout"), (2, "broker"))
        broker.start()
        await make_stream(broker.url, "ORDERS", ["orders.>"])
        for _ in range(3):
            clock.advance(2_000)
            await house.turn()
        (entry,) = await house.deliveries(who)
        assert entry.state is DeliveryState.DELIVERED
        assert len(await messages(broker.url, "ORDERS")) == 1


async def test_only_subjects_of_the_operators_broker_can_be_named(ledger: Ledger) -> None:
    who = sender()
    async with House(ledger) as house:
        guard = house.post.guard
        without = Endpoints(ledger.outbox, guard.check_url, house.dispatcher.try_now)
        with pytest.raises(Invalid, match="no broker"):
            await without.create(who, NewEndpoint(url="nats:orders"))
        rules = Endpoints(ledger.outbox, guard.check_url, house.dispatcher.try_now, broker=True)
        for subject in ("", "a..b", ".a", "a.", "a b", "a.*", ">", "$JS.API", "//evil:4222", "a" * 201):
            with pytest.raises(Invalid, match="subject"):
                await rules.create(who, NewEndpoint(url=f"nats:{subject}"))
        assert (await rules.create(who, NewEndpoint(url="nats:shop-1.orders"))).url == "nats:shop-1.orders"
