"""What is announced of what is settled, to whom it is owed, and that a receiver gets it and can verify it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import from_http_event, HTTPMessage
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from delivery.house import House
from delivery.receiver import Receiver
from ledgers import SECOND, START, bad, order, put, put_one, sender
from standardwebhooks.webhooks import Webhook

from ordermill.core.batch import Sender
from ordermill.core.delivery import DeliveryState, EventQuery, Format
from ordermill.core.event import CATALOGUE, Event, EventType, facts_of, parse_message
from ordermill.core.order import Mode
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio


async def events(ledger: Ledger, who: Sender, **query: Any) -> list[Event]:
    """Oldest first."""
    page = await ledger.outbox.find_events(who, EventQuery(limit=1000, **query))
    return sorted(page.entries, key=lambda event: event.id)


async def types(ledger: Ledger, who: Sender) -> list[str]:
    return [event.type.value for event in await events(ledger, who)]


async def test_orders_and_batches_reach_a_receiver_that_can_verify_them(ledger: Ledger) -> None:
    who = sender()
    async with Receiver() as receiver, House(ledger) as house:
        endpoint = await house.endpoint(who, receiver.url)
        await put(ledger, who, order("A"), order("B"), bad("2"))
        await house.turn()
        assert sorted(json.loads(got.body)["type"] for got in receiver.got) == [
            "batch.completed_with_errors",
            "order.created",
            "order.created",
        ]
        for got in receiver.got:
            assert got.headers["content-type"] == "application/json"
            # the library wants its time stamps to be of these minutes: the clock stands at the test's beginning
            assert Webhook(endpoint.secret).verify(got.body, got.headers) == json.loads(got.body)
        done = await house.deliveries(who)
        assert {entry.state for entry in done} == {DeliveryState.DELIVERED}
        assert {got.headers["webhook-id"] for got in receiver.got} == {
            event.message_id for event in await events(ledger, who)
        }
