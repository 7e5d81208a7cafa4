"""What goes over the wire: the body in the endpoint's format, and the headers that make it verifiable. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ordermill import __version__
from ordermill.core import ids
from ordermill.core.delivery import Endpoint, Format, Kind
from ordermill.core.event import BODY_BYTES_MAX, Event, Subject, Voice, data_of, facts_of, moment
from ordermill.core.order import Mode
from ordermill.delivery.signing import sign

JSON = "application/json"
CLOUDEVENTS = "application/cloudevents+json"
USER_AGENT = f"Ordermill/{__version__}"
_encode = msgspec.json.Encoder().encode


class Parcel(msgspec.Struct, frozen=True):
    """Ready to be sent."""

    headers: dict[str, str]
    body: bytes


def compose(
    endpoint: Endpoint, voice: Voice, event: Event, subject: Subject | None, now: int, *, show_secret: bool = False
) -> Parcel:
    """The same body for every attempt, signed for this one. `now`: µs since 1970 UTC.

    `show_secret`: the Karrio contract's `X-Event-Id`, which is the endpoint's secret in clear.
    """
    body, media = voice.write(event, subject), JSON
    if endpoint.format is Format.CLOUDEVENTS and endpoint.kind is Kind.OWN:
        body, media = cloud_event(event), CLOUDEVENTS
    message_id, sent_at = event.message_id, now // 1_000_000
    headers = {
        "content-type": media,
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": sign(endpoint.secrets_at(now), message_id, sent_at, body),
    }
    if show_secret and endpoint.kind is Kind.KARRIO:
        headers["X-Event-Id"] = endpoint.secret
    return Parcel(headers, body)


class _CloudEvent(msgspec.Struct, omit_defaults=True):
    specversion: str
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str
    data: msgspec.Raw
    subject: str = ""


def cloud_event(event: Event) -> bytes:
    """The event in the structured form of CloudEvents 1.0; `data` is byte for byte what the plain body holds."""
    return _encode(
        _CloudEvent(
            specversion="1.0",
            id=event.message_id,
            source=f"/accounts/{event.account_id}",
            type=f"com.ordermill.{event.type.value}",
            time=_instant(event.created_at),
            datacontenttype=JSON,
            data=data_of(event.body),
            subject=_subject(event),
        )
    )


def _subject(event: Event) -> str:
    if event.order_id is not None:
        return ids.spell("ord", event.account_id, event.mode, event.order_id)
    return "" if event.batch_id is None else f"bch_{event.batch_id}"


def _instant(micros: int) -> str:
    return moment(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# notifyUrl: Brevo says that the address is called, and not with what. On top stand the names of our contract page, in
# `data` the facts as our own events spell them.


def notify_voice() -> Voice:
    return Voice(Kind.NOTIFY.value, "*", lambda _: None, write_notice)


def write_notice(event: Event, _subject: Subject | None) -> bytes:
    """The contract's names on top for simple receivers, our own in `data`. Both tell the same.

    The type says only whether it went well at all; how well stands in `status`.
    """
    facts = facts_of(event)
    errors = [{name: error[name] for name in ("index", "id", "code", "message")} for error in facts["errors"]]
    while True:
        body = _write_notice(event, facts, errors)
        if len(body) <= BODY_BYTES_MAX or not errors:
            return body
        errors = errors[: len(errors) * 3 // 4]  # they stand in it twice: as many as there is room for


def _write_notice(event: Event, facts: dict[str, Any], errors: list[dict[str, Any]]) -> bytes:
    same: dict[str, Any] = {"errors": errors, "completedAt": facts["completedAt"], "historical": facts["historical"]}
    counted = {"batchId": facts["batchId"], "count": facts["count"]}
    return _encode(
        {
            "type": "batch.failed" if facts["status"] == "failed" else "batch.completed",
            "timestamp": _instant(event.created_at),
            **counted,
            "batch_id": facts["batchId"],
            "status": facts["status"],
            "successCount": facts["succeeded"],
            "failedCount": facts["failed"],
            "createdAt": facts["createdAt"],
            **same,
            "data": {
                **counted,
                "succeeded": facts["succeeded"],
                "failed": facts["failed"],
                **same,
                "errorsTruncated": len(errors) < facts["failed"],
                "test_mode": event.mode is Mode.TEST,
            },
        }
    )
