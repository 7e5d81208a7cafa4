"""Operations: probes tell the truth, the doctor finds what is wrong, the deployment files hold what they promise."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from postgres_server import PostgresServer, fresh_database, installations
from server_process import ROOT, ServerProcess

from ordermill import running
from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.errors import Overloaded
from ordermill.core.order import Mode

DEPLOY = ROOT / "deploy"


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=8) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until(url: str, status: int, within_s: float) -> float:
    began = time.monotonic()
    while get(url)[0] != status:
        assert time.monotonic() - began < within_s, get(url)
        time.sleep(0.05)
    return time.monotonic() - began


def cli(server: ServerProcess, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "ordermill", *words]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A server of the test's own, to be crashed."""
    found = installations()
    if not found:
        pytest.skip("PostgreSQL is missing here")
    started = PostgresServer(next(iter(found.values())))
    yield started
    started.stop()


def test_readyz_follows_the_database_and_livez_does_not(tmp_path: Path, database: PostgresServer) -> None:
    with ServerProcess(tmp_path, database_url=fresh_database(database.url)) as server:
        assert get(server.url + "/readyz")[0] == 200
        database.crash()
        until(server.url + "/readyz", 503, 2)
        _, told = get(server.url + "/readyz")
        assert "postgres" not in told.lower()
        assert "store" in json.loads(told)["failed"]
        assert get(server.url + "/livez")[0] == 200
        database.start_again()
        until(server.url + "/readyz", 200, 5)


def test_a_server_whose_database_is_gone_still_leaves_when_asked(tmp_path: Path, database: PostgresServer) -> None:
    """The last uses of keys are then lost, which is said; nothing else, and nothing waits for the database."""
    with ServerProcess(tmp_path, database_url=fresh_database(database.url)) as server:
        asked = urllib.request.Request(server.url + "/v3/orders", headers={"api-key": server.key})
        with urllib.request.urlopen(asked, timeout=8) as answer:
            assert answer.status == 200
        database.crash()
        assert server.stop() == 0
        assert "keys.uses_lost" in server.log.read_text()


