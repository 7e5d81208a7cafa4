"""A face: one mounted API with its own way to read a key and to say no. Every dialect is one, our own API another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from ordermill.core.errors import MethodNotAllowed, NotFound, Refusal
from ordermill.web.http import Reply, Request, Route


class Face(Protocol):
    """What the guard needs to know of a mounted API."""

    @property
    def name(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def routes(self) -> tuple[Route, ...]: ...
    @property
    def body_bytes_max(self) -> int: ...
    @property
    def media(self) -> str: ...

    def read_key(self, headers: Mapping[str, str], /) -> str | None: ...

    def write_refusal(self, refusal: Refusal, request: Request, /) -> Reply: ...

    def throttle_headers(self, limit: int, remaining: int, reset_s: int, /) -> tuple[tuple[str, str], ...]: ...


class Router:
    """Finds the route of a path below one face. Plain paths by dictionary, patterns by one expression each."""

    def __init__(self, face: Any) -> None:
        self.plain: dict[str, dict[str, Route]] = {}
        patterns: dict[str, dict[str, Route]] = {}
        for route in face.routes:
            path = face.prefix + route.pattern
            (patterns if "{" in path else self.plain).setdefault(path, {})[route.method] = route
        self.patterns = [(_expression(path), routes) for path, routes in patterns.items()]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the named parts of the path. Raises NotFound, MethodNotAllowed."""
        allowed: set[str] = set()
        routes = self.plain.get(path)
        if routes is not None:
            if method in routes:
                return routes[method], {}
            allowed |= set(routes)
        for expression, candidates in self.patterns:
            match = expression.fullmatch(path)
            if match is None:
                continue
            if method in candidates:
                return candidates[method], match.groupdict()
            allowed |= set(candidates)
        if allowed:
            raise MethodNotAllowed(f"{method} is not answered here", allowed=tuple(sorted(allowed)))
        raise NotFound(f"there is nothing at {path[:200]}")


def _expression(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{([a-z_]+)\}", path)
    text = "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>[^/]+)" for place, part in enumerate(parts))
    return re.compile(text)
