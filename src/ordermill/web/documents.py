"""Which OpenAPI documents this server has, under its present settings and limits."""

from __future__ import annotations

from collections.abc import Callable

from ordermill.config import Config
from ordermill.core.limits import Limits
from ordermill.dialects.karrio.routes import Settings
from ordermill.web.manage import NAME, Manage
from ordermill.web.openapi import Contract, Plain, served
from ordermill.web.openapi_brevo import brevo
from ordermill.web.openapi_centra import centra
from ordermill.web.openapi_karrio import karrio
from ordermill.web.openapi_ordermill import ordermill


def contracts(manage: Manage, limits: Limits, config: Config) -> dict[str, Callable[[], Contract]]:
    """Name -> how to make what its document is made of."""
    return {
        "brevo": lambda: brevo(limits),
        "karrio": lambda: karrio(limits, Settings(limits=config.karrio_limits, codes=config.codes)),
        "centra": lambda: centra(limits),
        NAME: lambda: ordermill(manage, limits),
    }


def paths(manage: Manage, limits: Limits, config: Config) -> dict[str, Plain]:
    """The open paths they are served under."""
    return served(contracts(manage, limits, config), own=NAME)
