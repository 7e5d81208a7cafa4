"""What is wrong with a request, in words: Problems, and the Refusal that tells of them. Pure.

Codes are stable: `code` is ours, `contract_code` is one of the contract's closed list (section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.batch import Draft, Problem
from ordermill.core.errors import Invalid
from ordermill.dialects.brevo import wire

PROBLEMS_MAX = 100  # told of one order, and of one request; the rest would only repeat them
VALUE_CHARS = 100  # of a refused value are shown


def refuse(problems: Sequence[Problem], total: int | None = None) -> Invalid:
    """The refusal of a request for these Problems: its message names the first, and how many more there are.

    `total`: how many there are where `problems` is only the beginning.
    """
    first = problems[0]
    more = (total or len(problems)) - 1
    message = describe(first) if first.field == "" else f"{first.field}: {describe(first)}"
    if more:
        message += f" (and {more} more problem{'s' if more > 1 else ''})"
    return Invalid(message, field=first.field, hint=first.hint, problems=tuple(problems))


def describe(problem: Problem) -> str:
    """The message, and what to do about it."""
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


def located(drafts: Iterable[Draft], *, single: bool = False) -> Iterator[Problem]:
    """All problems of a request with the full path of their fields: `orders[3].products[0].price`."""
    for draft in drafts:
        for problem in draft.problems:
            if single:
                yield problem
            else:
                path = f"orders[{draft.key}]"
                field = f"{path}.{problem.field}" if problem.field else path
                yield msgspec.structs.replace(problem, field=field)


def printable(name: str) -> str:
    """A name from JSON that nobody has checked yet, fit to be kept and shown."""
    return name[: wire.REFERENCE_CHARS].encode("utf-8", "replace").decode().replace("\0", "?")


def problem(
    code: str, message: str, field: str, value: Any, *, hint: str = "", contract_code: str = "invalid_parameter"
) -> Problem:
    shown = None if value is None else _show(value)
    return Problem(code=code, message=message, field=field, value=shown, hint=hint, contract_code=contract_code)


def missing(field: str) -> Problem:
    return problem("required", "required, but not given", field, None, contract_code="missing_parameter")


def wrong_type(field: str, wanted: str, value: Any) -> Problem:
    return problem("wrong_type", f"expected {wanted}, got {kind_of(value)}", field, value)


def too_many(field: str, count: int, most: int) -> Problem:
    message = f"{count} entries, at most {most} are accepted"
    return problem("too_many", message, field, None, contract_code="out_of_range")


def kind_of(value: Any) -> str:
    """What people call a JSON value. bool before int: a bool is an int to Python."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "[…]"
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + "…"
