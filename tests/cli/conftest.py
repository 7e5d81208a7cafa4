"""The command line as its users have it: arguments in, exit code and text out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_tools import environment
from click.testing import CliRunner

from ordermill.cli import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ordermill = Callable[..., Ran]


@pytest.fixture
def ordermill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ordermill:
    """ordermill("import", "x.csv", data=folder): runs it in this process, in a folder and with settings of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, data: Path | None = None, **settings: str) -> Ran:
        said = {**environment(tmp_path), **({} if data is None else {"ORDERMILL_DATA": str(data)}), **settings}
        with monkeypatch.context() as here:
            for name in list(os.environ):
                if name.startswith(("ORDERMILL_", "XDG_")):
                    here.delenv(name)
            for name, value in said.items():
                here.setenv(name, value)
            runner = CliRunner()
            with runner.isolation() as (out, err, _):
                try:
                    main(list(map(str, arguments)))
                    code = 0
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else 1
                sys.stdout.flush()
                sys.stderr.flush()
                return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    return run
