"""strace on running processes: what they ask of the disk, and faults in place of its answers."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType


def available() -> bool:
    """Whether strace is here and may be used."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


class Strace:
    """`with Strace(pids, …):` from the moment it holds them all until the end of the block."""

    def __init__(self, pids: Iterable[int], output: Path, *options: str) -> None:
        self.output = output
        targets = [word for pid in pids for word in ("-p", str(pid))]
        self.command = ["strace", "-f", "-y", "-s", "64", "-o", str(output), *options, *targets]

    def __enter__(self) -> Strace:
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "attached" in line, line
        time.sleep(0.3)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def lines(self) -> list[str]:
        return self.output.read_text(errors="replace").splitlines()


def synced_answers(lines: Iterable[str]) -> tuple[int, int]:
    """Of requests sent one after the other: how many 2xx were written, before how many of them the log was synced."""
    answers = synced = 0
    fresh = False
    under_way: dict[str, bool] = {}
    for line in lines:
        process = line.split(" ", 1)[0]
        if "fdatasync(" in line or "fsync(" in line:
            is_log = "-wal>" in line or "/pg_wal/" in line
            if "unfinished" in line:
                under_way[process] = is_log
            elif line.rstrip().endswith("= 0"):
                fresh |= is_log
        elif "sync resumed>" in line and line.rstrip().endswith("= 0"):
            fresh |= under_way.pop(process, False)
        elif '"HTTP/1.1 20' in line and "/readyz" not in line:
            answers += 1
            synced += fresh
            fresh = False
    return answers, synced


def children(pid: int) -> list[int]:
    """The processes that one has started and that are still there."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]
