"""Ordermill as a process of its own, with what it costs: processor time, memory, time to be ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
KEY = "omk_live_benchkey_" + "b" * 43
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
READY_WITHIN_S = 120


class Server:
    """`with Server(folder) as server:`; `module` runs instead of ordermill where a case needs a look inside."""

    def __init__(
        self, folder: Path, database_url: str = "", *, module: tuple[str, ...] = ("ordermill", "serve"), **settings: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self.command = [sys.executable, "-m", *module, "--port", "0"]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORDERMILL_")},
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "ORDERMILL_DATA": str(folder),
            "ORDERMILL_DATABASE_URL": database_url,
            "ORDERMILL_BOOTSTRAP_KEY": KEY,
            **{f"ORDERMILL_{name.upper()}": value for name, value in settings.items()},
        }
        self.url = ""
        self.ready_s = 0.0
        self.output = ""
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        started = time.perf_counter()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "http://" in line:
                self.url = "http://" + line.split("http://")[1].split()[0]
                break
        else:
            raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
        self._wait_ready()
        self.ready_s = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.output, _ = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.01)
        raise RuntimeError(f"the server did not become ready: {self.log.read_text()[-2000:]}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def cpu_s(self) -> float:
        """Processor time used so far, in user mode and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_mb(self, *, peak: bool = False) -> float:
        wanted = "VmHWM:" if peak else "VmRSS:"
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(wanted):
                return int(line.split()[1]) / 1024
        return 0.0

    def reset_peak(self) -> None:
        """From now on memory_mb(peak=True) tells of what follows."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
