"""Running other people's client programs against a server of ours."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server_process import ServerProcess

PROGRAMS = Path(__file__).parent / "clients" / "programs"


def run(command: Sequence[str | Path], server: ServerProcess, cwd: Path | None = None) -> Any:
    """What a client program prints, decoded. It is given the base URL and the key as BASE and KEY."""
    environment = {**os.environ, "BASE": server.url, "KEY": server.key}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def get(server: ServerProcess, path: str, **headers: str) -> Any:
    """A plain GET, decoded."""
    request = urllib.request.Request(server.url + path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())
