"""The document of the Brevo contract: its calls, as contract and code have them, over the types of its wire."""

from __future__ import annotations

from typing import Any

from ordermill.core.limits import Limits
from ordermill.dialects.brevo import wire
from ordermill.web.call import Answer, Call
from ordermill.web.openapi import Contract
from ordermill.web.openapi_schemas import Schema
from ordermill.web.parameters import Parameter

ORDER = {
    "id": "14",
    "createdAt": "2026-11-20T09:30:00.000Z",
    "updatedAt": "2026-11-20T09:31:00.000Z",
    "status": "completed",
    "amount": 308.42,
    "storeId": "123",
    "identifiers": {"email_id": "ada@example.com", "ext_id": "ada-1"},
    "products": [{"productId": "P1", "variantId": "P100", "price": 99.99, "quantity": 10}],
    "billing": {"address": "15 Somewhere Road", "city": "Basel", "countryCode": "CH", "postCode": "4052"},
    "coupons": ["EASTER15OFF"],
}
REFUSALS = {
    400: "The content is not acceptable; `message` names the field, `errors` all of them.",
    401: "No key, or one that is not known here.",
    403: "This key may not do that, or eCommerce is switched off here.",
    413: "More bytes than one request may hold.",
    415: "The body is a form, or in a coding that is not read here.",
    429: "More requests than this key may send in a minute.",
    503: "The server cannot take this now; nothing was stored.",
}
HEADERS = {
    "x-sib-ratelimit-limit": "Requests a minute.",
    "x-sib-ratelimit-remaining": "Requests left in this minute.",
    "x-sib-ratelimit-reset": "Seconds until the next minute begins.",
}
TAG = "Ecommerce"
_number: Schema = {"type": "number", "exclusiveMinimum": -wire.NUMBER_LIMIT, "exclusiveMaximum": wire.NUMBER_LIMIT}


def brevo(limits: Limits) -> Contract:
    return Contract(
        title="Ordermill: the Brevo order contract",
        description="Existing clients of Brevo's e-commerce orders API change their base URL to `<this server>/v3`.",
        prefix="/v3",
        calls=_calls(limits.page),
        tags={TAG: "Orders, one by one and in batches."},
        security_schemes={
            "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
        error=wire.Error,
        refusals=REFUSALS,
        keyed=(400,),
        headers=HEADERS,
        types=(wire.RoughOrder,),
        renames={"Envelope": "OrderBatch", "Listing": "OrderList", "Failure": "ErrorEntry"},
        patches=_patches(limits),
    )


def _calls(page_max: int) -> tuple[Call, ...]:
    ours = {
        "Ordermill-Batch-Id": "The batch, as our own API names it.",
        "Ordermill-Accepted": "Orders that were taken.",
        "Ordermill-Rejected": "Orders that were not.",
    }
    return (
        Call(
            method="POST",
            pattern="/orders/status",
            id="createOrder",
            tag=TAG,
            summary="Create or update one order",
            description="Live data. The same `id` is the same order: the newest `updatedAt` wins, an older one is "
            "kept in the history and answered the same way.",
            write=True,
            takes=wire.RoughOrder,
            examples={"order": ORDER},
            answers=(Answer(status=204, sentence="Durable: created, updated, or known already."),),
        ),
        Call(
            method="POST",
            pattern="/orders/status/batch",
            id="createBatchOrder",
            tag=TAG,
            summary="Create or update many orders",
            description="Every order is checked before the answer: one that is not acceptable refuses the whole batch, "
            "unless this server is set to store the others.",
            write=True,
            takes=wire.Envelope,
            examples={"batch": {"orders": [ORDER], "historical": True, "notifyUrl": "https://shop.example/notify"}},
            answers=(Answer(status=202, sentence="Durable.", body=wire.Accepted, headers=ours),),
        ),
        Call(
            method="GET",
            pattern="/orders",
            id="getOrders",
            tag=TAG,
            summary="Orders that came in through this contract",
            parameters=_parameters(page_max),
            answers=(Answer(status=200, sentence="A page of orders.", body=wire.Listing),),
            refuses=(400,),
        ),
        Call(
            method="POST",
            pattern="/ecommerce/activate",
            id="activateTheECommerceApp",
            tag=TAG,
            summary="Activate eCommerce",
            description="It is active from the start; this changes nothing.",
            write=True,
            answers=(
                Answer(
                    status=200,
                    sentence="It is active.",
                    body={"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
                ),
            ),
            refuses=(400, 413, 415),
        ),
    )


def _parameters(page_max: int) -> tuple[Parameter, ...]:
    moment: Schema = {"type": "string", "examples": ["2026-11-20T09:30:00.000Z"]}
    page: Schema = {"type": "integer", "minimum": 1, "maximum": page_max, "default": 50}
    return (
        _parameter("limit", "How many orders.", page),
        _parameter("offset", "How many to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
        _parameter("sort", "By creation.", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        _parameter("modifiedSince", "Only orders whose `updatedAt` is after this instant.", moment),
        _parameter("createdSince", "Only orders whose `createdAt` is after this instant.", moment),
        _parameter(
            "secondarySortByModifiedAt",
            "Among equal `createdAt`: by `updatedAt`, in the same direction.",
            {"type": "boolean", "default": False},
        ),
    )


def _parameter(name: str, sentence: str, schema: Schema) -> Parameter:
    return Parameter(name=name, sentence=sentence, schema=schema, read=str)


def _patches(limits: Limits) -> dict[tuple[str, str], Schema]:
    order: Any = {"$ref": "#/components/schemas/Order"}
    return {
        ("Order", "amount"): {**_number, "description": "The total, shipping and tax included."},
        ("Order", "products"): {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Product"},
            "maxItems": limits.lines_per_order,
        },
        ("Order", ""): {"description": "One order as it is sent. null in an optional field: not given."},
        ("Product", "quantity"): {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "Whole pieces."},
        ("Product", "quantityFloat"): {
            "anyOf": [_number, {"type": "null"}],
            "description": "Instead of `quantity`, where pieces are not whole.",
        },
        ("OrderBatch", "orders"): {"type": "array", "items": order, "minItems": 1, "maxItems": limits.brevo_orders},
        ("OrderBatch", "historical"): {
            "anyOf": [{"type": "boolean"}, {"type": "null"}],
            "default": True,
            "description": "true: past orders, nothing is set off by them.",
        },
        ("OrderBatch", "notifyUrl"): {
            "anyOf": [{"type": "string", "format": "uri", "maxLength": 2000}, {"type": "null"}],
            "description": "Called once the batch is complete.",
        },
        ("OrderBatch", ""): {
            "description": f"At most {limits.brevo_orders} orders and {limits.brevo_body_bytes} bytes."
        },
        ("ListedOrder", "metaInfo"): {"type": "object"},
    }
