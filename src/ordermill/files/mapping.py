"""Which column is which field: told, by a preset, by a sure name or by a guess; and what a plan says besides."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec

from ordermill.files import fields
from ordermill.files.sniffing import Unusable
from ordermill.files.tables import OURS

How = Literal["told", "preset", "sure", "guess", "ours", "ignored"]
IGNORE = "-"  # what a column is mapped to when it is to be passed over
CONTRACTS = ("karrio", "brevo", "centra")


class Column(msgspec.Struct, frozen=True):
    """One column of a file. `path` is '' for one that is passed over."""

    index: int
    name: str
    path: str
    how: How


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a file is to be read and taken in: all that was told, nothing that was guessed. Kept with the import.

    `contract` '': guessed from the columns. `columns`: column -> field, told one by one. `mapped`: the same from a map
    file or a preset, for those columns that are there. `preset_applied`: the plan holds what the preset of that name
    said, an account's own one (files.saved). `constants`: field -> text for orders that do not say it.
    `decimal`, `date_format`: None to find out by looking. `group`: whether rows of one order must follow each other.
    """

    contract: str = ""
    preset: str = ""
    preset_applied: bool = False
    columns: dict[str, str] = {}
    mapped: dict[str, str] = {}
    constants: dict[str, str] = {}
    source: str = ""
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    zone: str = "UTC"
    group: Literal["adjacent", "all"] = "adjacent"
    historical: bool = True
    on_error: Literal["continue", "stop"] = "continue"
    stop_after: int | None = None
    limit: int | None = None

    def fingerprint(self, sha256: str) -> str:
        """The same file read the same way: what makes an import the one that was begun before."""
        return hashlib.sha256(sha256.encode() + b"\0" + _canonical(self.reading)).hexdigest()

    @property
    def reading(self) -> Plan:
        """What decides how the file is read; not what happens after an error, and not what a preset was called."""
        plan = msgspec.structs.replace(self, on_error="continue", stop_after=None)
        return msgspec.structs.replace(plan, preset="", preset_applied=False) if self.preset_applied else plan


_canonical = msgspec.json.Encoder(order="sorted").encode


class Preset(msgspec.Struct, frozen=True, rename={"contract": "as"}):
    """A mapping for the export of a well-known program (presets/*.toml), or a map file of the user's own."""

    title: str = ""
    recognised_by: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    contract: str = ""
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    zone: str | None = None


