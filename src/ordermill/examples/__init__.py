"""The examples that the three contracts document, as data: what the demo pushes and the tests replay."""

from __future__ import annotations

from importlib.resources import files


def body(name: str) -> bytes:
    """The bytes of one example, by file name without its ending."""
    return (files(__name__) / f"{name}.json").read_bytes()
