"""Our own API: every contract's batches and orders in one form, keys, figures. A face like the dialects' are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from ordermill.config import Config
from ordermill.core.errors import Refusal
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill
from ordermill.dialects.dialect import Dialect
from ordermill.store.ledger import Ledger
from ordermill.web import problems
from ordermill.web.auth import Authenticator
from ordermill.web.call import Call
from ordermill.web.http import Reply, Request, Route
from ordermill.web.manage_batches import Batches
from ordermill.web.manage_failed import Failed
from ordermill.web.manage_figures import Figures
from ordermill.web.manage_intake import Intake
from ordermill.web.manage_keys import Keys
from ordermill.web.manage_orders import Orders
from ordermill.web.telling import PREFIX

NAME = "ordermill"


class Manage(msgspec.Struct, frozen=True, kw_only=True):
    """The face. `calls`: what the routes were made of, for the OpenAPI document."""

    name: str
    prefix: str
    routes: tuple[Route, ...]
    calls: tuple[Call, ...]
    body_bytes_max: int
    read_key: Callable[[Mapping[str, str]], str | None]
    write_refusal: Callable[[Refusal, Request], Reply]
    throttle_headers: Callable[[int, int, int], tuple[tuple[str, str], ...]]
    # Downloads are no JSON, so Accept is not judged; the body's content type is, where there is one (web/bodies.py).
    media: Literal["json", "lenient", "any"] = "lenient"


def build(
    mill: Mill,
    ledger: Ledger,
    dialects: Iterable[Dialect],
    limits: Limits,
    authenticator: Authenticator,
    config: Config,
    extra_routes: Iterable[Call | Route] = (),
) -> Manage:
    """The API, ready to be mounted. `extra_routes`: a Call is also described in the OpenAPI document."""
    by_name = {dialect.name: dialect for dialect in dialects}
    extra = tuple(extra_routes)
    calls = (
        *Batches(mill, ledger).calls(),
        *Failed(mill).calls(),
        *Intake(mill, by_name, limits).calls(),
        *Orders(mill, ledger, by_name, raw_days=config.raw_retention_days).calls(),
        *Keys(ledger, authenticator).calls(),
        *Figures(ledger, by_name, limits, config).calls(),
        *(call for call in extra if isinstance(call, Call)),
    )
    routes = (*(call.route() for call in calls), *(route for route in extra if isinstance(route, Route)))
    return Manage(
        name=NAME,
        prefix=PREFIX,
        routes=routes,
        calls=calls,
        body_bytes_max=limits.body_bytes,
        read_key=read_key,
        write_refusal=problems.write_refusal,
        throttle_headers=problems.throttle_headers,
    )


def read_key(headers: Mapping[str, str]) -> str | None:
    """`Authorization: Bearer <key>`."""
    scheme, _, key = headers.get("authorization", "").strip().partition(" ")
    return (key.strip() or None) if scheme.lower() == "bearer" else None
