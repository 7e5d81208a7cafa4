"""What becomes of one draft: a closed union that `match` must exhaust."""

from __future__ import annotations

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.order import NewOrder, Order


class Created(msgspec.Struct, frozen=True, gc=False):
    """A new order; `order_id` is the id of the item that brought it."""

    order: NewOrder
    reference: str
    order_id: int


class Updated(msgspec.Struct, frozen=True, gc=False):
    """A newer version of an order that was there, `revision` counting from 2. `known` is what it replaces."""

    order: NewOrder
    known: Order
    revision: int


class Unchanged(msgspec.Struct, frozen=True, gc=False):
    """The same content again, or an order that is to be kept as it is. Nothing is recorded but the item."""

    known: Order


class Stale(msgspec.Struct, frozen=True, gc=False):
    """An older version than the current one: kept in the history, answered with success, never current."""

    order: NewOrder
    known: Order


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Not taken, and why."""

    problems: tuple[Problem, ...]


Outcome = Created | Updated | Unchanged | Stale | Rejected
