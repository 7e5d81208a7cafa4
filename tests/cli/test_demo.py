"""`ordermill demo --once`: the smoke test of an installation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli_tools import environment


def test_the_demo_goes_where_the_settings_say_and_offers_no_key_to_a_server_that_ended(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ordermill", "demo", "--once"],
        env={**environment(tmp_path), "ORDERMILL_DATA": str(tmp_path / "here")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "here" / "ordermill.db").is_file()
    assert "omk_test_" not in ran.stdout
    assert "The server ends with this" in ran.stdout
