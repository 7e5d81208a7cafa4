"""What GET orders may be asked (contract section 4) -> OrderQuery. Pure."""

from __future__ import annotations

import re

from ordermill.core.errors import Invalid
from ordermill.core.query import OrderQuery, OrderSort
from ordermill.dialects.centra.dates import read_date
from ordermill.dialects.centra.inbound import DIALECT
from ordermill.dialects.centra.settings import DEFAULT_RULES, STORE, Rules

LIST_DEFAULT = 20
LIST_MAX = 1_000  # more is refused, not cut: a client that adds its own limit to `offset` would skip orders
OFFSET_MAX = 2**31 - 1


def read_order_query(pairs: list[tuple[str, str]], *, source: str, rules: Rules = DEFAULT_RULES) -> OrderQuery:
    """The parameters of GET orders (contract section 4). Of a repeated one the last counts, unknown ones are ignored.

    Raises Invalid for a value that cannot be meant. Prepared orders are found by their number only (A10).
    """
    given = {name: value for name, value in pairs if value != ""}
    number = _whole(given, "order", None, 1, 2**31 - 1)
    return OrderQuery(
        dialect=DIALECT,
        sources=(source or STORE,),
        references=() if number is None else (str(number),),
        statuses_not=("incomplete",) if number is None else (),
        placed_after=_date(given, "newer_than", rules),
        placed_before=_date(given, "older_than", rules),
        contact_id=_whole(given, "customer_id", None, 0, 2**63 - 1),
        sort=OrderSort.NUMBER,
        descending=False,
        limit=_whole(given, "limit", LIST_DEFAULT, 1, LIST_MAX) or LIST_DEFAULT,
        offset=_whole(given, "offset", 0, 0, OFFSET_MAX) or 0,
        with_count=False,
    )


def _whole(given: dict[str, str], name: str, default: int | None, least: int, most: int) -> int | None:
    text = given.get(name)
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise Invalid(f"{name} must be an integer from {least} to {most}", field=name)
    return int(text)


def _date(given: dict[str, str], name: str, rules: Rules) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    micros = read_date(text, rules.zone)
    if micros is None:
        raise Invalid(f"{name} must be a date: YYYY-mm-dd or YYYY-mm-dd HH:MM:SS", field=name)
    return micros
