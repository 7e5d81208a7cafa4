"""A call of a mounted API, declared once: the router is made from it, and so is its part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from ordermill.web.http import JSON, Handler, Route
from ordermill.web.parameters import Parameter


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One status a call answers with. `body`: a type or a JSON Schema; None for no body at all.

    `media`: one type, or those that it may be. `headers`: name -> sentence.
    """

    status: int
    sentence: str
    body: Any = None
    media: str | tuple[str, ...] = JSON
    headers: dict[str, str] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Path, verb, handler and description. `takes`: the type (or JSON Schema) of the body, None for no body.

    `media`: the body's media types, the usual one first. `optional_body`: the body may be left out. `stream`: the
    handler reads the body itself. `refuses`: the statuses of refusals besides those that every call can answer with.
    `dry_run`: heeds Ordermill-Dry-Run. `handler` None: described only, it is routed elsewhere.
    """

    method: str
    pattern: str
    id: str
    summary: str
    answers: tuple[Answer, ...]
    handler: Handler | None = None
    scope: str = "orders:read"
    write: bool = False
    description: str = ""
    tag: str = ""
    parameters: tuple[Parameter, ...] = ()
    path_parameters: dict[str, str] = {}
    takes: Any = None
    media: tuple[str, ...] = (JSON,)
    optional_body: bool = False
    examples: dict[str, Any] = {}
    refuses: tuple[int, ...] = ()
    dry_run: bool = False
    deprecated: bool = False
    stream: bool = False

    def route(self) -> Route:
        assert self.handler is not None
        return Route(self.method, self.pattern, self.handler, self.scope, self.write, self.stream)
