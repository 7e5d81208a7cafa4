"""The document of our own API, from the very calls its routes are made of."""

from __future__ import annotations

from typing import Any

from ordermill.core.limits import Limits
from ordermill.web.manage import Manage
from ordermill.web.openapi import Contract
from ordermill.web.openapi_schemas import Schema
from ordermill.web.problems import MEDIA
from ordermill.web.shapes import OrderDetail, ProblemDetails

REFUSALS = {
    400: "The body is no JSON object, or names something twice.",
    401: "No key, or one that is not known here.",
    403: "This key may not do that.",
    404: "There is nothing under that name that this key may see.",
    409: "The present state does not allow that.",
    413: "More bytes, or more orders, than one request may hold.",
    415: "The body is of a type, or in a coding, that is not read here.",
    422: "Readable, but not acceptable: `errors` says what is wrong, all of it.",
    429: "More requests than this key may send in a minute.",
    503: "The server cannot take this now; nothing was stored.",
}
TAGS = {
    "Batches": "What came in together, and what became of each order.",
    "Intake": "Taking orders in, in the form of any contract.",
    "Orders": "Orders of all contracts in one form.",
    "Keys": "Keys and accounts, for administrators.",
    "Figures": "Limits and sums.",
    "Webhooks": "Who is told of what, and whether it arrived.",
    "Imports": "Files of orders: read, mapped, checked, taken in.",
}
HEADERS = {
    "RateLimit-Limit": "Requests a minute.",
    "RateLimit-Remaining": "Requests left in this minute.",
    "RateLimit-Reset": "Seconds until the next minute begins.",
}


def ordermill(manage: Manage, limits: Limits) -> Contract:
    used = dict.fromkeys(call.tag for call in manage.calls)
    return Contract(
        title="Ordermill",
        description="Batches and orders of every contract in one form: what came in, what became of it, and why not. "
        "Lists are pages: send `next` as `cursor`. A parameter that is not known is refused, not ignored.",
        prefix=manage.prefix,
        calls=manage.calls,
        tags={name: TAGS[name] for name in used},
        security_schemes={"bearer": {"type": "http", "scheme": "bearer", "description": "A key, `omk_…`."}},
        error=ProblemDetails,
        error_media=MEDIA,
        refusals=REFUSALS,
        headers=HEADERS,
        types=(OrderDetail,),
        patches=_patches(limits.orders),
    )


def _patches(orders_max: int) -> dict[tuple[str, str], Schema]:
    order: dict[str, Any] = {"type": "object", "description": "One order as the contract sends it."}
    orders = {
        "description": "A list of orders, or an object with a name for each.",
        "anyOf": [
            {"type": "array", "items": order, "minItems": 1, "maxItems": orders_max},
            {"type": "object", "additionalProperties": order, "minProperties": 1, "maxProperties": orders_max},
        ],
    }
    return {("NewBatch", "orders"): orders, ("Resubmission", "orders"): orders}
