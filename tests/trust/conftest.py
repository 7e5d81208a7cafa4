"""One server for a module, spoken to over real sockets; its limits are the real ones, its deadline is short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from server_process import ServerProcess

DEADLINE_S = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    settings = {"request_deadline_s": str(DEADLINE_S), "webhook_allow": "127.0.0.1"}
    with ServerProcess(tmp_path_factory.mktemp("data"), **settings) as running:
        yield running
        faults = [line for line in running.log.read_text().splitlines() if '"request.failed"' in line]
        assert not faults, faults[0][:2000]
