"""Requests made from our four OpenAPI documents: no 5xx, no status and no body that the document does not know.

Both stores get the same requests: what only one of them refuses (a NUL, a number out of range, a lone surrogate) shows.
The long form of one store: `make fuzz ARGS='-k "many_cases and postgres"'`.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from postgres_server import drop_database, fresh_database
from reading_back import read_everything
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from server_process import ServerProcess

DOCUMENTS = ("brevo", "karrio", "centra", "ordermill")
# Cases of each call. Fewer on PostgreSQL, whose server has to be started first.
SHORT = {"sqlite": 4, "postgres": 2}
LONG = int(os.environ.get("ORDERMILL_FUZZ_CASES", "50000"))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
HANG_S = 10


@schemathesis.serializer("application/x-ndjson", "text/csv", "application/octet-stream")
def as_lines(_context: Any, value: Any) -> bytes:
    """A body that is no JSON document: text as it is, a list as a line for each."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    entries = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(entry, default=str).encode() for entry in entries)


@pytest.fixture(scope="module", params=list(SHORT))
def store(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest, store: str) -> Iterator[str]:
    if store == "sqlite":
        yield ""
        return
    postgres: str = request.getfixturevalue("postgres_url")
    url = fresh_database(postgres)
    yield url
    drop_database(postgres, url)


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    data = tmp_path_factory.mktemp("data")
    with ServerProcess(data, database_url=database_url, failed_keys_max="0", access_log="false") as running:
        yield running
        print(f"{read_everything(running)} orders read back")
        faults = [line for line in running.log.read_text().splitlines() if '"request.failed"' in line]
        assert not faults, faults[0][:3000]


def operations(server: ServerProcess, name: str) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi/{name}.json", config=SchemathesisConfig())
    return [result.ok() for result in schema.get_all_operations()]


def run(server: ServerProcess, name: str, total: int) -> None:
    """So many cases, shared out over the calls of the document."""
    found = operations(server, name)
    told: Counter[int] = Counter()
    scheme = "Token" if name == "karrio" else "Bearer"
    headers = {"Authorization": f"{scheme} {server.key}", "api-key": server.key, "API-Authorization": server.key}
    for operation in found:

        @hypothesis.settings(
            max_examples=max(2, -(-total // len(found))), deadline=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate], database=None, derandomize=True,
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy())
        def go(case: Any) -> None:
            began = time.monotonic()
            answer = case.call(base_url=server.url, headers=headers, timeout=HANG_S)
            assert time.monotonic() - began < HANG_S
            told[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        go()
    print(f"\n{name}: {sum(told.values())} cases over {len(found)} calls: {dict(sorted(told.items()))}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_few_cases_of_each_call(server: ServerProcess, store: str, name: str) -> None:
    run(server, name, SHORT[store] * len(operations(server, name)))


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_many_cases(server: ServerProcess, name: str) -> None:
    run(server, name, LONG // len(DOCUMENTS))
