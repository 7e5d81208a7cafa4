"""The close look at one order: strict where two readers could differ, lenient where the contract is.

It makes a good order of what the fast pass would not have (a number where a text is asked for, a quantity of 10.0), or
names every problem the order has. Pure.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.limits import Limits
from ordermill.dialects.brevo import problems as told
from ordermill.dialects.brevo import wire
from ordermill.dialects.reading import Oddity, instant, plain_decimal, strict_json

LIMITS = Limits()
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,20})?").fullmatch


class Look(msgspec.Struct, frozen=True):
    """What became of one order: it, with every number exact, or all of its problems, their fields relative to it.

    `reference`: what a refused order calls itself, as far as that can be told.
    """

    order: wire.Order[Decimal] | None
    problems: tuple[Problem, ...] = ()
    reference: str = ""


def read_exactly(document: bytes, limits: Limits = LIMITS) -> Look:
    """The close look. Never raises."""
    try:
        value = strict_json(document, limits.nesting)
    except Oddity as oddity:
        return Look(None, (told.problem("unreadable", str(oddity), told.printable(oddity.field), None),))
    if not isinstance(value, dict):
        return Look(None, (told.wrong_type("", "a JSON object", value),))
    return _CloseLook(limits).read(value)


def roughen(exact: wire.Order[Decimal]) -> wire.Order[float]:
    products = [
        wire.Product(
            productId=product.productId,
            price=float(product.price),
            quantity=product.quantity,
            quantityFloat=None if product.quantityFloat is None else float(product.quantityFloat),
            variantId=product.variantId,
        )
        for product in exact.products
    ]
    return msgspec.structs.replace(cast("wire.Order[float]", exact), products=products)


# What the published listing sample shows as integers, and the ids that shops number (section 4).
_SENT_AS_INTEGERS = frozenset(
    {"id", "productId", "variantId", "storeId", "phone", "postCode", "phone_id", "ext_id", "loyalty_subscription_id"}
)


def _last_name(field: str) -> str:
    return field.rpartition(".")[2]


class _CloseLook:
    """One reading of one order; every fault on the way is noted, none stops it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems: list[Problem] = []

    def read(self, value: dict[str, Any]) -> Look:
        read: dict[str, Any] = {
            "id": self.text(value, "id", required=True),
            "createdAt": self.moment(value, "createdAt"),
            "updatedAt": self.moment(value, "updatedAt"),
            "status": self.text(value, "status", required=True),
            "amount": self.amount(value),
            "products": self.products(value),
            "storeId": self.text(value, "storeId"),
            "identifiers": self.texts(value, "identifiers", wire.Identifiers),
            "email": self.text(value, "email"),
            "billing": self.texts(value, "billing", wire.Billing),
            "coupons": self.coupons(value),
            "metaInfo": self.meta(value),
        }
        if self.problems:
            return Look(None, tuple(self.problems), read["id"] or "")
        return Look(wire.Order(**read))

    def note(self, problem: Problem) -> None:
        if len(self.problems) < told.PROBLEMS_MAX:
            self.problems.append(problem)

    def given(self, holder: dict[str, Any], name: str, at: str = "", *, required: bool = False) -> Any:
        value = holder.get(name)
        if required and value is None:
            self.note(told.missing(at + name))
        return value

    def text(
        self,
        holder: dict[str, Any],
        name: str,
        at: str = "",
        *,
        required: bool = False,
        chars_max: int = wire.REFERENCE_CHARS,
    ) -> str | None:
        """A text. Where clients are known to send whole numbers (section 4), one is taken by its digits.

        An empty one says nothing; elsewhere than in a text it is a value of the wrong kind.
        """
        value = holder.get(name)
        if required and (value is None or value == ""):
            self.note(told.missing(at + name))
            return None
        return self.as_text(value, at + name, chars_max)

    def as_text(self, value: Any, field: str, chars_max: int) -> str | None:
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and _last_name(field) in _SENT_AS_INTEGERS:
            return str(value)
        if not isinstance(value, str):
            self.note(told.wrong_type(field, "a text", value))
        elif len(value) > chars_max:
            self.note(told.problem("too_long", f"longer than {chars_max} characters", field, value))
        else:
            return value
        return None

    def moment(self, holder: dict[str, Any], name: str) -> Any:
        value = self.given(holder, name, required=True)
        if value is None:
            return None
        read = read_moment(value)
        if isinstance(read, Problem):
            self.note(msgspec.structs.replace(read, field=name))
            return None
        return read

    def number(self, holder: dict[str, Any], name: str, at: str = "", *, required: bool = False) -> Decimal | None:
        field = at + name
        value = self.given(holder, name, at, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            hint = "send the number without quotes" if isinstance(value, str) else ""
            self.note(
                told.problem("not_a_number", f"expected a number, got {told.kind_of(value)}", field, value, hint=hint)
            )
        elif not -wire.NUMBER_LIMIT < value < wire.NUMBER_LIMIT:
            message = "expected a number below 1,000,000,000,000,000"
            self.note(told.problem("out_of_range", message, field, value, contract_code="out_of_range"))
        else:
            return Decimal(value)
        return None

    def amount(self, holder: dict[str, Any]) -> msgspec.Raw | None:
        number = self.number(holder, "amount", required=True)
        if number is None:
            return None
        text = plain_amount(format(number, "f"))
        if text is None:
            message = "expected zero, or a number that is not so very close to it"
            self.note(told.problem("out_of_range", message, "amount", number, contract_code="out_of_range"))
            return None
        return msgspec.Raw(text.encode())

    def products(self, holder: dict[str, Any]) -> list[wire.Product[Decimal]]:
        value = self.given(holder, "products", required=True)
        if value is None:
            return []
        if not isinstance(value, list):
            self.note(told.wrong_type("products", "a list", value))
            return []
        if len(value) > self.limits.lines_per_order:
            self.note(told.too_many("products", len(value), self.limits.lines_per_order))
            return []
        read = [self.product(entry, f"products[{place}]") for place, entry in enumerate(value)]
        return [product for product in read if product is not None]

    def product(self, value: Any, at: str) -> wire.Product[Decimal] | None:
        if not isinstance(value, dict):
            self.note(told.wrong_type(at, "a JSON object", value))
            return None
        if (plain := _plain_product(value)) is not None:
            return plain
        at += "."
        product_id = self.text(value, "productId", at, required=True)
        price = self.number(value, "price", at, required=True)
        quantity = self.quantity(value, at)
        quantity_float = self.number(value, "quantityFloat", at)
        variant_id = self.text(value, "variantId", at)
        if quantity and quantity_float:
            message = "quantity and quantityFloat are both given"
            self.note(
                told.problem("both_quantities", message, at + "quantityFloat", quantity_float, hint="send one of them")
            )
        if product_id is None or price is None:
            return None
        return wire.Product(
            productId=product_id, price=price, quantity=quantity, quantityFloat=quantity_float, variantId=variant_id
        )

    def quantity(self, holder: dict[str, Any], at: str) -> int | None:
        """A whole number, in whatever spelling: older SDKs type it as a float and send 10.0."""
        number = self.number(holder, "quantity", at)
        if number is None:
            return None
        if number != number.to_integral_value():
            hint = "send quantityFloat instead"
            self.note(told.problem("not_whole", "expected a whole number", at + "quantity", number, hint=hint))
            return None
        return int(number)

    def texts(self, holder: dict[str, Any], name: str, kind: type[_Texts]) -> _Texts | None:
        """An object of nothing but optional texts. Names it does not know are none of our business."""
        value = holder.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.note(told.wrong_type(name, "a JSON object", value))
            return None
        plain = {field: value.get(field) for field in kind.__struct_fields__}
        if all(entry is None or _short_text(entry) for entry in plain.values()):
            return kind(**plain)
        short = {"phone"} if kind is wire.Billing else set(kind.__struct_fields__)
        read = {
            field: self.text(
                value,
                field,
                f"{name}.",
                chars_max=wire.REFERENCE_CHARS if field in short else wire.TEXT_CHARS,
            )
            for field in kind.__struct_fields__
        }
        return kind(**read)

    def coupons(self, holder: dict[str, Any]) -> list[str] | None:
        value = holder.get("coupons")
        if value is None:
            return None
        if not isinstance(value, list):
            self.note(told.wrong_type("coupons", "a list", value))
            return None
        if len(value) > wire.COUPONS_MAX:
            self.note(told.too_many("coupons", len(value), wire.COUPONS_MAX))
            return None
        read = []
        for place, entry in enumerate(value):
            if entry is None:
                self.note(told.wrong_type(f"coupons[{place}]", "a text", entry))
            elif (coupon := self.as_text(entry, f"coupons[{place}]", wire.REFERENCE_CHARS)) is not None:
                read.append(coupon)
        return read

    def meta(self, holder: dict[str, Any]) -> dict[str, str | int | bool] | None:
        value = holder.get("metaInfo")
        if value is None:
            return None
        if not isinstance(value, dict):
            self.note(told.wrong_type("metaInfo", "a JSON object", value))
            return None
        if len(value) > self.limits.metadata_keys:
            self.note(told.too_many("metaInfo", len(value), self.limits.metadata_keys))
            return None
        read: dict[str, str | int | bool] = {}
        for name, entry in value.items():
            field = f"metaInfo.{name[: wire.REFERENCE_CHARS]}"
            if len(name) > wire.REFERENCE_CHARS:
                self.note(told.problem("too_long", f"name longer than {wire.REFERENCE_CHARS} characters", field, name))
            elif isinstance(entry, bool | int):
                read[name] = entry
            elif isinstance(entry, str):
                read[name] = self.as_text(entry, field, wire.TEXT_CHARS) or ""
            elif entry is not None:
                self.note(told.wrong_type(field, "a text, a whole number, true or false", entry))
        return read


def _short_text(value: Any) -> bool:
    return type(value) is str and len(value) <= wire.REFERENCE_CHARS


def _plain_product(value: dict[str, Any]) -> wire.Product[Decimal] | None:
    """A product in which nothing is odd, as most of a refused order are: read at once, not field by field."""
    product_id, variant_id = value.get("productId"), value.get("variantId")
    price, quantity = value.get("price"), value.get("quantity")
    if (
        value.get("quantityFloat") is None
        and product_id
        and _short_text(product_id)
        and (variant_id is None or _short_text(variant_id))
        and (type(price) is Decimal or type(price) is int)
        and (quantity is None or type(quantity) is int)
        and -wire.NUMBER_LIMIT < price < wire.NUMBER_LIMIT
        and (quantity is None or -wire.NUMBER_LIMIT < quantity < wire.NUMBER_LIMIT)
    ):
        return wire.Product(productId=product_id, price=Decimal(price), quantity=quantity, variantId=variant_id)
    return None


_Texts = TypeVar("_Texts", wire.Identifiers, wire.Billing)


def read_moment(value: Any) -> Any:
    """An aware datetime within the years 1 to 9999 UTC, or the Problem that keeps it from being one."""
    hint = "send it as 2026-11-20T09:30:00Z or with an offset such as +02:00"
    if not isinstance(value, str):
        return told.problem(
            "invalid_date", f"expected a date-time text, got {told.kind_of(value)}", "", value, hint=hint
        )
    try:
        read = msgspec.convert(value, wire.Moment)
        instant(read)
    except (msgspec.ValidationError, ValueError):
        return told.problem("invalid_date", "expected a date-time with a time zone", "", value, hint=hint)
    return read


def plain_amount(text: str) -> str | None:
    """The digits of a JSON number, exact, without an exponent; None when it is none or is 10^15 or more."""
    plain = text if _PLAIN(text) else plain_decimal(text)
    if plain is None or plain[0] != "-":
        return plain
    return plain if plain.strip("-0.") else plain[1:]
