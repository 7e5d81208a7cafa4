"""Query parameters, declared once: what reads them also describes them. A name nobody knows is refused, not ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.errors import Invalid
from ordermill.dialects.reading import instant

PAGE_MAX = 1_000
PAGE_DEFAULT = 50
WHOLE_MAX = 2**53 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)([Zz]|[+ -]\d\d:\d\d)")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One name a query may hold. `read` raises ValueError, with the reason, for a value that cannot be meant.

    `many`: the name may be repeated, and its values are a tuple. `schema`: its JSON Schema.
    """

    name: str
    sentence: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    many: bool = False
    required: bool = False


def read_query(pairs: Sequence[tuple[str, str]], known: Sequence[Parameter]) -> dict[str, Any]:
    """Values by name, of the parameters that were given. Raises Invalid with all problems of the query."""
    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in pairs:
        parameter = by_name.get(name)
        if parameter is None:
            problems.append(_unknown(name, by_name))
            continue
        if name in values and not parameter.many:
            problems.append(Problem(code="repeated", field=name[:100], message=f"{name} may be given once only"))
            continue
        try:
            value = parameter.read(text)
        except ValueError as error:
            problems.append(Problem(code="invalid_value", field=name, message=f"{name} {error}", value=text[:100]))
            continue
        values[name] = (*values.get(name, ()), value) if parameter.many else value
    problems += [
        Problem(code="required", field=parameter.name, message=f"{parameter.name} must be given")
        for parameter in known
        if parameter.required and parameter.name not in {name for name, _ in pairs}
    ]
    if problems:
        first = problems[0]
        raise Invalid(first.message, field=first.field, hint=first.hint, problems=tuple(problems))
    return values


def _unknown(name: str, known: Mapping[str, Parameter]) -> Problem:
    near = get_close_matches(name, known, 1)
    if near:
        hint = f"did you mean {near[0]}?"
    else:
        hint = f"known here: {', '.join(sorted(known))}" if known else "this call takes no parameters"
    return Problem(
        code="unknown_parameter", field=name[:100], message=f"there is no parameter {name[:100]!r}", hint=hint
    )


def text(name: str, sentence: str, *, many: bool = False, required: bool = False, chars_max: int = 255) -> Parameter:
    """Any text without control characters."""

    def read(value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        if len(value) > chars_max:
            raise ValueError(f"must have at most {chars_max} characters")
        if _CONTROL.search(value):
            raise ValueError("must not hold control characters")
        return value

    schema = {"type": "string", "minLength": 1, "maxLength": chars_max}
    return Parameter(name=name, sentence=sentence, schema=schema, read=read, many=many, required=required)


def choice(name: str, sentence: str, words: Sequence[str], *, many: bool = False, required: bool = False) -> Parameter:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    schema = {"type": "string", "enum": list(words)}
    return Parameter(name=name, sentence=sentence, schema=schema, read=read, many=many, required=required)


def whole(name: str, sentence: str, least: int = 0, most: int = WHOLE_MAX) -> Parameter:
    def read(value: str) -> int:
        if not re.fullmatch("[0-9]{1,16}", value) or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name=name, sentence=sentence, schema=schema, read=read)


def flag(name: str, sentence: str) -> Parameter:
    def read(value: str) -> bool:
        if value not in ("true", "false"):
            raise ValueError("must be true or false")
        return value == "true"

    return Parameter(name=name, sentence=sentence, schema={"type": "boolean"}, read=read)


def moment(name: str, sentence: str) -> Parameter:
    """An instant as µs since 1970 UTC."""
    description = "ISO 8601 with a zone (`2026-11-20T09:30:00Z`), or a date, which begins at 00:00 UTC."
    schema = {"type": "string", "examples": ["2026-11-20T09:30:00Z", "2026-11-20"], "description": description}
    return Parameter(name=name, sentence=sentence, schema=schema, read=read_moment)


def read_moment(value: str) -> int:
    """µs since 1970 UTC. A blank before the zone is a `+` that was not percent-encoded. Raises ValueError."""
    if _DATE.fullmatch(value):
        value += "T00:00Z"
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise ValueError("must be an instant such as 2026-11-20T09:30:00Z, or a date")
    day, clock, zone = found.groups()
    zone = "+00:00" if zone in "Zz" else zone.replace(" ", "+")
    try:
        return instant(datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC))
    except (ValueError, OverflowError):
        raise ValueError("is no instant of the years 1 to 9999") from None


def span(prefix: str, of: str) -> tuple[Parameter, Parameter]:
    """`<prefix>Since` (that instant or later) and `<prefix>Until` (before that instant)."""
    return (
        moment(f"{prefix}Since", f"Only {of} at this instant or later."),
        moment(f"{prefix}Until", f"Only {of} before this instant."),
    )


def bounds(asked: Mapping[str, Any], prefix: str) -> tuple[int | None, int | None]:
    """What `span` read, as the strict bounds (after, before) of a core query."""
    since = asked.get(f"{prefix}Since")
    return (None if since is None else since - 1), asked.get(f"{prefix}Until")


LIMIT = Parameter(
    name="limit",
    sentence=f"How many entries a page holds, {PAGE_DEFAULT} unless told.",
    schema={"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_DEFAULT},
    read=whole("limit", "", 1, PAGE_MAX).read,
)
CURSOR = Parameter(
    name="cursor",
    sentence="Where to go on: `next` of the page before.",
    schema={"type": "string", "pattern": "^[0-9]{1,16}$"},
    read=whole("cursor", "").read,
)
PAGING = (LIMIT, CURSOR)
