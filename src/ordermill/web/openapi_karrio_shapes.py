"""What the Karrio contract answers with, as its document describes it (contract, sections 3 to 5)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ordermill.dialects.karrio import wire

Status = Literal["queued", "running", "failed", "completed", "completed_with_errors"]
Text = str | None
Free = dict[str, Any]


class BatchObject(msgspec.Struct):
    """One order's place in a batch. `errors`: null, or the texts of what is wrong by field."""

    id: str
    status: Status
    errors: dict[str, list[str]] | None


class BatchOperation(msgspec.Struct):
    """A batch and what became of each order, in the order of the request."""

    id: Annotated[str, Meta(pattern="^batch_[0-9a-f]{32}$")]
    status: Status
    resource_type: Literal["orders", "shipments", "trackers", "billing"]
    resources: list[BatchObject]
    created_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    updated_at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    test_mode: bool


class BatchOperations(msgspec.Struct):
    """A page of operations, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: list[BatchOperation]


class KeptAddress(msgspec.Struct):
    """An address of an order that is there."""

    id: Annotated[str, Meta(pattern="^adr_[0-9a-f]{12}$")]
    object_type: Literal["address"]
    postal_code: Text
    city: Text
    federal_tax_id: Text
    state_tax_id: Text
    person_name: Text
    company_name: Text
    country_code: Text
    email: Text
    phone_number: Text
    state_code: Text
    residential: bool | None
    street_number: Text
    address_line1: Text
    address_line2: Text
    validate_location: bool | None
    validation: Free | None


class LineItem(msgspec.Struct):
    """A line of an order that is there."""

    id: Annotated[str, Meta(pattern="^oli_[0-9a-f]{12}$")]
    object_type: Literal["commodity"]
    weight: float
    weight_unit: Literal["KG", "LB", "OZ", "G"]
    title: Text
    description: Text
    quantity: int
    sku: Text
    hs_code: Text
    value_amount: float | None
    value_currency: Text
    origin_country: Text
    parent_id: Text
    metadata: Free | None
    unfulfilled_quantity: int


class KeptOrder(msgspec.Struct):
    """An order that is there. `created_at` has a blank between date and time."""

    id: Annotated[str, Meta(pattern="^ord_[0-9a-f]{32}$")]
    object_type: Literal["order"]
    order_id: str
    order_date: Annotated[str, Meta(extra_json_schema={"format": "date"})]
    source: str
    status: Literal["unfulfilled", "cancelled", "fulfilled", "delivered", "partial"]
    shipping_to: KeptAddress
    shipping_from: KeptAddress | None
    billing_address: KeptAddress | None
    line_items: list[LineItem]
    options: Free
    meta: Free
    metadata: Free
    shipments: list[Free]
    test_mode: bool
    created_at: str


class Orders(msgspec.Struct):
    """A page of orders, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: list[KeptOrder]


class OrderUpdateData(msgspec.Struct, omit_defaults=True):
    """Merged into what is there; a null in one of them removes its name."""

    options: Free | None = None
    metadata: Free = {}


class BatchOrderData(msgspec.Struct):
    orders: list[Any]


class ErrorResponse(msgspec.Struct):
    errors: list[wire.Error]
