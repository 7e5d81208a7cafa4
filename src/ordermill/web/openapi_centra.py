"""The document of the Centra contract, for the default store and for those named in the path."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ordermill.core.limits import Limits
from ordermill.dialects.centra import wire
from ordermill.web.call import Answer, Call
from ordermill.web.openapi import Contract
from ordermill.web.openapi_schemas import Schema
from ordermill.web.parameters import Parameter

ADDRESS = {"firstName": "Ada", "lastName": "Example", "email": "ada@example.com", "city": "Basel", "country": "CH"}
ORDER = {"address": ADDRESS, "products": [{"sku": "B-1", "qty": 2, "unitPrice": 20.5}], "shippingValue": 5}
REFUSALS = {
    400: "The body is no JSON object, or the Idempotency-Key cannot be one.",
    401: "No key, or one that is not known here.",
    403: "This key may not do that, or orders may not be created here.",
    404: "There is no such store.",
    413: "More bytes, or more orders, than one request may hold.",
    415: "The body is a form, or in a coding that is not read here.",
    422: "This Idempotency-Key was used before with another request.",
    429: "More requests than this key may send in a minute.",
    503: "The server cannot take this now; nothing was stored.",
}
HEADERS = {
    "RateLimit-Limit": "Requests a minute.",
    "RateLimit-Remaining": "Requests left in this minute.",
    "RateLimit-Reset": "Seconds until the next minute begins.",
}
TAG = "Orders"
Code = Annotated[int, Meta(ge=-7, le=-1)]
OrderNumber = Annotated[int, Meta(ge=1)]
Text = str


class Ordered(msgspec.Struct):
    """An order was created."""

    status: Literal["ok"]
    orders: list[OrderNumber]


class Prepared(msgspec.Struct):
    """An order was prepared (`createOnly`), to be completed under this number; or was updated."""

    status: Literal["ok"]
    order: OrderNumber


class Completed(msgspec.Struct):
    """A prepared order was completed. This call tells numbers as texts."""

    status: Literal["ok"]
    orders: list[str]


class Refused(msgspec.Struct, omit_defaults=True):
    """Why not. `code`: -1 product, -2 stock, -3 no lines, -4 required, -5 number taken, -7 anything else."""

    status: Literal["no", "Not Allowed"]
    msg: str
    code: Code | msgspec.UnsetType = msgspec.UNSET
    order: int | msgspec.UnsetType = msgspec.UNSET


class OrderRows(msgspec.Struct):
    """Orders, ascending by number."""

    status: Literal["ok"]
    orders: list[dict[str, Any]]


class Completion(msgspec.Struct, omit_defaults=True):
    """What may still be said of a prepared order."""

    payment: wire.Payment | None = None
    comment: Text | None = None
    buyerName: Text | None = None
    internalComment: Text | None = None
    poNumber: Text | None = None
    orderDate: Text | None = None
    deliveryDate: Text | None = None
    cancelDate: Text | None = None
    warehouseGroup: Text | None = None


class Update(msgspec.Struct, omit_defaults=True):
    """Comments are appended unless they are to replace; an attribute that is empty is removed."""

    order: OrderNumber
    comment: Text | None = None
    internalComment: Text | None = None
    replaceComment: wire.Flag | None = None
    replaceInternalComment: wire.Flag | None = None
    extraAttributes: dict[str, Any] | None = None


def centra(limits: Limits) -> Contract:
    return Contract(
        title="Ordermill: the Centra order contract",
        description="Existing clients of Centra's Order API change their base to `<this server>/centra`, or to "
        "`<this server>/centra/<store>` for each further store. Business failures are HTTP 200: `status` says which "
        "it was.",
        prefix="/centra",
        calls=(*_calls("", ""), *_calls("/{store}", "InStore")),
        tags={TAG: "Orders, one by one and in batches."},
        security_schemes={
            "API-Authorization": {"type": "apiKey", "in": "header", "name": "API-Authorization"},
            "bearer": {"type": "http", "scheme": "bearer"},
        },
        error=Refused,
        refusals=REFUSALS,
        headers=HEADERS,
        types=(Ordered, Prepared, Completed, OrderRows),
        patches=_patches(limits),
    )


def _calls(store: str, suffix: str) -> tuple[Call, ...]:
    """The calls of one base. `suffix`: operation ids are unique in a document."""
    path = {"store": "A store's name: letters, digits, `_` and `-`."}
    missing = (404,) if store else ()
    one = _any_of("Ordered", "Prepared", "Refused")
    batch: Schema = {"anyOf": [{"type": "object", "additionalProperties": one}, *_any_of("Refused")["anyOf"]]}
    ours = {
        "Ordermill-Batch-Id": "The batch, as our own API names it.",
        "Ordermill-Accepted": "Orders that were taken.",
        "Ordermill-Rejected": "Orders that were not.",
    }
    return (
        Call(
            method="POST",
            pattern=f"{store}/orders",
            id=f"createOrders{suffix}",
            tag=TAG,
            summary="Create many orders, each under a name of the client's",
            description="Each name stands alone and is answered under the same name. The names are kept byte for byte.",
            write=True,
            path_parameters=path,
            takes={"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Order"}},
            examples={"batch": {"x123": ORDER, "y124": {**ORDER, "createOnly": True}}},
            answers=(Answer(status=200, sentence="What became of each name.", body=batch, headers=ours),),
            refuses=missing,
        ),
        Call(
            method="GET",
            pattern=f"{store}/orders",
            id=f"getOrders{suffix}",
            tag=TAG,
            summary="Orders, ascending by number",
            path_parameters=path,
            parameters=_parameters(),
            answers=(Answer(status=200, sentence="Orders, or why not.", body=_any_of("OrderRows", "Refused")),),
            refuses=missing,
        ),
        Call(
            method="PUT",
            pattern=f"{store}/orders",
            id=f"updateOrder{suffix}",
            tag=TAG,
            summary="Comments and attributes of an order",
            write=True,
            path_parameters=path,
            takes=Update,
            answers=(Answer(status=200, sentence="Its number, or why not.", body=_any_of("Prepared", "Refused")),),
            refuses=missing,
        ),
        Call(
            method="POST",
            pattern=f"{store}/order",
            id=f"createOrder{suffix}",
            tag=TAG,
            summary="Create one order",
            write=True,
            path_parameters=path,
            takes=wire.Order,
            examples={"order": ORDER},
            answers=(Answer(status=200, sentence="Its number, or why not.", body=one),),
            refuses=missing,
        ),
        Call(
            method="POST",
            pattern=f"{store}/order/{{number}}",
            id=f"completeOrder{suffix}",
            tag=TAG,
            summary="Complete a prepared order",
            write=True,
            path_parameters={**path, "number": "The number that preparing it gave."},
            takes=Completion,
            optional_body=True,
            answers=(Answer(status=200, sentence="Its number, or why not.", body=_any_of("Completed", "Refused")),),
            refuses=missing,
        ),
    )


def _any_of(*names: str) -> Schema:
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}


def _parameters() -> tuple[Parameter, ...]:
    date: Schema = {"type": "string", "examples": ["2026-11-20", "2026-11-20 09:30:00"]}
    limit: Schema = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20}
    return (
        _parameter("limit", "How many orders.", limit),
        _parameter("offset", "How many to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
        _parameter("order", "Only the order of this number.", {"type": "integer", "minimum": 1}),
        _parameter("customer_id", "Only orders of this customer.", {"type": "integer", "minimum": 0}),
        _parameter("newer_than", "Only orders placed after this date.", date),
        _parameter("older_than", "Only orders placed before this date.", date),
    )


def _parameter(name: str, sentence: str, schema: Schema) -> Parameter:
    return Parameter(name=name, sentence=sentence, schema=schema, read=str)


def _patches(limits: Limits) -> dict[tuple[str, str], Schema]:
    country = {"type": "string", "pattern": "^[A-Za-z]{2}$", "description": "ISO 3166-1 alpha-2, or XK."}
    lines = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Line"},
        "minItems": 1,
        "maxItems": limits.lines_per_order,
        "description": "Also taken as an object, whose values are the lines.",
    }
    named = [{"required": [name]} for name in ("id", "ean", "sku", "item", "upc")]
    return {
        ("Address", "country"): country,
        ("Line", ""): {"description": "One line, named by at least one of id, ean, sku, item.", "anyOf": named},
        ("Order", "products"): lines,
        ("Order", ""): {"description": "One order as it is sent. Parameters that are not known are kept, not used."},
    }
