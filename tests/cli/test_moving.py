"""From one ledger to another: exported, converted, pushed; the two agree order by order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_tools import environment, mended
from server_process import ServerProcess

from ordermill.examples import night


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    quiet = {"access_log": "false", "log_level": "error"}
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    with ServerProcess(one, **quiet) as first, ServerProcess(other, **quiet) as second:
        yield first, second


def said(line: str) -> dict[str, Any]:
    """What an exported order says, without what only its ledger knows."""
    order: dict[str, Any] = json.loads(line)
    order.pop("updatedAt")
    return order


@pytest.mark.parametrize("orders", [600, pytest.param(5_000, marks=pytest.mark.long)])
def test_a_dirty_file_ends_up_the_same_in_two_ledgers(
    ordermill: Any, servers: tuple[ServerProcess, ServerProcess], tmp_path: Path, orders: int
) -> None:
    """Imported, mended, imported again, exported, converted to each contract, pushed: nothing lost, nothing doubled."""
    first, second = servers
    file = tmp_path / "dirty.csv"
    file.write_text(
        night.text(orders, {"state": 60, "weight_unit": 40, "country": 20, "lines": 10}).replace("N-1", f"M{orders}-1"),
        encoding="utf-8",
    )
    ran = ordermill("import", file, data=first.data)
    assert "created, 130 failed" in ran.out, ran.out + ran.err
    errors = tmp_path / "dirty.errors.csv"
    errors.write_text(mended(errors.read_text(encoding="utf-8-sig")), encoding="utf-8")
    assert ordermill("import", errors, data=first.data).code == 0
    exported = tmp_path / "all.ndjson"
    assert ordermill("orders", "export", "--out", exported, data=first.data).code == 0
    ours = [line for line in exported.read_text().splitlines() if f'"M{orders}-1' in line]
    exported.write_text("\n".join(ours) + "\n")
    assert len(exported.read_text().splitlines()) == orders

    for contract in ("karrio", "brevo", "centra"):
        converted = tmp_path / f"{contract}.ndjson"
        ran = ordermill("convert", exported, "--to", contract, "--out", converted, "--json")
        assert ran.json["converted"] == orders, ran.err
        assert (ran.json["failed"], bool(ran.json["not_carried"])) == (0, contract != "karrio")
        pushed = ordermill(
            "push", converted, "--to", second.url, "--dialect", contract, "--json", ORDERMILL_PUSH_KEY=second.key
        )
        assert pushed.code == 0, pushed.out + pushed.err
        assert (pushed.json["taken"], pushed.json["failed"]) == (orders, 0)

    copied = ordermill("orders", "export", "--contract", "karrio", data=second.data).out.splitlines()
    before = {order["reference"]: order for order in map(said, exported.read_text().splitlines())}
    after = {order["reference"]: order for order in map(said, copied) if order["reference"] in before}
    assert before == after
    as_brevo = ordermill("orders", "export", "--contract", "brevo", data=second.data).out.splitlines()
    found = [json.loads(line) for line in as_brevo]
    sums = {order["reference"]: order["amount"] for order in found if order["reference"] in before}
    assert sums == {reference: order["amount"] for reference, order in before.items()}
    as_centra = ordermill("orders", "export", "--contract", "centra", data=second.data).out.splitlines()
    assert len(as_centra) >= orders


def test_a_push_that_was_interrupted_goes_on_and_doubles_nothing(
    ordermill: Any, servers: tuple[ServerProcess, ServerProcess], tmp_path: Path
) -> None:
    _, second = servers
    file = tmp_path / "night.csv"
    file.write_text(night.text(6_000, {"state": 5}).replace("N-1", "P-1"), encoding="utf-8")
    arguments = ["push", str(file), "--to", second.url, "--dialect", "karrio", "--parallel", "1", "--chunk", "200"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ordermill", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**environment(tmp_path), "ORDERMILL_PUSH_KEY": second.key}, cwd=tmp_path,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if " pushing " in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    ran = ordermill(*arguments, "--resume", "--json", ORDERMILL_PUSH_KEY=second.key)
    assert ran.code == 1
    assert (ran.json["taken"], ran.json["failed"]) == (5_995, 5)
    errors = Path(ran.json["errors_file"])
    assert len(errors.read_text(encoding="utf-8-sig").splitlines()) == 6
    found = ordermill("orders", "export", "--contract", "karrio", data=second.data).out.splitlines()
    pushed = [json.loads(line)["reference"] for line in found if '"P-1' in line]
    assert len(pushed) == len(set(pushed)) == 5_995
    assert ordermill(*arguments, "--resume", ORDERMILL_PUSH_KEY=second.key).code == 6


def test_what_the_server_refuses_is_in_the_errors_file_with_its_own_words(
    ordermill: Any, servers: tuple[ServerProcess, ServerProcess], tmp_path: Path
) -> None:
    _, second = servers
    file = tmp_path / "few.csv"
    file.write_text(night.text(40, {"state": 2, "lines": 1}).replace("N-1", "F-1"), encoding="utf-8")
    ran = ordermill("push", file, "--to", second.url, "--dialect", "karrio", "--key", second.key)
    assert ran.code == 1
    assert "37 taken, 3 failed" in ran.out
    assert "     2  shipping_to.state_code: Ensure this field has no more than 20 characters." in ran.out
    errors = (tmp_path / "few.push-errors.csv").read_text(encoding="utf-8-sig")
    assert "no more than 20 characters" in errors
    (tmp_path / "few.push-errors.csv").write_text(mended(errors), encoding="utf-8")
    again = ordermill(
        "push", tmp_path / "few.push-errors.csv", "--to", second.url, "--dialect", "karrio", "--key", second.key
    )
    assert "3 taken, 0 failed" in again.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--to", "http://127.0.0.1:9", "--dialect", "brevo"], 2),
        (["--to", "http://127.0.0.1:9", "--dialect", "none", "--key", "k"], 2),
        (["--to", "http://127.0.0.1:9", "--dialect", "karrio", "--key", "k", "--rate", "fast"], 2),
    ],
)
def test_exit_codes_of_push(ordermill: Any, tmp_path: Path, arguments: list[str], code: int) -> None:
    file = tmp_path / "few.csv"
    file.write_text(night.text(3, {}), encoding="utf-8")
    assert ordermill("push", file, *arguments).code == code


def test_a_wrong_key_is_exit_code_4(ordermill: Any, servers: Any, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text(night.text(3, {}), encoding="utf-8")
    ran = ordermill("push", file, "--to", servers[1].url, "--dialect", "karrio", "--key", "wrong")
    assert ran.code == 4, ran.err
