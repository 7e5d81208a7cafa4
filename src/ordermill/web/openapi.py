"""OpenAPI 3.1 documents, made from tables of calls and the types that decode and encode the wire, and served."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from ordermill import __version__
from ordermill.web.call import Answer, Call
from ordermill.web.http import JSON, Reply, Request
from ordermill.web.openapi_schemas import Patches, Schema, Schemas
from ordermill.web.parameters import Parameter

Document = dict[str, Any]
Plain = Callable[[Request], Awaitable[Reply]]
REFUSAL_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    406: "NotAcceptable",
    409: "Conflict",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    422: "Unprocessable",
    429: "TooManyRequests",
    503: "Unavailable",
}
CACHE = ("cache-control", "no-cache")

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What one document is made of. `refusals`: status -> sentence, all in the form `error` of the type `error_media`.

    `everywhere`: statuses that each call may answer with; `with_body`: those of calls that take a body, besides.
    `security_schemes` as OpenAPI has them; `security`: any one of the names is enough.
    `headers`: name -> sentence, of every answer. `keyed`: the statuses for an Idempotency-Key that cannot be used.
    """

    title: str
    description: str
    prefix: str
    calls: tuple[Call, ...]
    tags: dict[str, str]
    security_schemes: dict[str, Schema]
    error: Any
    refusals: dict[int, str]
    everywhere: tuple[int, ...] = (401, 403, 429, 503)
    with_body: tuple[int, ...] = (400, 413, 415)
    keyed: tuple[int, ...] = (422,)
    error_media: str = JSON
    headers: dict[str, str] = {}
    renames: dict[str, str] = {}
    patches: Patches = {}
    types: tuple[Any, ...] = ()


def write_document(contract: Contract) -> Document:
    """The OpenAPI document of one contract."""
    schemas = Schemas(_types_of(contract), contract.renames, contract.patches)
    paths: dict[str, Any] = {}
    for call in contract.calls:
        paths.setdefault(contract.prefix + call.pattern, {})[call.method.lower()] = _operation(contract, call, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": contract.title,
            "version": __version__,
            "description": contract.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in contract.security_schemes],
        "tags": [{"name": name, "description": sentence} for name, sentence in contract.tags.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": contract.security_schemes,
            "responses": {
                _refusal_name(status): _refusal(contract, status, schemas) for status in _refused_with(contract)
            },
            "headers": {name: _header(sentence) for name, sentence in _all_headers(contract).items()},
        },
    }


def _types_of(contract: Contract) -> Iterable[Any]:
    yield contract.error
    yield from contract.types
    for call in contract.calls:
        yield from (answer.body for answer in call.answers if answer.body is not None)
        if call.takes is not None:
            yield call.takes


def _operation(contract: Contract, call: Call, schemas: Schemas) -> Schema:
    operation: Schema = {"operationId": call.id, "summary": call.summary}
    if call.description:
        operation["description"] = call.description
    operation["tags"] = [call.tag]
    parameters = [_path_parameter(call, name) for name in re.findall(r"\{(\w+)\}", call.pattern)]
    parameters += [_query_parameter(parameter) for parameter in call.parameters]
    if call.write:
        parameters.append(IDEMPOTENCY_KEY)
    if call.dry_run:
        parameters.append(DRY_RUN)
    if parameters:
        operation["parameters"] = parameters
    if call.takes is not None:
        operation["requestBody"] = _body(call, schemas)
    operation["responses"] = _responses(contract, call, schemas)
    if call.deprecated:
        operation["deprecated"] = True
    return operation


def _path_parameter(call: Call, name: str) -> Schema:
    sentence = call.path_parameters.get(name, "")
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": sentence, "schema": schema}


def _query_parameter(parameter: Parameter) -> Schema:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.sentence,
        "schema": schema,
    }


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The first answer to a key is kept for 24 hours and given again, with `Idempotent-Replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
DRY_RUN: Schema = {
    "name": "Ordermill-Dry-Run",
    "in": "header",
    "description": "`true`: says what would become of each order; nothing is written.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}


def _body(call: Call, schemas: Schemas) -> Schema:
    content: Schema = {"schema": schemas.of(call.takes)}
    if call.examples:
        content["examples"] = {name: {"value": value} for name, value in call.examples.items()}
    return {"required": not call.optional_body, "content": dict.fromkeys(call.media, content)}


def _responses(contract: Contract, call: Call, schemas: Schemas) -> Schema:
    responses: Schema = {}
    for answer in call.answers:
        responses[str(answer.status)] = _answer(contract, call, answer, schemas)
    for status in sorted(_refused(contract, call)):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{_refusal_name(status)}"})
    return responses


def _answer(contract: Contract, call: Call, answer: Answer, schemas: Schemas) -> Schema:
    headers: Schema = {name: {"$ref": f"#/components/headers/{name}"} for name in _all_headers(contract)}
    headers |= {name: _header(sentence) for name, sentence in answer.headers.items()}
    if not call.write:
        headers.pop("Idempotent-Replayed", None)
    response: Schema = {"description": answer.sentence, "headers": headers}
    if answer.body is not None:
        media = (answer.media,) if isinstance(answer.media, str) else answer.media
        response["content"] = {one: {"schema": schemas.of(answer.body)} for one in media}
    return response


def _refused(contract: Contract, call: Call) -> set[int]:
    refused = {*contract.everywhere, *call.refuses}
    if call.takes is not None:
        refused |= set(contract.with_body)
    if call.write:
        refused |= set(contract.keyed)
    return refused


def _refused_with(contract: Contract) -> list[int]:
    return sorted(set().union(*(_refused(contract, call) for call in contract.calls)))


def _refusal(contract: Contract, status: int, schemas: Schemas) -> Schema:
    headers: Schema = {name: {"$ref": f"#/components/headers/{name}"} for name in contract.headers}
    headers["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}
    if status in (429, 503):
        headers["Retry-After"] = _header("Seconds after which it is worth trying again.")
    return {
        "description": contract.refusals[status],
        "headers": headers,
        "content": {contract.error_media: {"schema": schemas.of(contract.error)}},
    }


def _refusal_name(status: int) -> str:
    return REFUSAL_NAMES[status]


def _all_headers(contract: Contract) -> dict[str, str]:
    return {
        "X-Request-ID": "The request's id: the client's own `X-Request-ID`, else one of ours.",
        "Idempotent-Replayed": "`true`: the answer that was given to this Idempotency-Key before.",
        **contract.headers,
    }


def _header(sentence: str) -> Schema:
    return {"description": sentence, "schema": {"type": "string"}}


def served(contracts: Mapping[str, Callable[[], Contract]], own: str) -> dict[str, Plain]:
    """Path -> handler: `/openapi/<name>.json` for each contract, `/openapi.json` for the one named `own`.

    A document is made when it is first asked for.
    """
    made: dict[str, Document] = {}

    def handler(name: str) -> Plain:
        async def serve(request: Request) -> Reply:
            if name not in made:
                made[name] = write_document(contracts[name]())
            document = {**made[name], "servers": [{"url": request.base_url or "/"}]}
            return Reply(200, _encode(document), headers=(CACHE, ("access-control-allow-origin", "*")))

        return serve

    paths = {f"/openapi/{name}.json": handler(name) for name in contracts}
    return {**paths, "/openapi.json": handler(own)}
