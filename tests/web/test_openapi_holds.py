"""Requests made from the OpenAPI documents, sent to a running server: no fault, and no answer that is not described."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
HEADERS = {
    "brevo": "api-key: {key}",
    "karrio": "Authorization: Token {key}",
    "centra": "API-Authorization: {key}",
    "ordermill": "Authorization: Bearer {key}",
}
# A request made up by chance may end the very key it is sent with; so these come last.
KEY_ENDING = ("revokeKey", "rotateKey")
CASES_MIN = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server")) as running:
        yield running


def hold(server: ServerProcess, folder: Path, name: str, phases: str, examples: int) -> int:
    """The number of requests that were made for one document."""
    if name != "ordermill":
        return run(server, folder, name, phases, examples)
    made = run(server, folder, name, phases, examples, *chosen("--exclude-operation-id"))
    return made + run(server, folder, name, phases, examples, *chosen("--include-operation-id"))


def chosen(option: str) -> list[str]:
    return [word for one in KEY_ENDING for word in (option, one)]


def run(server: ServerProcess, folder: Path, name: str, phases: str, examples: int, *only: str) -> int:
    """Runs Schemathesis."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/openapi/{name}.json",
        "--header", HEADERS[name].format(key=server.key), "--phases", phases, "--max-examples", str(examples),
        "--checks", ",".join(CHECKS), "--seed", "1", "--generation-database", "none", "--no-color",
        "--suppress-health-check", "all", *only,
    ]  # fmt: skip
    hooks = {"SCHEMATHESIS_HOOKS": "made_up_bodies", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=600, check=False, env={**os.environ, **hooks}
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "request.failed" not in server.log.read_text()
    made = re.search(r"(\d+) generated", done.stdout)
    assert made is not None, done.stdout
    return int(made.group(1))


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_the_server_does_what_its_document_says(server: ServerProcess, tmp_path: Path, name: str) -> None:
    assert hold(server, tmp_path, name, "examples,fuzzing", 5) >= CASES_MIN


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(HEADERS))
def test_the_server_does_so_at_every_boundary(server: ServerProcess, tmp_path: Path, name: str) -> None:
    assert hold(server, tmp_path, name, "examples,coverage,fuzzing,stateful", 60) >= 20 * CASES_MIN