@pytest.mark.anyio
async def test_a_ledger_that_cannot_be_written_at_the_start_does_not_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database may go in the instant between listening and the link to the console."""
    config = Config(data=str(tmp_path), background=False)
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)

    async def away(account_id: int, mode: Mode) -> str:
        raise Overloaded("the database cannot be reached now")

    monkeypatch.setattr(house.console.store, "make_link", away)
    monkeypatch.setattr(running, "calm_collector", lambda: None)  # this process has more to do than serve
    listening = running.listen("127.0.0.1", 0)
    serving = asyncio.create_task(running._run(house, config, listening, None))
    try:
        told = ""
        while "Console" not in told:
            assert not serving.done(), serving.exception()
            told += capsys.readouterr().out
            await asyncio.sleep(0.02)
        assert "ordermill login-link" in told
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/livez"
        assert (await asyncio.to_thread(get, url))[0] == 200
    finally:
        if not serving.done():
            os.kill(os.getpid(), signal.SIGTERM)
        assert await serving == 0
        listening.close()


@pytest.mark.anyio
async def test_readyz_tells_of_leaving_and_of_a_schema_that_waits(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path))
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)
    try:
        transport = httpx.ASGITransport(app=house.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://mill.test") as http:
            assert (await http.get("/readyz")).status_code == 200
            house.web.draining = True
            answer = await http.get("/readyz")
            assert (answer.status_code, list(answer.json()["failed"])) == (503, ["staying"])
            house.web.draining = False
            raw: Any = engine.connect()
            with raw.transaction() as tx:
                tx.raw.execute("DELETE FROM schema_migration WHERE version LIKE '0001%'")
            raw.close()
            answer = await http.get("/readyz")
            assert (answer.status_code, list(answer.json()["failed"])) == (503, ["schema"])
            assert (await http.get("/livez")).status_code == 200
    finally:
        house.close()


def test_the_directory_has_one_holder_who_is_named(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert server.process is not None
        code, told = cli(server, "serve", "--port", "0")
        assert code == 3
        assert str(server.process.pid) in told
        assert "Traceback" not in told


def test_the_doctor(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    assert cli(server, "doctor")[0] == 1, "there is no ledger yet"
    with server:
        code, told = cli(server, "doctor")
        assert code == 0, told
        assert "is ready" in told
        assert "there is no backup" in told
        assert cli(server, "doctor", "--ready")[0] == 0
        cli(server, "backup", "create")
        assert "last backup" in cli(server, "doctor")[1]
    assert cli(server, "doctor", "--ready")[0] == 1
    path = tmp_path / "ordermill.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    path.write_bytes(content)
    code, told = cli(server, "doctor")
    assert code == 1
    assert "Traceback" not in told
    assert "FAIL" in told


def test_the_metrics_count_what_was_settled_and_the_rules_and_panels_name_what_there_is(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        body = json.dumps({"orders": [{"order_id": "1"}, {"order_id": "2"}]}).encode()
        headers = {"Authorization": f"Token {server.key}", "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(server.url + "/v1/batches/orders", body, headers)).close()
        time.sleep(4)
        told = get(server.url + "/metrics")[1]
    assert 'ordermill_orders_total{contract="karrio",outcome="failed"} 2.0' in told
    assert 'ordermill_batches_total{contract="karrio",status="failed"} 1.0' in told
    assert re.search(r"^ordermill_db_bytes [1-9]", told, re.M)
    assert re.search(r"^ordermill_disk_free_bytes [1-9]", told, re.M)
    named = set(re.findall(r"\b(ordermill_[a-z_]+)\b", told))
    for name in ("prometheus-rules.yaml", "grafana.json"):
        used = set(re.findall(r"\b(ordermill_[a-z_]+)\b", (DEPLOY / name).read_text()))
        assert used
        assert used <= named, used - named


def test_the_dashboard_has_a_panel_for_each_thing_and_a_choice_of_source() -> None:
    board = json.loads((DEPLOY / "grafana.json").read_text())
    assert board["templating"]["list"][0]["type"] == "datasource"
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places) >= 9


def test_every_rule_is_tried_on_both_sides_of_its_threshold() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())["groups"]
    named = {rule["alert"] for group in groups for rule in group["rules"]}
    tests = yaml.safe_load((DEPLOY / "prometheus-rules.test.yaml").read_text())["tests"]
    tried = [(case["alertname"], "exp_alerts" in case) for test in tests for case in test["alert_rule_test"]]
    assert {name for name, fires in tried if fires} == named
    assert {name for name, fires in tried if not fires} >= named - {"OrdermillOrdersFail"}  # silent on one label


def test_the_rules_fire_when_they_should(unavailable: Any) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; deploy/prometheus-rules.test.yaml is for where it is")
    for words in (["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus-rules.test.yaml"]):
        done = subprocess.run([promtool, *words], cwd=DEPLOY, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_is_closed_up() -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here")
    unit = str(DEPLOY / "ordermill.service")
    done = subprocess.run([tool, "security", "--offline=true", unit], capture_output=True, text=True)
    level = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= 2.0


def test_no_line_that_closes_the_unit_is_lost() -> None:
    """Most of them alone move the level by a tenth or not at all, because another one closes the same door today."""
    closed = (DEPLOY / "ordermill.service").read_text().splitlines()
    for name in (
        "DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectClock",
        "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
        "ProtectKernelTunables", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "RemoveIPC",
        "LockPersonality",
    ):  # fmt: skip
        assert f"{name}=yes" in closed
    for line in (
        "UMask=0077", "StateDirectoryMode=0700", "CapabilityBoundingSet=", "AmbientCapabilities=",
        "ProtectSystem=strict", "ProtectProc=invisible", "ProcSubset=pid", "SystemCallArchitectures=native",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources", "SystemCallErrorNumber=EPERM", "KillMode=mixed",
    ):  # fmt: skip
        assert line in closed


def test_the_container_files_close_what_they_can() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name in ("ordermill", "ordermill-postgres"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert "USER 10001:10001" in lines
    assert any("--require-hashes" in line for line in lines)
    assert any("doctor" in line and "--ready" in line for line in lines)


def test_the_bill_of_materials_names_every_locked_package(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    subprocess.run([sys.executable, ROOT / "deploy" / "sbom.py", target], check=True)
    bill = json.loads(target.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    locked = re.findall(r"^([a-z0-9_.-]+)==", (ROOT / "requirements.lock").read_text(), re.M | re.I)
    assert [part["name"] for part in bill["components"]] == sorted(locked)
    assert all(part["hashes"] and part["purl"].startswith("pkg:pypi/") for part in bill["components"])
