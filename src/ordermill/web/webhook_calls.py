"""The calls of web/webhooks.py, declared: paths, verbs, types and sentences, for the router and the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordermill.core.account import Scope
from ordermill.web import webhook_shapes as shapes
from ordermill.web.call import Answer, Call
from ordermill.web.parameters import PAGING
from ordermill.web.shapes import Listing

if TYPE_CHECKING:
    from ordermill.web.webhooks import Webhooks

ENDPOINT = {"id": "The endpoint: `we_…`."}
DELIVERY = {"id": "The delivery: `dlv_…`."}
EVENT = {"id": "The event: `msg_…`, the `webhook-id` header."}


def declare(at: Webhooks) -> tuple[Call, ...]:
    return (*_endpoints(at), *_deliveries(at), *_events(at))


def _call(method: str, pattern: str, id_: str, summary: str, handler: Any, answer: Answer, **more: Any) -> Call:
    read = method == "GET"
    given: dict[str, Any] = {"tag": "Webhooks", "scope": Scope.WEBHOOKS.value, "write": not read, "refuses": (422,)}
    return Call(
        method=method,
        pattern=pattern,
        id=id_,
        summary=summary,
        handler=handler,
        answers=(answer,),
        **{**given, **more},
    )


def _endpoints(at: Webhooks) -> tuple[Call, ...]:
    one: dict[str, Any] = {"path_parameters": ENDPOINT, "refuses": (404, 422)}
    busy: dict[str, Any] = {"path_parameters": ENDPOINT, "refuses": (404, 409, 422)}
    page, shape = Listing[shapes.EndpointShape], shapes.EndpointShape
    return (
        _call("GET", "/endpoints", "listEndpoints", "Endpoints, oldest first", at.list_endpoints,
              Answer(status=200, sentence="All endpoints.", body=page)),
        _call("POST", "/endpoints", "createEndpoint", "Have events sent to an address", at.create_endpoint,
              Answer(status=201, sentence="The endpoint with its secret.", body=shapes.MadeEndpoint),
              takes=shapes.NewEndpoint, refuses=(409, 422)),
        _call("GET", "/endpoints/{id}", "getEndpoint", "One endpoint, and how it fares", at.get_endpoint,
              Answer(status=200, sentence="The endpoint.", body=shapes.EndpointDetail), **one),
        _call("PATCH", "/endpoints/{id}", "changeEndpoint", "Change, pause or enable an endpoint", at.change_endpoint,
              Answer(status=200, sentence="The endpoint as it is now.", body=shape),
              takes=shapes.EndpointChange, **busy),
        _call("DELETE", "/endpoints/{id}", "deleteEndpoint", "Send nothing more to an address", at.delete_endpoint,
              Answer(status=204, sentence="It is gone; the log of its deliveries stays for its time."), **one),
        _call("POST", "/endpoints/{id}/test", "testEndpoint", "Send a ping now", at.test_endpoint,
              Answer(status=200, sentence="What came of it.", body=shapes.Tested), **busy),
        _call("GET", "/endpoints/{id}/secret", "getEndpointSecret", "What signs the messages", at.show_secret,
              Answer(status=200, sentence="The secret.", body=shapes.Secret), **one),
        _call("POST", "/endpoints/{id}/rotate-secret", "rotateEndpointSecret", "A new secret", at.rotate_secret,
              Answer(status=200, sentence="The endpoint with its new secret.", body=shapes.MadeEndpoint),
              description="For 24 hours every message carries two signatures, by the new secret and the old one.",
              **busy),
        _call("POST", "/endpoints/{id}/recover", "recoverEndpoint", "Send what was missed since an instant", at.recover,
              Answer(status=202, sentence="How many deliveries are owed now.", body=shapes.Owed),
              takes=shapes.Recovery, **busy),
        _call("GET", "/notify-secret", "getNotifySecret", "What signs the calls to a batch's notifyUrl",
              at.show_account_secret, Answer(status=200, sentence="The secret.", body=shapes.NotifySecret)),
        _call("POST", "/notify-secret/rotate", "rotateNotifySecret", "A new secret for the calls to notifyUrl",
              at.rotate_account_secret, Answer(status=200, sentence="The new secret.", body=shapes.NotifySecret),
              description="For 24 hours every call carries two signatures, by the new secret and the old one."),
    )  # fmt: skip


def _deliveries(at: Webhooks) -> tuple[Call, ...]:
    from ordermill.web.webhooks import DELIVERY_FILTERS

    one: dict[str, Any] = {"path_parameters": DELIVERY}
    return (
        _call("GET", "/deliveries", "listDeliveries", "Deliveries of all endpoints, newest event first",
              at.list_deliveries, Answer(status=200, sentence="A page.", body=Listing[shapes.DeliveryShape]),
              parameters=DELIVERY_FILTERS),
        _call("GET", "/deliveries/{id}", "getDelivery", "One delivery with every attempt", at.get_delivery,
              Answer(status=200, sentence="The delivery.", body=shapes.DeliveryDetail), **one, refuses=(404, 422)),
        _call("POST", "/deliveries/{id}/resend", "resendDelivery", "Send one again", at.resend,
              Answer(status=202, sentence="The delivery, owed once more.", body=shapes.DeliveryShape),
              description="The same message id and body, signed anew.", **one, refuses=(404, 409, 422)),
        _call("POST", "/deliveries/replay", "replayDeliveries", "Send again what was given up", at.replay,
              Answer(status=202, sentence="How many are owed once more.", body=shapes.Owed),
              takes=shapes.ReplayAsked, optional_body=True),
    )  # fmt: skip


def _events(at: Webhooks) -> tuple[Call, ...]:
    from ordermill.web.webhooks import ABOUT

    return (
        _call("GET", "/events", "listEvents", "What was announced, newest first", at.list_events,
              Answer(status=200, sentence="A page.", body=Listing[shapes.EventShape]), parameters=(*ABOUT, *PAGING)),
        _call("GET", "/events/{id}", "getEvent", "One event", at.get_event,
              Answer(status=200, sentence="The event.", body=shapes.EventShape),
              path_parameters=EVENT, refuses=(404, 422)),
        _call("GET", "/event-types", "listEventTypes", "What can be announced: schemas and examples", at.list_types,
              Answer(status=200, sentence="All types.", body=Listing[shapes.EventTypeShape])),
    )  # fmt: skip
