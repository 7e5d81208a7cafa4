"""Signatures as Standard Webhooks defines them: HMAC-SHA256 over `id.timestamp.body`, and how to verify one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache

TOLERANCE_S = 300


class NotGenuine(Exception):
    """The message is not from who it claims to be, or too old, or not whole."""


@lru_cache(maxsize=4096)
def key_of(secret: str) -> bytes:
    """The key behind `whsec_<base64>`. A secret in another form is its own key."""
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1,…` for each secret. `timestamp`: seconds since 1970 UTC."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode() for secret in secrets
    )


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Raises NotGenuine unless one of the signatures is by one of the secrets, and the message is of these minutes.

    `headers`: names in lower case. `now`: seconds since 1970 UTC.
    """
    try:
        message_id, sent_at = headers["webhook-id"], int(headers["webhook-timestamp"])
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError) as error:
        raise NotGenuine("a webhook-* header is missing or unreadable") from error
    if abs(now - sent_at) > TOLERANCE_S:
        raise NotGenuine(f"the timestamp is {abs(now - sent_at)} s away from now")
    expected = sign(secrets, message_id, sent_at, body).split(" ")
    if not any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected):
        raise NotGenuine("no signature matches")
