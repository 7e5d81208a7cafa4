"""What is done to a server while it is spoken to: killed, ended, stopped and let go, its database taken away."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from crash.traffic import Client
from server_process import ServerProcess

GRACE_S = 10.0
CATCH_UP_S = 60.0
Blow = Callable[[], None]


class Storm:
    """Blows in a row on one server, each followed by its recovery. `took`: how often each was dealt."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.took: Counter[str] = Counter()
        self.ready_s: list[float] = []
        self.extra: list[Blow] = []

    def blow(self, cycles: int) -> None:
        blows: list[Blow] = [self.kill, self.kill, self.terminate, self.freeze, *self.extra]
        for number in range(cycles):
            time.sleep(self.random.uniform(0.15, 0.7))
            blow = blows[number] if number < len(blows) else self.random.choice(blows)
            self.took[getattr(blow, "__name__", "blow")] += 1
            blow()

    def kill(self) -> None:
        self.server.kill()
        self._start()

    def terminate(self) -> None:
        """A clean end is one within the grace, with exit code 0."""
        began = time.monotonic()
        code = self.server.stop()
        assert code == 0, f"SIGTERM ended with {code}"
        assert time.monotonic() - began <= GRACE_S
        self._start()

    def freeze(self) -> None:
        assert self.server.process is not None
        os.killpg(self.server.process.pid, signal.SIGSTOP)
        try:
            time.sleep(self.random.uniform(0.1, 1.0))
        finally:
            os.killpg(self.server.process.pid, signal.SIGCONT)

    def _start(self) -> None:
        began = time.monotonic()
        self.server.start()
        self.ready_s.append(time.monotonic() - began)


def weather(server: ServerProcess, storm: Storm, cycles: int, *, clients: int, seed: int) -> Sequence[Client]:
    """Clients push while the storm blows; the clients as they stand once all of them have come to their end."""
    stop = threading.Event()
    pushing = [Client(number, server.url, server.key, stop, seed) for number in range(clients)]
    for client in pushing:
        client.start()
    try:
        storm.blow(cycles)
        time.sleep(0.5)
    finally:
        stop.set()
    deadline = time.monotonic() + CATCH_UP_S
    for client in pushing:
        client.join(max(0.1, deadline - time.monotonic()))
        assert not client.is_alive(), f"{client.name} got no answer within {CATCH_UP_S} s of the last blow"
    return pushing
