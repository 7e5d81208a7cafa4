"""Warnings: what a contract takes although it is odd. They follow from the document and are read out of it again."""

from __future__ import annotations

from ordermill.core.order import Order
from ordermill.dialects.dialect import Dialect
from ordermill.web import shapes

# Code -> what it means. Which contract section asks for it: see docs/dialects.
MEANINGS = {
    "no_identifier": "It names nobody, so it belongs to no contact.",
    "no_quantity": "A product has neither quantity nor quantityFloat; it is listed with 0.",
    "unverified": "Products, prices and the store are taken as sent: there is no catalogue to check them against.",
    "unpriced": "A line has no price; it counts 0.00.",
}
FIELDS = {"no_identifier": "identifiers", "no_quantity": "products", "unverified": "products"}
ALWAYS = frozenset({"unverified"})  # true of every order of its contract, so nothing that anybody looks for


def find_warnings(order: Order, dialect: Dialect) -> list[shapes.Warning]:
    """Those of the newest version; none where its document is gone or would not be taken any more."""
    if order.document is None:
        return []
    again = dialect.read_draft("", order.document.encode(), now=order.placed_at, source=order.source).order
    return [] if again is None else [_told(warning) for warning in again.warnings]


def has_warnings(order: Order, dialect: Dialect) -> bool:
    """Whether there is one that somebody might act upon."""
    return any(warning.code not in ALWAYS for warning in find_warnings(order, dialect))


def _told(warning: str) -> shapes.Warning:
    """`unpriced: products[2]` names its field behind the code."""
    code, _, field = warning.partition(": ")
    return shapes.Warning(code=code, field=field or FIELDS.get(code, ""), message=MEANINGS.get(code, code))
