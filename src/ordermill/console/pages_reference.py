"""The API reference, rendered from our own OpenAPI documents: every call, every field with its rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.responses import Response

from ordermill.console.visit import Page, Visit
from ordermill.core.errors import NotFound
from ordermill.web.http import Request

NAMES = (("brevo", "Brevo"), ("karrio", "Karrio"), ("centra", "Centra"), ("ordermill", "Our own API"))
METHODS = ("get", "post", "put", "patch", "delete")
DEPTH_MAX = 5

Document = dict[str, Any]
NOTHING: Document = {}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table of fields."""

    path: str
    depth: int
    kind: str
    required: bool
    rule: str
    sentence: str


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One call as the page shows it."""

    anchor: str
    method: str
    path: str
    summary: str
    sentence: str
    tag: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    media: str
    example: str
    answers: tuple[tuple[str, str, tuple[Field, ...]], ...]


async def reference(visit: Visit) -> Response:
    """GET /reference and /reference/{name}."""
    name = visit.params.get("name", "brevo")
    handler = visit.console.parts.plain.get(f"/openapi/{name}.json")
    if handler is None or name not in dict(NAMES):
        raise NotFound("There is no such document.", hint="There are brevo, karrio, centra and ordermill.")
    known = visit.console.documents.get(name)
    if known is None:
        request = Request("GET", f"/openapi/{name}.json", b"", {}, b"", "", visit.now)
        document: Document = msgspec.json.decode((await handler(request)).body)
        calls = tuple(operations(document))
        known = visit.console.documents[name] = (document, calls, visit.part("reference_calls.html", calls=calls))
    document, calls, sections = known
    return await visit.page(
        "reference.html",
        title=f"{dict(NAMES)[name]} reference",
        nav="reference",
        name=name,
        names=NAMES,
        info=document["info"],
        calls=calls,
        sections=sections,
        security=document.get("components", {}).get("securitySchemes", {}),
    )


def operations(document: Document) -> Iterator[Operation]:
    for path, entries in document["paths"].items():
        for method in METHODS:
            if method in entries:
                yield _operation(document, path, method, entries[method])


def _operation(document: Document, path: str, method: str, said: Document) -> Operation:
    content: Document = resolve(document, said.get("requestBody", {})).get("content", {})
    media, body = next(iter(content.items()), ("", NOTHING))
    examples = body.get("examples", {})
    example = next((entry.get("value") for entry in examples.values()), body.get("example"))
    return Operation(
        anchor=said.get("operationId", f"{method}-{path}"),
        method=method.upper(),
        path=path,
        summary=said.get("summary", ""),
        sentence=said.get("description", ""),
        tag=(said.get("tags") or [""])[0],
        parameters=tuple(_parameter(document, entry) for entry in said.get("parameters", ())),
        body=tuple(fields(document, body.get("schema", {}))),
        media=media,
        example="" if example is None else msgspec.json.format(msgspec.json.encode(example), indent=2).decode(),
        answers=tuple(_answers(document, said.get("responses", {}))),
    )


def _parameter(document: Document, said: Document) -> Field:
    said = resolve(document, said)
    schema = resolve(document, said.get("schema", {}))
    place = said.get("in", "")
    return Field(
        path=said.get("name", ""), depth=0, kind=f"{kind(document, schema)}, in {place}",
        required=bool(said.get("required")), rule=rule(schema), sentence=said.get("description", ""),
    )  # fmt: skip


def _answers(document: Document, responses: Document) -> Iterator[tuple[str, str, tuple[Field, ...]]]:
    for status, said in responses.items():
        answer = resolve(document, said)
        content = next(iter(answer.get("content", {}).values()), NOTHING)
        shown = fields(document, content.get("schema", {})) if status.startswith("2") else ()
        yield status, answer.get("description", ""), tuple(shown)


def fields(
    document: Document, schema: Document, path: str = "", depth: int = 0, above: tuple[str, ...] = ()
) -> Iterator[Field]:
    """The members of a schema and of what is in them, depth first. A type inside itself is named, not repeated."""
    name = schema.get("$ref", "")
    schema = resolve(document, schema)
    if depth >= DEPTH_MAX or (name and name in above):
        return
    above = (*above, name) if name else above
    if schema.get("type") == "array":
        yield from fields(document, schema.get("items", {}), path, depth, above)
        return
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from fields(document, choice, path, depth, above)
    wanted = schema.get("required", ())
    for member, said in schema.get("properties", {}).items():
        inner = resolve(document, said)
        here = f"{path}.{member}" if path else member
        if "array" in str(inner.get("type", "")):
            here += "[]"
        yield Field(
            path=here, depth=depth, kind=kind(document, said), required=member in wanted,
            rule=rule(inner), sentence=inner.get("description", ""),
        )  # fmt: skip
        yield from fields(document, said, here, depth + 1, above)


def resolve(document: Document, said: Document) -> Document:
    """What a $ref points at; its own words win over those it points at."""
    reference = said.get("$ref")
    if not reference:
        return said
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {})
    own = {name: value for name, value in said.items() if name != "$ref"}
    return {**found, **own}


def kind(document: Document, schema: Document) -> str:
    schema = resolve(document, schema)
    said = schema.get("type")
    if isinstance(said, list):
        return " or ".join(said)
    if said == "array":
        return f"list of {kind(document, schema.get('items', {}))}"
    if said:
        return str(said)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(kind(document, choice) for choice in choices))
    return "one of" if "enum" in schema else "any"


def rule(schema: Document) -> str:
    """What a value must be, in words."""
    inner = [schema, *(choice for choice in schema.get("anyOf", ()) if isinstance(choice, dict))]
    told: list[str] = []
    for entry in inner:
        told += [text for name, form in _RULES for text in _told(entry, name, form)]
        values = entry.get("enum")
        if values:
            shown = ", ".join(str(value) for value in values[:12])
            told.append(f"one of {shown}" + (f" … ({len(values)})" if len(values) > 12 else ""))
    return "; ".join(dict.fromkeys(told))


_RULES = (
    ("format", "{}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
    ("default", "unless told: {}"),
)


def _told(schema: Document, name: str, form: str) -> list[str]:
    value = schema.get(name)
    return [] if value in (None, "", [], {}) or isinstance(value, dict | list) else [form.format(value)]


PAGES = (
    Page("GET", "/reference", reference),
    Page("GET", "/reference/{name}", reference),
)
