"""The official Brevo clients of all generations, each pointed here by its own base-URL option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from client_programs import PROGRAMS, get, run
from server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.timeout(400)]


def test_the_newest_python_client_pushes_reads_and_understands_refusals(
    server: ServerProcess, python_client: Callable[[str], Path]
) -> None:
    told = run([python_client("brevo-python==5.1.0"), PROGRAMS / "brevo_python_5.py"], server)
    assert told["single"] is None
    assert isinstance(told["batch_id"], int)
    assert told["batch_id"] > 0
    assert told["count"] == 1000
    assert told["listed"] >= 1001
    assert told["shown"] == 2
    assert told["refused"][:2] == [400, "invalid_parameter"]
    assert "orders[0].amount" in told["refused"][2]
    assert told["unauthorized"] == [401, "unauthorized"]


@pytest.mark.parametrize(
    ("requirement", "module"), [("brevo-python==1.2.0", "brevo_python"), ("sib-api-v3-sdk==7.6.0", "sib_api_v3_sdk")]
)
def test_the_swagger_era_python_clients_push_and_read(
    server: ServerProcess, python_client: Callable[[str], Path], requirement: str, module: str
) -> None:
    told = run([python_client(requirement), PROGRAMS / "brevo_swagger.py", module], server)
    assert (told["single"], told["batch"]) == (204, 202)
    assert told["batch_id"] > 0
    assert told["refused"] in ([400, "invalid_parameter"], [400, "missing_parameter"])
    if module == "brevo_python":
        assert told["listed"] >= 3
    else:
        listed = get(server, "/v3/orders?limit=100", api_key=server.key)["orders"]
        assert any(order.get("email") == "old@example.com" and order["contact_id"] > 0 for order in listed)


def test_the_newest_node_client_pushes_and_reads(server: ServerProcess, node_client: Callable[[str], Path]) -> None:
    folder = node_client("@getbrevo/brevo@6.0.3")
    program = folder / "program.cjs"
    program.write_text((PROGRAMS / "brevo_npm_new.cjs").read_text())
    told = run(["node", program], server, cwd=folder)
    assert told["batch"]["batchId"] == told["batch"]["batch_id"] > 0
    assert told["batch"]["count"] == 2
    assert told["listed"] >= 3
    assert told["refused"] == [400, "invalid_parameter"]


def test_the_old_node_client_with_its_own_names_pushes_and_reads(
    server: ServerProcess, node_client: Callable[[str], Path]
) -> None:
    folder = node_client("@getbrevo/brevo@2.5.0")
    program = folder / "program.cjs"
    program.write_text((PROGRAMS / "brevo_npm_2.cjs").read_text())
    told = run(["node", program], server, cwd=folder)
    assert told["single"] == 204
    assert (told["batch"][0], told["batch"][2]) == (202, 2)
    assert told["batch"][1] > 0
    assert told["listed"] >= 3
    assert told["contact"] > 0
