"""What an operator may decide about the Centra dialect, and the rules a reader is made with."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from ordermill.core.limits import Limits

STORE = "default"  # the store behind /centra itself


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the dialect.

    `timezone`: the zone of dates that come without one, and of dates we write (contract A17).
    `require_state_for`: country codes whose addresses must name a state (A3).
    `missing_price`: what becomes of a line without any price (A5). `create_allowed`: the plugin's "Allow Order Create".
    """

    timezone: str = "UTC"
    require_state_for: tuple[str, ...] = ()
    missing_price: Literal["accept", "reject"] = "accept"
    create_allowed: bool = True


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and limits in the form the readers use. Sizes are counts of characters, lines, members and orders."""

    zone: ZoneInfo
    states: frozenset[str]
    price_required: bool
    orders_max: int
    lines_max: int
    text_max: int
    attributes_max: int
    nesting_max: int

    def relaxed(self) -> Rules:
        """The same without what only new orders must heed: an order that was accepted stays readable."""
        return msgspec.structs.replace(self, states=frozenset(), price_required=False)


def rules_of(settings: Settings, limits: Limits) -> Rules:
    """Raises ZoneInfoNotFoundError for a time zone nobody knows."""
    return Rules(
        zone=ZoneInfo(settings.timezone),
        states=frozenset(code.upper() for code in settings.require_state_for),
        price_required=settings.missing_price == "reject",
        orders_max=limits.orders,
        lines_max=limits.lines_per_order,
        text_max=limits.text_chars,
        attributes_max=limits.metadata_keys,
        nesting_max=limits.nesting,
    )


DEFAULT_RULES = rules_of(Settings(), Limits())