@cache
def presets() -> dict[str, Preset]:
    """Those that come with the program, by name."""
    folder = files("ordermill.files") / "presets"
    return {
        entry.name.removesuffix(".toml"): read_preset(entry.read_text(encoding="utf-8"), entry.name)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def read_preset(text: str, name: str) -> Preset:
    """Raises Unusable for what is no mapping."""
    try:
        preset = msgspec.convert(tomllib.loads(text), Preset)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Unusable(f"the mapping {name} cannot be read: {error}") from None
    for path in (*preset.columns.values(), *preset.constants):
        check_path(path)
    if preset.contract and preset.contract not in CONTRACTS:
        raise Unusable(f"the mapping {name}: as must be one of {', '.join(CONTRACTS)}")
    return preset


def load_preset(path: Path) -> Preset:
    try:
        return read_preset(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise Unusable(f"the mapping {path} cannot be read: {error.strerror}") from None


def check_path(path: str) -> None:
    """Raises Unusable for a field that does not exist, naming those that are near."""
    if path == IGNORE or fields.known(path):
        return
    near = get_close_matches(path, fields.FIELDS, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "ordermill map --fields lists them all"
    raise Unusable(f"there is no field {path!r}", hint)


def with_preset(plan: Plan, preset: Preset) -> Plan:
    """What was told goes before what the preset says."""
    return msgspec.structs.replace(
        plan,
        contract=plan.contract or preset.contract,
        mapped=preset.columns,
        constants={**preset.constants, **plan.constants},
        decimal=plan.decimal or preset.decimal,
        date_format=plan.date_format or preset.date_format,
        zone=plan.zone if plan.zone != "UTC" else preset.zone or "UTC",
    )


def recognise(header: Sequence[str]) -> str:
    """The preset whose columns these are, or ''."""
    names = {fields.normal(name) for name in header}
    for key, preset in presets().items():
        if preset.recognised_by and all(fields.normal(name) in names for name in preset.recognised_by):
            return key
    return ""


def assign(header: Sequence[str], told: Mapping[str, str], by_preset: Mapping[str, str]) -> tuple[Column, ...]:
    """Every column of the file with its field. Raises Unusable for a told column that the file does not have.

    A field is taken once: told before preset before sure name before guess, and from left to right.
    """
    for path in told.values():
        check_path(path)
    _check_there(header, told)
    said = {fields.normal(name): path for name, path in by_preset.items()}
    told_by = {fields.normal(name): path for name, path in told.items()}
    sure, maybe = _names()
    chosen: dict[int, tuple[str, How]] = {}
    taken: set[str] = set()
    for how, names in (("told", told_by), ("preset", said), ("sure", sure), ("guess", maybe)):
        for index, name in enumerate(header):
            if index in chosen or (how in ("sure", "guess") and by_preset):
                continue
            path = names.get(fields.normal(name), "")
            if not path or name.startswith(OURS):
                continue
            if path == IGNORE:
                chosen[index] = ("", "ignored")
            elif path not in taken:
                chosen[index] = (path, how)  # type: ignore[assignment]
                taken.add(path)
    return tuple(
        Column(index, name, *(chosen.get(index) or ("", "ours" if name.startswith(OURS) else "ignored")))
        for index, name in enumerate(header)
    )


@cache
def _names() -> tuple[dict[str, str], dict[str, str]]:
    return fields.by_name()


def _check_there(header: Sequence[str], told: Iterable[str]) -> None:
    names = {fields.normal(name) for name in header}
    for name in told:
        if fields.normal(name) not in names:
            near = get_close_matches(name, list(header), 3, 0.5)
            raise Unusable(
                f"the file has no column {name!r}",
                f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(header[:20])}",
            )


def guess_contract(paths: set[str]) -> tuple[str, str]:
    """(the contract that suits these fields, why)."""
    has_address = any(path.startswith("ship_to.") for path in paths)
    if has_address and "lines.weight" in paths:
        return "karrio", "addresses and weights"
    identified = any(path.startswith("identifiers.") for path in paths)
    if identified and ("amount" in paths or "lines.unit_price" in paths or "lines.total" in paths):
        return "brevo", "customers and amounts"
    if has_address:
        return "karrio", "addresses"
    return "brevo", "no addresses"


def write_map(columns: Sequence[Column], plan: Plan, contract: str) -> str:
    """The mapping as a map file, for --map."""
    lines = [f'as = "{contract}"']
    lines += [
        f'{name} = "{value}"' for name, value in (("decimal", plan.decimal), ("date_format", plan.date_format)) if value
    ]
    lines += [f'zone = "{plan.zone}"'] if plan.zone != "UTC" else []
    lines += ["", "[columns]"]
    for column in columns:
        if column.how == "ours":
            continue
        note = "   # a guess" if column.how == "guess" else ""
        lines.append(f"{_quoted(column.name)} = {_quoted(column.path or IGNORE)}{note}")
    if plan.constants:
        lines += ["", "[constants]", *(f"{_quoted(path)} = {_quoted(text)}" for path, text in plan.constants.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def told_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """`column=field` pairs. Raises Unusable."""
    told = {}
    for pair in pairs:
        name, sign, path = pair.rpartition("=")
        if not sign or not name.strip() or not path.strip():
            raise Unusable(f"{pair!r} is no mapping", "write COLUMN=FIELD")
        told[name.strip()] = path.strip()
    return told
