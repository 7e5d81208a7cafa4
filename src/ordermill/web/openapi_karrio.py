"""The document of the Karrio contract. Requests are described by the decoder that reads them, limits included.

A client generated from it must get by with what it says: so it answers a batch with 200 only (contract, section 9).
"""

from __future__ import annotations

from typing import Any

from ordermill.core.limits import Limits
from ordermill.dialects.karrio import wire
from ordermill.dialects.karrio.queries import ORDER_STATUSES, PAGE_DEFAULT, RESOURCE_TYPES
from ordermill.dialects.karrio.routes import Settings
from ordermill.web.call import Answer, Call
from ordermill.web.openapi import Contract
from ordermill.web.openapi_karrio_shapes import (
    BatchOperation,
    BatchOperations,
    BatchOrderData,
    ErrorResponse,
    KeptOrder,
    Orders,
    OrderUpdateData,
)
from ordermill.web.openapi_karrio_webhooks import webhook_calls, webhook_patches
from ordermill.web.openapi_schemas import Schema
from ordermill.web.parameters import Parameter

ORDER = {
    "order_id": "1000",
    "order_date": "2026-11-20",
    "source": "ERP",
    "shipping_to": {
        "person_name": "Ada Example",
        "address_line1": "15 Somewhere Road",
        "city": "Basel",
        "postal_code": "4052",
        "country_code": "CH",
    },
    "line_items": [
        {"title": "Bowl", "sku": "B-1", "quantity": 2, "weight": 1.5, "weight_unit": "KG", "value_amount": 20.5}
    ],
}
REFUSALS = {
    400: "The body is not JSON, or its content is not acceptable: one error for each field.",
    401: "No key, or one that is not known here.",
    403: "This key may not do that.",
    404: "There is nothing under that id that this key may see.",
    406: "The answer is wanted in a form that is not JSON.",
    409: "The order exists already, or its state does not allow that.",
    413: "More bytes than one request may hold.",
    415: "The body is not JSON by its type, or in a coding that is not read here.",
    422: "This Idempotency-Key was used before with another request.",
    429: "More requests than this key may send in a minute.",
    503: "The server cannot take this now; nothing was stored.",
}
STATUSES = ("queued", "running", "failed", "completed", "completed_with_errors")


