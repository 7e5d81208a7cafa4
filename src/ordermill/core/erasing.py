"""Forgetting a person: what stays of an order (what was bought, for how much, when) and what goes. Pure."""

from __future__ import annotations

import msgspec

from ordermill.core.order import Address, Content

ERASED = "erased"
KINDS = ("email", "phone", "ext", "loyalty")


class Person(msgspec.Struct, frozen=True):
    """Somebody, by one identifier: its kind (one of KINDS) and its value."""

    kind: str
    value: str

    @property
    def spelling(self) -> str:
        """The value as contacts are found by it."""
        return self.value.strip().casefold() if self.kind == "email" else self.value.strip()


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased: orders that lost their person, versions and failed orders emptied, identifiers, events."""

    orders: int = 0
    versions: int = 0
    identifiers: int = 0
    events: int = 0
    answers: int = 0


def anonymous(content: Content) -> Content:
    """The order without anybody: country and lines stay, names, addresses, notes and free fields go."""
    return msgspec.structs.replace(
        content,
        identifiers={},
        ship_to=_nowhere(content.ship_to),
        ship_from=_nowhere(content.ship_from),
        bill_to=_nowhere(content.bill_to),
        comment=None,
        metadata={},
        options={name: value for name, value in content.options.items() if name == "currency"},
        extra={},
        lines=tuple(msgspec.structs.replace(line, comment=None) for line in content.lines),
    )


def _nowhere(address: Address | None) -> Address | None:
    if address is None:
        return None
    return Address(name=ERASED, line1=ERASED, city=ERASED, country=address.country, country_code=address.country_code)
