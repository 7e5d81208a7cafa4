"""A server of ours as a process of its own: started, waited for, killed, ended by its process id."""

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
KEY = "omk_live_testtest_" + "k" * 43
READY_WITHIN_S = 60


class ServerProcess:
    """`with ServerProcess(folder) as server:` gives server.url and server.key (a live administrator key)."""

    def __init__(self, data: Path, *, database_url: str = "", port: int = 0, **settings: str) -> None:
        self.data = data
        self.key = KEY
        self.port = port
        self.url = ""
        self.log = data / "server.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ORDERMILL_")},
            "PYTHONPATH": str(ROOT / "src"),
            "ORDERMILL_DATA": str(data),
            "ORDERMILL_DATABASE_URL": database_url,
            "ORDERMILL_BOOTSTRAP_KEY": KEY,
            **{f"ORDERMILL_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when /readyz answers 200. The port stays the same over restarts."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ordermill", "serve", "--port", str(self.port)],
                env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "http://" in line:
                self.url = "http://" + line.split("http://")[1].split()[0]
                self.port = int(self.url.rsplit(":", 1)[1])
                break
        else:
            raise RuntimeError(f"the server ended before it was ready: {self.log.read_text()[-2000:]}")
        self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"not ready: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL to the whole group: no chance to clean up."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self._gone()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._gone()
        return code

    def died(self, within_s: float = 10) -> int:
        """Waits for the process to end by itself; its exit code."""
        assert self.process is not None
        code = self.process.wait(within_s)
        self._gone()
        return code

    def _gone(self) -> None:
        assert self.process is not None
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
