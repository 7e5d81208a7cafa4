"""Brevo's query strings -> OrderQuery (contract section 8). Pure."""

from __future__ import annotations

import re

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.limits import Limits
from ordermill.core.query import OrderQuery, OrderSort
from ordermill.dialects.brevo import lenient, wire
from ordermill.dialects.brevo import problems as told
from ordermill.dialects.reading import instant

LIMITS = Limits()
_LOST_PLUS = re.compile(r"(.*T.*) (\d\d:?\d\d)").fullmatch
_OFFSET_MAX = 2**31 - 1


def read_order_query(pairs: list[tuple[str, str]], limits: Limits = LIMITS) -> OrderQuery:
    """GET /orders (contract section 8): orders that came in through this contract. Raises Invalid with all problems.

    The last one of a repeated parameter counts, unknown ones are ignored.
    """
    given = dict(pairs)
    problems: list[Problem] = []
    limit = _read_whole(given, "limit", 50, 1, limits.page, problems)
    offset = _read_whole(given, "offset", 0, 0, _OFFSET_MAX, problems)
    sort = _read_word(given, "sort", "desc", ("asc", "desc"), problems)
    secondary = _read_word(given, "secondarySortByModifiedAt", "false", ("true", "false"), problems)
    placed_after = _read_since(given, "createdSince", problems)
    updated_after = _read_since(given, "modifiedSince", problems)
    if problems:
        raise told.refuse(problems)
    return OrderQuery(
        dialect=wire.NAME,
        placed_after=placed_after,
        updated_after=updated_after,
        sort=OrderSort.PLACED_UPDATED if secondary == "true" else OrderSort.PLACED,
        descending=sort == "desc",
        limit=limit,
        offset=offset,
    )


def _read_whole(given: dict[str, str], name: str, default: int, least: int, most: int, problems: list[Problem]) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]+", text):
        problems.append(told.problem("not_a_number", "expected a whole number", name, text))
        return default
    if len(text) > 12 or not least <= int(text) <= most:
        message = f"expected a whole number from {least} to {most}"
        problems.append(told.problem("out_of_range", message, name, text, contract_code="out_of_range"))
        return default
    return int(text)


def _read_word(given: dict[str, str], name: str, default: str, words: tuple[str, ...], problems: list[Problem]) -> str:
    text = given.get(name, default)
    if text not in words:
        problems.append(told.problem("unknown_word", f"expected {' or '.join(words)}", name, text))
    return text


def _read_since(given: dict[str, str], name: str, problems: list[Problem]) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    # A `+` that was not percent-encoded arrives as a blank.
    found = _LOST_PLUS(text)
    read = lenient.read_moment(f"{found[1]}+{found[2]}" if found else text)
    if isinstance(read, Problem):
        problems.append(msgspec.structs.replace(read, field=name))
        return None
    return instant(read)
