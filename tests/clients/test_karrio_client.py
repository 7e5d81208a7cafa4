"""Karrio publishes no HTTP client for Python; its users generate one from the description. So do we, from ours."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from client_programs import PROGRAMS, run
from server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.timeout(400)]


def test_a_generated_client_pushes_polls_reads_changes_and_cancels(
    server: ServerProcess, python_client: Callable[[str], Path], tmp_path: Path
) -> None:
    python = python_client("openapi-python-client==0.29.1")
    document = tmp_path / "karrio.json"
    with urllib.request.urlopen(server.url + "/openapi/karrio.json", timeout=30) as answer:
        document.write_bytes(answer.read())
    subprocess.run(
        [python.with_name("openapi-python-client"), "generate", "--path", document, "--meta", "none",
         "--output-path", tmp_path / "generated"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert run([python, PROGRAMS / "karrio_generated.py", tmp_path], server) == {
        "status": "completed_with_errors",
        "resources": ["completed", "failed", "completed"],
        "errors": [None, ["line_items.non_field_errors"], None],
        "polled": True,
        "operations": 1,
        "shown": ["G-1", 1.5],
        "single": 201,
        "twice": 409,
        "metadata": {"a": "b"},
        "cancelled": "cancelled",
        "listed": 3,
    }
