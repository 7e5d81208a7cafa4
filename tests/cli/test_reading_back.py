"""`ordermill batches` and `ordermill orders` on a ledger without a server; completion; the reference of commands."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_tools import environment

from ordermill.cli import COMMANDS
from ordermill.cli.reference import written
from ordermill.examples import night

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one batch: 60 orders, 4 of them failed."""
    folder = tmp_path_factory.mktemp("ledger")
    file = folder / "night.csv"
    file.write_text(night.text(60, {"state": 2, "country": 2}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ordermill", "import", str(file)], capture_output=True, check=False,
        env={**environment(folder), "ORDERMILL_DATA": str(folder / "data")},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return folder / "data"


def test_batches(ordermill: Any, data: Path) -> None:
    listed = ordermill("batches", "list", data=data).out
    assert "completed_with_errors" in listed
    assert ordermill("batches", "list", "--failed", "--json", data=data).json[0]["id"] == "bch_1"
    assert ordermill("batches", "list", "--status", "queued", data=data).code == 6
    assert ordermill("batches", "list", "--since", "1h", "--jsonl", data=data).out.count("\n") == 1
    shown = ordermill("batches", "show", "bch_1", data=data).out
    assert "60 orders received: 56 created, 4 failed" in shown
    assert ordermill("batches", "show", "7", data=data).code == 6
    assert ordermill("batches", "watch", "1", data=data).code == 1


def test_the_failed_orders_of_a_batch_as_the_table_they_came_in(ordermill: Any, data: Path, tmp_path: Path) -> None:
    grouped = ordermill("batches", "errors", "1", "--group", data=data).out
    assert grouped.count("\n") == 2
    ran = ordermill("batches", "errors", "1", "--csv", "failed.csv", data=data)
    assert ran.code == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "failed.csv").read_text(encoding="utf-8-sig"))))
    assert tuple(rows[0][: len(night.HEADER)]) == night.HEADER
    assert len(rows) == 5
    assert ordermill("batches", "errors", "1", "--csv", "-", "--code", "too_long", data=data).out.count("\n") == 3


def test_retrying_takes_the_failed_orders_in_once_more(ordermill: Any, data: Path) -> None:
    ran = ordermill("batches", "retry", "1", "--json", data=data)
    assert ran.code == 1
    assert ran.json["counts"]["failed"] == 4
    assert ran.json["batch"]["parentBatchId"] == "bch_1"


def test_orders(ordermill: Any, data: Path) -> None:
    listed = ordermill("orders", "list", "--json", "--limit", "3", data=data).json
    assert [order["reference"] for order in listed] == ["N-100059", "N-100058", "N-100057"]
    shown = ordermill("orders", "show", "N-100000", data=data).out
    assert "Ada Lind" in shown
    order_id = listed[0]["id"]
    assert ordermill("orders", "show", order_id[:14], "--json", data=data).json["id"] == order_id
    assert ordermill("orders", "show", order_id, "--as", "brevo", data=data).json["id"] == "N-100059"
    assert json.loads(ordermill("orders", "show", order_id, "--raw", data=data).out)["order_id"] == "N-100059"
    assert len(ordermill("orders", "show", order_id, "--history", data=data).json) == 1
    assert ordermill("orders", "show", "nothing", data=data).code == 6
    assert ordermill("orders", "list", "--reference", "nothing", data=data).code == 6
    assert ordermill("orders", "list", "--since", "yesterday", data=data).code == 2


def test_exports(ordermill: Any, data: Path) -> None:
    lines = ordermill("orders", "export", data=data).out.splitlines()
    assert len(lines) == 56
    table = ordermill("orders", "export", "--format", "csv", "--reference", "N-100042", data=data).out.splitlines()
    assert len(table) == 1 + 3
    as_brevo = ordermill("orders", "export", "--as", "brevo", "--reference", "N-100000", data=data).json
    assert as_brevo["id"] == "N-100000"


def test_test_data_is_kept_apart(ordermill: Any, data: Path) -> None:
    assert ordermill("orders", "list", "--test", data=data).code == 6


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_every_shell(ordermill: Any, shell: str) -> None:
    assert "_ORDERMILL_COMPLETE" in ordermill("completion", shell).out


def test_the_reference_says_what_the_commands_say() -> None:
    """Write it anew with: python -m ordermill.cli.reference > docs/cli.md"""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == written()


def test_every_command_has_help_and_is_found() -> None:
    from ordermill.cli import root

    for name in COMMANDS:
        command = root.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.help, name
