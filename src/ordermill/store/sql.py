"""Reads the named statements: the portable ones, and what an engine says in its own words instead."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name: ([a-z][a-z_.]*)$", re.MULTILINE)


def load(engine: str) -> dict[str, str]:
    """Name -> statement for an engine ("sqlite" or "postgres"): the portable statements, overridden by its own."""
    root = files("ordermill.store")
    statements = _read(root / "portable")
    statements.update(_read(root / engine))
    return statements


def _read(folder: Traversable) -> dict[str, str]:
    statements: dict[str, str] = {}
    for path in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if path.name.endswith(".sql"):
            statements.update(parse(path.read_text(encoding="utf-8"), path.name))
    return statements


def parse(text: str, origin: str) -> dict[str, str]:
    """The statements of one file, comments dropped. A name that stands twice is a mistake."""
    parts = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise ValueError(f"{origin} names {name} twice")
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
        found[name] = "\n".join(lines).strip().rstrip(";")
    return found
