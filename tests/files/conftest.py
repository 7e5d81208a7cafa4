"""The contracts alone, and a way to say a file in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ordermill.cli.local import contracts_of
from ordermill.config import Config
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading

ReadFile = Callable[..., Reading]


@pytest.fixture(scope="session")
def contracts() -> dict[str, Any]:
    return contracts_of(Config())


@pytest.fixture
def read(tmp_path: Path, contracts: dict[str, Any]) -> ReadFile:
    """read("a,b\\n1,2\\n", contract="karrio", …): the file, open."""

    def opened(content: str | bytes, *, name: str = "orders.csv", **plan: Any) -> Reading:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Reading(path, Plan(**plan), contracts)

    return opened
