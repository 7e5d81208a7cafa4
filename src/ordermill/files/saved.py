"""Presets of an account's own: what of a plan is kept, a plan filled from it, and the file that it was made for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ordermill.core.presets import SavedPreset
from ordermill.files import fields
from ordermill.files.mapping import CONTRACTS, Plan, check_path, presets, with_preset
from ordermill.files.reading import check_ways
from ordermill.files.sniffing import Unusable, sniff
from ordermill.files.tables import OURS, open_table

KEPT_BYTES_MAX = 64 * 1024
_NOTHING = Plan()
_encode = msgspec.json.Encoder(order="sorted").encode
_plan = msgspec.json.Decoder(Plan)


def read_kept(saved: SavedPreset) -> Plan:
    return _plan.decode(saved.plan)


def write_kept(plan: Plan) -> str:
    """The plan as it is kept: every column in `columns`, whoever told it, and no other preset in it.

    Raises Unusable for what no file could be read by, and for more than is kept.
    """
    plan = msgspec.structs.replace(plan, preset_applied=False)
    if plan.preset in presets():
        plan = with_preset(plan, presets()[plan.preset])
    for path in (*plan.mapped.values(), *plan.columns.values(), *plan.constants):
        check_path(path)
    if plan.contract and plan.contract not in CONTRACTS:
        raise Unusable(f"there is no contract {plan.contract!r}", f"there are {', '.join(CONTRACTS)}")
    check_ways(plan)
    kept = msgspec.structs.replace(plan, preset="", columns={**plan.mapped, **plan.columns}, mapped={})
    text = _encode(kept)
    if len(text) > KEPT_BYTES_MAX:
        raise Unusable(
            f"the mapping has {len(text):,} bytes, at most {KEPT_BYTES_MAX:,} are kept", "name fewer columns"
        )
    return text.decode()


def fill(plan: Plan, saved: SavedPreset) -> Plan:
    """The plan with all that the preset says. What was told goes before it; of a default nobody knows that it was told.

    From here on it holds what the preset said today: changing or deleting the preset changes no import.
    """
    kept = read_kept(saved)
    told = {
        name: value
        for name in plan.__struct_fields__
        if (value := getattr(plan, name)) != getattr(_NOTHING, name)
    }  # fmt: skip
    return msgspec.structs.replace(
        kept,
        **{
            **told,
            "columns": plan.columns,
            "mapped": {**kept.columns, **plan.mapped},
            "constants": {**kept.constants, **plan.constants},
            "preset": saved.name,
            "preset_applied": True,
        },
    )


def find_named(name: str, saved: Sequence[SavedPreset]) -> SavedPreset | None:
    """The preset of that name; None for one that comes with the program. Raises Unusable for one that nobody knows."""
    for preset in saved:
        if preset.name == name:
            return preset
    if name not in presets():
        own = [preset.name for preset in saved[:20]]
        raise Unusable(f"there is no preset {name[:100]!r}", f"there are {', '.join([*own, *presets()])}")
    return None


def recognise(header: Sequence[str], saved: Iterable[SavedPreset]) -> SavedPreset | None:
    """The preset that names exactly these columns; the one changed last, where several do."""
    there = _names(header)
    same = [preset for preset in saved if there and _names(read_kept(preset).columns) == there]
    return max(same, key=lambda preset: preset.updated_at, default=None)


def _names(columns: Iterable[str]) -> set[str]:
    return {fields.normal(name) for name in columns if not name.startswith(OURS)} - {""}


def read_header(path: Path) -> tuple[str, ...]:
    """The file's columns as they are found by looking; none of a file that is no table, or cannot be read so."""
    try:
        sniffed = sniff(path)
        if sniffed.kind in ("ndjson", "json"):
            return ()
        with open_table(path, sniffed) as table:
            return tuple(table.header)
    except Unusable:
        return ()


def told(saved: SavedPreset) -> str:
    """`mapped as “Night export”, saved 20 Nov 2026`"""
    at = datetime.fromtimestamp(saved.updated_at // 1_000_000, UTC)
    return f"mapped as “{saved.name}”, saved {at.day} {at:%b %Y}"
