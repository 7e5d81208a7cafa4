"""`ordermill import` as people use it: check, import, mend, import again, stop, go on."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from cli_tools import counts_of, environment, mended
from server_process import ServerProcess

from ordermill.examples import night

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "night.csv"
    path.write_text(night.text(300, {"state": 3, "weight_unit": 2, "country": 1}), encoding="utf-8")
    return path


def test_a_dry_run_tells_everything_and_writes_nothing(ordermill: Any, file: Path, data: Path) -> None:
    ran = ordermill("import", file, "--dry-run", data=data)
    assert ran.code == 1
    assert "306 rows, 300 orders (3 have several lines)" in ran.out
    assert "294 fine   6 with errors" in ran.out
    assert "nothing was written" in ran.out
    assert '→ Did you mean "GB"?' in ran.out
    assert "name→ship_to.name" in ran.err
    assert "2 ignored (internal_note, colour)" in ran.err
    assert ordermill("batches", "list", data=data).code == 6


def test_failed_rows_are_mended_and_imported_again_until_all_are_in(ordermill: Any, file: Path, data: Path) -> None:
    ran = ordermill("import", file, data=data)
    assert ran.code == 1
    assert "300 orders: 294 created, 6 failed" in ran.out
    errors = file.with_name("night.errors.csv")
    assert f"ordermill import {errors}" in ran.out
    original = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
    returned = list(csv.reader(io.StringIO(errors.read_text(encoding="utf-8-sig"))))
    assert returned[0][: len(original[0])] == original[0]
    assert all(row[: len(original[0])] in original for row in returned[1:])
    errors.write_text(mended(errors.read_text(encoding="utf-8-sig")), encoding="utf-8")
    again = ordermill("import", errors, "--json", data=data)
    assert again.code == 0, again.out
    assert again.json["batch"]["counts"]["created"] == 6
    assert counts_of(ordermill, data) == {"orders": 300}


def test_a_file_that_is_in_is_not_imported_twice_unless_told(ordermill: Any, file: Path, data: Path) -> None:
    ordermill("import", file, data=data)
    again = ordermill("import", file, data=data)
    assert (again.code, "is in already" in again.err) == (1, True)
    restarted = ordermill("import", file, "--restart", "--json", data=data)
    assert restarted.json["batch"]["counts"]["unchanged"] == 294
    assert ordermill("import", EXAMPLES / "clean.csv", "--resume", data=data).code == 6


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.csv"], 2, "does not exist"),
        (["night.csv", "--map", "nothing=reference"], 2, "no column 'nothing'"),
        (["night.csv", "--map", "name=ship_to.nam"], 2, "did you mean"),
        (["night.csv", "--set", "stat=paid"], 2, "no field 'stat'"),
        (["night.csv", "--timezone", "Mars/Olympus"], 2, "no time zone"),
        (["night.csv", "--encoding", "utf-16"], 2, "utf-16"),
        (["night.csv", "--preset", "etsy"], 2, "no preset"),
        (["night.csv", "--on-error", "explode"], 2, "continue, stop or stop-after:N"),
        (["night.csv", "--resume", "--restart"], 2, "opposite"),
        (["night.csv", "--key", "k"], 2, "no --server"),
        (["night.csv", "--server", "http://127.0.0.1:9", "--key", "k"], 5, "127.0.0.1"),
        (["night.csv", "--profile", "none"], 2, "no profile"),
    ],
)
def test_exit_codes_and_words_for_what_cannot_be_done(
    ordermill: Any, file: Path, data: Path, arguments: list[str], code: int, words: str
) -> None:
    ran = ordermill("import", *arguments, data=data)
    assert ran.code == code, ran.err
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_stop_on_error_says_how_to_go_on(ordermill: Any, file: Path, data: Path) -> None:
    ran = ordermill("import", file, "--on-error", "stop", data=data)
    assert ran.code == 130
    assert "--resume" in ran.err
    seen = {ordermill("import", file, "--on-error", "stop", "--resume", data=data).code for _ in range(6)}
    assert seen <= {130, 1}
    assert counts_of(ordermill, data) == {"orders": 294}


def interrupted(file: Path, data: Path, environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Ctrl-C as soon as the first chunk is in."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ordermill", "import", str(file), *arguments],
        env={**environment, "ORDERMILL_DATA": str(data)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    time.sleep(0.2)
    for line in process.stderr:
        if " importing " in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def test_ctrl_c_ends_behind_a_chunk_and_doubles_nothing(ordermill: Any, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text(night.text(12_000, {"state": 4}), encoding="utf-8")
    code, told = interrupted(file, data, environment(tmp_path))
    assert code == 130, told
    assert "--resume" in told
    batch = ordermill("batches", "list", "--json", data=data).json[0]
    received = batch["counts"]["received"]
    assert received % 1_000 == 0
    assert 0 < received < 12_000
    assert batch["status"] == "running"
    done = ordermill("import", file, "--resume", "--json", data=data)
    assert done.json["batch"]["counts"] == {
        "received": 12_000, "created": 11_996, "updated": 0, "unchanged": 0, "failed": 4, "waiting": 0,
    }  # fmt: skip
    assert counts_of(ordermill, data) == {"orders": 11_996}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    folder = tmp_path / "served"
    folder.mkdir()
    with ServerProcess(folder, access_log="false", log_level="error") as server:
        yield server


def test_with_a_server_on_the_ledger_it_goes_through_the_server(
    ordermill: Any, file: Path, server: ServerProcess
) -> None:
    checked = ordermill("import", file, "--dry-run", data=server.data)
    assert "294 fine   6 with errors" in checked.out
    ran = ordermill("import", file, data=server.data)
    assert ran.code == 1
    assert f"{server.url}/batches/bch_" in ran.out
    assert len(file.with_name("night.errors.csv").read_text(encoding="utf-8-sig").splitlines()) == 7
    assert "is in already" in ordermill("import", file, data=server.data).err
    assert counts_of(ordermill, server.data) == {"orders": 294}
    assert ordermill("batches", "show", "1", "--json", data=server.data).json["batch"]["origin"] == "import"


def test_with_server_and_key_from_anywhere(ordermill: Any, file: Path, server: ServerProcess, tmp_path: Path) -> None:
    ran = ordermill("import", file, "--server", server.url, "--json", ORDERMILL_KEY=server.key)
    assert ran.json["batch"]["counts"]["created"] == 294
    assert ordermill("orders", "list", "--server", server.url, "--key", "wrong").code == 4
    profiles = tmp_path / "config" / "ordermill"
    profiles.mkdir(parents=True)
    (profiles / "config.toml").write_text(f'[profiles.shop]\nserver = "{server.url}"\nkey = "{server.key}"\n')
    assert len(ordermill("orders", "list", "--profile", "shop", "--json").json) == 20


@pytest.mark.parametrize(
    "name", ["shopify.csv", "woocommerce.csv", "magento.csv", "amazon.txt", "karrio.csv", "clean.csv"]
)
def test_the_samples_go_in(ordermill: Any, data: Path, name: str) -> None:
    ran = ordermill("import", EXAMPLES / name, "--json", data=data)
    assert ran.code == 0, ran.err
    assert ran.json["batch"]["counts"]["failed"] == 0


def test_a_mapping_is_written_changed_and_used(ordermill: Any, file: Path, data: Path, tmp_path: Path) -> None:
    made = ordermill("map", file, "--write", "map.toml", data=data)
    assert made.code == 0
    mapping = tmp_path / "map.toml"
    text = mapping.read_text(encoding="utf-8")
    assert '"name" = "ship_to.name"   # a guess' in text
    mapping.write_text(text.replace('"colour" = "-"', '"colour" = "metadata.colour"'), encoding="utf-8")
    ran = ordermill("import", file, "--map", "map.toml", data=data)
    assert "guessed" not in ran.err
    order = ordermill("orders", "show", "N-100000", "--json", data=data).json
    assert order["content"]["metadata"] == {"colour": "blue"}
    assert "ship_to.city" in ordermill("map", "--fields", data=data).out


def test_nothing_is_asked_without_a_terminal_and_nothing_is_coloured(ordermill: Any, file: Path, data: Path) -> None:
    ran = ordermill("import", file, data=data)
    assert "\x1b[" not in ran.out + ran.err
    assert ordermill("batches", "cancel", "1", data=data).code == 2
    assert json.loads(ordermill("import", file, "--restart", "--json", data=data).out)


@pytest.mark.parametrize("served", [False, True])
def test_a_file_that_cannot_be_read_on_says_what_to_do(ordermill: Any, tmp_path: Path, served: bool) -> None:
    file, data = tmp_path / "notes.csv", tmp_path / "data"
    rows = [f"Q{number},DE,1,KG,hello\n" for number in range(2_500)]
    data.mkdir()
    head = "order_id,country,weight,weight_unit,note\n"
    file.write_text(head + "".join(rows[:2_000]) + 'X,DE,1,KG,"hello\n' + "".join(rows[2_000:]))
    with ServerProcess(data) if served else nullcontext():
        ran = ordermill("import", file, data=data)
        assert ran.code == 1
        assert "notes.csv: the quoted text that begins in row 2002 never ends" in ran.err
        assert "--resume" not in ran.err
        file.write_text(head + "".join(rows))
        ran = ordermill("import", file, data=data)
        assert ran.code == 0
        assert "2 500 orders: 1 500 created, 1 000 unchanged" in ran.out.replace("\N{NO-BREAK SPACE}", " ")


def test_a_folder_that_is_not_there_is_told_before_anything_is_in(ordermill: Any, file: Path, data: Path) -> None:
    ran = ordermill("import", file, "--errors", "nowhere/x.csv", data=data)
    assert (ran.code, ran.out) == (2, "")
    assert "there is no folder nowhere" in ran.err
    assert ordermill("batches", "list", data=data).code == 6


def test_a_result_that_cannot_be_written_is_one_line(ordermill: Any, file: Path, data: Path) -> None:
    assert ordermill("import", file, data=data).code == 1
    for command in (
        ("orders", "export", "--out", "nowhere/x"),
        ("batches", "errors", "bch_1", "--csv", "nowhere/x"),
        ("convert", file, "--to", "karrio", "--out", "nowhere/x"),
        ("map", file, "--write", "nowhere/x"),
    ):
        ran = ordermill(*command, data=data)
        assert ran.code == 3
        assert ran.err.splitlines()[-1].startswith("ordermill: nowhere/x"), ran.err
    ran = ordermill("batches", "cancel", "bch_1", "--yes", data=data)
    assert (ran.code, "nothing of it is waiting" in ran.err) == (2, True)


def test_a_cell_of_several_lines_stays_on_one_in_the_map(ordermill: Any, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('order_id,address\n1,"Main 1\nBack"\n')
    assert "Main 1 Back" in ordermill("map", "x.csv").out