def karrio(limits: Limits, settings: Settings) -> Contract:
    rules = wire.rules(
        settings.limits,
        settings.codes,
        text_chars=limits.text_chars,
        lines=limits.lines_per_order,
        keys=limits.metadata_keys,
        nesting=limits.nesting,
    )
    order = wire.strict_decoder(rules).type
    return Contract(
        title="Ordermill: the Karrio order contract",
        description="Existing clients of Karrio's order batches change their base URL to this server.",
        prefix="/v1",
        calls=(*_batch_calls(limits), *_order_calls(order, limits), *webhook_calls(_paging(limits))),
        tags={"Batches": "Many orders at once.", "Orders": "Orders, one by one.", "Webhooks": "Who is told."},
        security_schemes={
            "Token": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Token <key>`",
            },
            "TokenBasic": {"type": "http", "scheme": "basic", "description": "The key as user name, no password."},
        },
        error=ErrorResponse,
        refusals=REFUSALS,
        everywhere=(401, 403, 406, 429, 503),
        keyed=(400, 422),
        headers={"X-test-mode": "`True` or `False`: the mode of the key."},
        types=(order,),
        renames={
            "Order": "OrderData",
            "Address": "AddressData",
            "KeptOrder": "Order",
            "KeptAddress": "Address",
            "Commodity": "CommodityData",
            "Error": "APIError",
        },
        patches=_patches(limits),
    )


def _batch_calls(limits: Limits) -> tuple[Call, ...]:
    ours = {
        "Ordermill-Batch-Id": "The operation's id.",
        "Ordermill-Accepted": "Orders that were taken.",
        "Ordermill-Rejected": "Orders that were not.",
    }
    operation = (Answer(status=200, sentence="The operation.", body=BatchOperation),)
    return (
        Call(
            method="POST",
            pattern="/batches/orders",
            id="create_order_batch",
            tag="Batches",
            summary="Create many orders",
            description="Each order stands alone. An order that is there already is attached to the batch unchanged.",
            write=True,
            takes=BatchOrderData,
            examples={"batch": {"orders": [ORDER]}},
            answers=(Answer(status=200, sentence="The operation, complete.", body=BatchOperation, headers=ours),),
        ),
        Call(
            method="GET",
            pattern="/batches/operations",
            id="list_batch_operations",
            tag="Batches",
            summary="Operations, newest first",
            parameters=(
                *_paging(limits),
                _choices("status", "Only operations in this state.", STATUSES),
                _choices("resource_type", "Only operations on these.", RESOURCE_TYPES),
            ),
            answers=(Answer(status=200, sentence="A page of operations.", body=BatchOperations),),
            refuses=(400,),
        ),
        Call(
            method="GET",
            pattern="/batches/operations/{id}",
            id="retrieve_batch_operation",
            tag="Batches",
            summary="One operation",
            path_parameters={"id": "`batch_…`"},
            answers=operation,
            refuses=(404,),
        ),
    )


def _order_calls(order: Any, limits: Limits) -> tuple[Call, ...]:
    answers = (Answer(status=200, sentence="The order.", body=KeptOrder),)
    by_id = {"id": "`ord_…`"}
    by_id_or_request = {"id": "`ord_…`, or the `X-Request-ID` the order was created with."}
    return (
        Call(
            method="POST",
            pattern="/orders",
            id="create_order",
            tag="Orders",
            summary="Create an order",
            write=True,
            takes=order,
            examples={"order": ORDER},
            answers=(Answer(status=201, sentence="The order.", body=KeptOrder),),
            refuses=(409,),
        ),
        Call(
            method="GET",
            pattern="/orders",
            id="list_orders",
            tag="Orders",
            summary="Orders, newest first",
            parameters=(*_paging(limits), *_filters()),
            answers=(Answer(status=200, sentence="A page of orders.", body=Orders),),
            refuses=(400,),
        ),
        Call(
            method="GET",
            pattern="/orders/{id}",
            id="retrieve_order",
            tag="Orders",
            summary="One order",
            path_parameters=by_id,
            answers=answers,
            refuses=(404,),
        ),
        Call(
            method="PUT",
            pattern="/orders/{id}",
            id="update_order",
            tag="Orders",
            summary="Merge options and metadata into an order",
            write=True,
            path_parameters=by_id,
            takes=OrderUpdateData,
            answers=answers,
            refuses=(404, 409),
        ),
        Call(
            method="DELETE",
            pattern="/orders/{id}",
            id="dismiss_order",
            tag="Orders",
            summary="Cancel an order",
            deprecated=True,
            write=True,
            path_parameters=by_id_or_request,
            answers=answers,
            refuses=(404, 409),
        ),
        Call(
            method="POST",
            pattern="/orders/{id}/cancel",
            id="cancel_order",
            tag="Orders",
            summary="Cancel an order",
            write=True,
            path_parameters=by_id_or_request,
            answers=answers,
            refuses=(404, 409, 413, 415),
        ),
    )


def _paging(limits: Limits) -> tuple[Parameter, ...]:
    limit = {"type": "integer", "minimum": 1, "maximum": limits.page, "default": PAGE_DEFAULT}
    return (
        _parameter("limit", "How many entries.", limit),
        _parameter("offset", "How many to pass over.", {"type": "integer", "minimum": 0, "default": 0}),
    )


def _filters() -> tuple[Parameter, ...]:
    text: Schema = {"type": "string"}
    moment: Schema = {"type": "string", "format": "date-time"}
    return (
        _parameter("id", "Only these orders; a comma list.", text),
        _parameter("order_id", "Only these order numbers; a comma list.", text),
        _parameter("source", "Only these sources; a comma list.", text),
        _choices("status", "Only orders in this state.", ORDER_STATUSES),
        _parameter("created_after", "Only orders created at this instant or later.", moment),
        _parameter("created_before", "Only orders created at this instant or earlier.", moment),
        _parameter("keyword", "Only orders that mention this.", text),
        _parameter("address", "Only orders whose address mentions this.", text),
        _parameter("option_key", "Only orders with all these options; a comma list.", text),
        _parameter("option_value", "Only orders with an option of this value.", text),
        _parameter("metadata_key", "Only orders with all these metadata; a comma list.", text),
        _parameter("metadata_value", "Only orders with metadata of this value.", text),
        _parameter("request_id", "Only the order created by this request.", text),
        _parameter("is_archived", "Nothing is ever archived here.", {"type": "boolean"}),
    )


def _parameter(name: str, sentence: str, schema: Schema) -> Parameter:
    return Parameter(name=name, sentence=sentence, schema=schema, read=str)


def _choices(name: str, sentence: str, words: tuple[str, ...]) -> Parameter:
    schema = {"type": "string", "enum": list(words)}
    return Parameter(name=name, sentence=f"{sentence} May be repeated.", schema=schema, read=str, many=True)


def _patches(limits: Limits) -> dict[tuple[str, str], Schema]:
    order = {"$ref": "#/components/schemas/OrderData"}
    free = {"type": "object", "maxProperties": limits.metadata_keys}
    value: Schema = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    return {
        ("BatchOrderData", "orders"): {"type": "array", "items": order, "minItems": 1, "maxItems": limits.orders},
        ("BatchOrderData", ""): {"description": f"At most {limits.orders} orders and {limits.body_bytes} bytes."},
        ("OrderData", "source"): {
            "type": "string",
            "minLength": 1,
            "maxLength": wire.REFERENCE_CHARS,
            "default": "API",
        },
        ("OrderData", ""): {"description": "One order as it is sent."},
        ("CommodityData", "value_amount"): value,
        ("OrderUpdateData", "options"): {"anyOf": [free, {"type": "null"}]},
        ("OrderUpdateData", "metadata"): free,
        **webhook_patches(),
    }
