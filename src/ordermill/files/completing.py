"""What follows from what was read: a name from its parts, a code from a country, one price of many, no order at all."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from ordermill.core.order import Line
from ordermill.files import countries

ONE = Decimal(1)
TOTALS = frozenset(
    ("total", "totals", "grand total", "subtotal", "sum", "summe", "gesamt", "gesamtsumme", "zwischensumme", "somme")
)


def is_total(reference: str) -> bool:
    """Whether what stands in the column of order ids is the word before the sums at the end of an export."""
    return reference.strip(" :=*").casefold() in TOTALS


def complete_address(address: dict[str, Any]) -> None:
    """First and last name make the name; a country written out gets its code."""
    first, last = address.pop("first_name", None), address.pop("last_name", None)
    if not address.get("name") and (first or last):
        address["name"] = " ".join(part for part in (first, last) if part)
    country = address.pop("country", None)
    if country:
        code = countries.code_of(country)
        if code is not None:
            address["country"] = country
        address["country_code"] = code or _upper_code(country)


def complete_line(line: dict[str, Any], *, by_product: bool) -> None:
    """The price of one out of the price of all; `by_product`: the contract's only name for a product is its id."""
    total = line.pop("total", None)
    if total is not None and line.get("unit_price") is None:
        line["unit_price"] = _divided(total, line.get("quantity") or ONE)
    country = line.get("origin_country")
    if country:
        line["origin_country"] = countries.code_of(country) or _upper_code(country)
    if by_product and not line.get("product_id") and line.get("sku"):
        line["product_id"] = line.pop("sku")


def _upper_code(text: str) -> str:
    return text.upper() if len(text) == 2 else text


def _divided(total: Decimal, quantity: Decimal) -> Decimal:
    """The price of one, to four places where it does not come out even."""
    with localcontext(prec=28):
        one = total / quantity if quantity else total
        return one.normalize() if one == one.quantize(Decimal("0.0001")) else one.quantize(Decimal("0.0001"))


def line_of(said: dict[str, Any]) -> Line:
    """Where no quantity is told, it is one."""
    if said.get("quantity") is None:
        said["quantity"] = ONE
    return Line(**said)
