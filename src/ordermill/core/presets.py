"""A mapping of files kept under a name, to be used for the next file of that shape: what it may be called."""

from __future__ import annotations

import msgspec

from ordermill.core.errors import Invalid
from ordermill.core.order import Mode

NAME_CHARS_MAX = 80
PRESETS_MAX = 200  # of one account


class SavedPreset(msgspec.Struct, frozen=True, kw_only=True):
    """One preset of an account's own. `plan`: JSON text of files.mapping.Plan. Instants are µs since 1970 UTC.

    `mode`: the one it was saved in. What was tried with test data is there for live data; a test key neither sees nor
    changes what live data is read by.
    """

    name: str
    plan: str
    mode: Mode = Mode.LIVE
    created_at: int = 0
    updated_at: int = 0


def check_name(said: str) -> str:
    """The name without blanks around it. Raises Invalid."""
    name = said.strip()
    if not name:
        raise Invalid("a preset needs a name", field="name", hint="e.g. Night export")
    if len(name) > NAME_CHARS_MAX:
        raise Invalid(
            f"the name has {len(name)} characters", field="name", hint=f"use at most {NAME_CHARS_MAX} characters"
        )
    if not name.isprintable():
        raise Invalid("the name holds control characters", field="name", hint="use letters, digits, signs and blanks")
    if "/" in name or name in (".", ".."):  # it stands in an address
        raise Invalid("the name holds a slash, or is only dots", field="name", hint="use a - instead")
    return name
