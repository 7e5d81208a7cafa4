"""The webhook calls of the Karrio contract (contract, section 7), described."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ordermill.dialects.karrio.webhooks import EVENTS, Webhook
from ordermill.web.call import Answer, Call
from ordermill.web.openapi_schemas import Schema
from ordermill.web.parameters import Parameter

TAG = "Webhooks"
BY_ID = {"id": "`weh_…`"}


class WebhookData(msgspec.Struct):
    """Where to tell of which events."""

    url: str
    enabled_events: list[str]
    description: str | None = None
    disabled: bool | None = None


class PatchedWebhookData(msgspec.Struct):
    """What is given is changed."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    enabled_events: list[str] | msgspec.UnsetType = msgspec.UNSET
    description: str | None = None
    disabled: bool | None = None


class WebhookTestRequest(msgspec.Struct):
    payload: dict[str, Any] = {}


class WebhookOperation(msgspec.Struct, omit_defaults=True):
    """What came of a call. `reason`: why a test did not arrive."""

    operation: str
    success: bool
    reason: str | msgspec.UnsetType = msgspec.UNSET


class RemovedWebhook(Webhook, kw_only=True):
    """The webhook as it was, its id gone."""

    operation: Literal["Remove webhook"]
    success: bool


class Webhooks(msgspec.Struct):
    """A page of webhooks, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: list[Webhook]


def webhook_calls(paging: tuple[Parameter, ...]) -> tuple[Call, ...]:
    one = (Answer(status=200, sentence="The webhook.", body=Webhook),)
    return (
        Call(
            method="POST",
            pattern="/webhooks",
            id="create_webhook",
            tag=TAG,
            summary="Create a webhook",
            write=True,
            takes=WebhookData,
            examples={"webhook": {"url": "https://shop.example/hook", "enabled_events": ["batch_completed"]}},
            answers=(Answer(status=201, sentence="The webhook.", body=Webhook),),
            refuses=(409,),
        ),
        Call(
            method="GET",
            pattern="/webhooks",
            id="list_webhooks",
            tag=TAG,
            summary="Webhooks, newest first",
            parameters=paging,
            answers=(Answer(status=200, sentence="A page of webhooks.", body=Webhooks),),
            refuses=(400,),
        ),
        Call(
            method="GET",
            pattern="/webhooks/{id}",
            id="retrieve_webhook",
            tag=TAG,
            summary="One webhook",
            path_parameters=BY_ID,
            answers=one,
            refuses=(404,),
        ),
        Call(
            method="PATCH",
            pattern="/webhooks/{id}",
            id="update_webhook",
            tag=TAG,
            summary="Change a webhook",
            write=True,
            path_parameters=BY_ID,
            takes=PatchedWebhookData,
            answers=one,
            refuses=(404, 409),
        ),
        Call(
            method="DELETE",
            pattern="/webhooks/{id}",
            id="remove_webhook",
            tag=TAG,
            summary="Remove a webhook",
            write=True,
            path_parameters=BY_ID,
            answers=(Answer(status=200, sentence="It is gone.", body=RemovedWebhook),),
            refuses=(404, 409),
        ),
        Call(
            method="POST",
            pattern="/webhooks/{id}/test",
            id="test_webhook",
            tag=TAG,
            summary="Send a ping to a webhook",
            write=True,
            path_parameters=BY_ID,
            takes=WebhookTestRequest,
            optional_body=True,
            answers=(Answer(status=200, sentence="Whether it arrived.", body=WebhookOperation),),
            refuses=(404, 409),
        ),
    )


def webhook_patches() -> dict[tuple[str, str], Schema]:
    events: Schema = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(EVENTS)}}
    moment: Schema = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
    url: Schema = {"type": "string", "format": "uri", "maxLength": 2048}
    return {
        ("WebhookData", "enabled_events"): events,
        ("WebhookData", "url"): url,
        ("PatchedWebhookData", "enabled_events"): events,
        ("PatchedWebhookData", "url"): url,
        ("Webhook", "last_event_at"): moment,
        ("RemovedWebhook", "last_event_at"): moment,
    }
