"""JSON bodies of our own API, read strictly into a type: every problem is told, nothing unknown is passed over."""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_type_hints

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.errors import Invalid, Unreadable, UnsupportedMedia
from ordermill.dialects.reading import DECODE_ERRORS, check_text, unreadable
from ordermill.web.http import Request

T = TypeVar("T", bound=msgspec.Struct)


class Name:
    """A member's name, told apart from an equal one: so a dict keeps a name that was sent twice."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _as_name(kind: Any, text: Any) -> Any:
    return kind(text)


_members = msgspec.json.Decoder(dict[Name, msgspec.Raw], dec_hook=_as_name)


def read_members(body: bytes | msgspec.Raw) -> list[tuple[str, msgspec.Raw]]:
    """The members of a JSON object as sent, repeated names included. Raises Unreadable for anything else."""
    try:
        return [(name.text, value) for name, value in _members.decode(body).items()]
    except msgspec.ValidationError as error:
        raise Unreadable("the body must be a JSON object") from error
    except DECODE_ERRORS as error:
        raise unreadable(error) from error


def read_body(request: Request, kind: type[T], *, optional: bool = False) -> T:
    """The request's body as `kind`. `optional`: no body at all is an empty object.

    Raises UnsupportedMedia, Unreadable (no JSON object, a name given twice), or Invalid with all problems.
    """
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media and media != "application/json" and not media.endswith("+json"):
        raise UnsupportedMedia(f"the content type {media[:100]} is not read here", hint="send application/json")
    body = request.body
    if optional and not body.strip():
        body = b"{}"
    check_text(body)
    members = read_members(body)
    names = [name for name, _ in members]
    twice = next((name for name in names if names.count(name) > 1), None) if len(names) < 100 else None
    if twice is not None:
        raise Unreadable(f"the name {twice[:100]!r} is given more than once", field=twice[:100])
    return _read_fields(members[:100], kind)


def _read_fields(members: list[tuple[str, msgspec.Raw]], kind: type[T]) -> T:
    fields = _fields(kind)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, raw in members:
        if name not in fields:
            problems.append(_unknown(name, fields))
            continue
        attribute, annotation, _ = fields[name]
        try:
            values[attribute] = msgspec.json.decode(raw, type=annotation)
        except msgspec.ValidationError as error:
            values[attribute] = None
            problems.append(_wrong(name, str(error), raw))
        except DECODE_ERRORS as error:
            raise unreadable(error) from error
    problems += [
        Problem(code="required", field=name, message=f"{name} must be given")
        for name, (attribute, _, required) in fields.items()
        if required and attribute not in values
    ]
    if problems:
        first = problems[0]
        raise Invalid(first.message, field=first.field, hint=first.hint, problems=tuple(problems))
    return kind(**values)


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[str, Any, bool]]:
    """Name on the wire -> (attribute, type, whether it must be given)."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.encode_name: (field.name, hints[field.name], field.required) for field in msgspec.structs.fields(kind)
    }


def _unknown(name: str, known: dict[str, Any]) -> Problem:
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return Problem(code="unknown_field", field=name[:100], message=f"there is no field {name[:100]!r}", hint=hint)


def _wrong(name: str, message: str, raw: msgspec.Raw) -> Problem:
    said, _, place = message.partition(" - at `$")
    sent = bytes(raw)[:60].decode("utf-8", "replace")
    return Problem(
        code="wrong_type",
        field=name + place.rstrip("`"),
        message=f"{name}: {said[:1].lower()}{said[1:]}",
        value=json.dumps(sent)[1:-1] if "\0" in sent else sent,
    )
