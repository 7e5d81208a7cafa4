"""No request of the collection gets a 5xx, none hangs, and the server is itself afterwards."""

from __future__ import annotations

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from reading_back import read_everything
from server_process import ServerProcess
from trust.hostile import collection
from trust.test_limits import peak_kb
from trust.wire import Heard, speak

AT_ONCE = 24
HANG_S = 10


@pytest.mark.parametrize("half_close", [False, True], ids=["listening", "half closed"])
def test_the_collection(server: ServerProcess, half_close: bool) -> None:
    """Once by clients that wait for the answer, once by clients that end their side first, whom some answers miss."""
    before = peak_kb(server)
    cases = list(collection(server.key))
    assert len(cases) >= 500

    def go(case: tuple[str, bytes]) -> tuple[str, Heard]:
        return case[0], speak(server.url, case[1], wait_s=HANG_S + 2, half_close=half_close)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(go, cases))
    wrong = [(name, heard.statuses) for name, heard in told if any(status >= 500 for status in heard.statuses)]
    assert not wrong, wrong[:10]
    silent = [name for name, heard in told if not heard.statuses]
    assert half_close or len(silent) < len(cases) // 20, "what is not heard proves nothing"
    hung = [name for name, heard in told if heard.seconds > HANG_S]
    assert not hung, hung[:10]
    assert all(heard.closed for _, heard in told if not heard.statuses)
    leaks = [name for name, heard in told if b"Traceback" in heard.text or b"/ordermill/" in heard.text]
    assert not leaks, leaks[:10]
    began = time.monotonic()
    with urllib.request.urlopen(server.url + "/readyz", timeout=5) as answer:
        assert answer.status == 200
    assert time.monotonic() - began < 1
    assert peak_kb(server) - before < 200_000
    read_everything(server)
    slowest = max(heard.seconds for _, heard in told)
    print(f"\n{len(cases)} requests, 0 x 5xx, {len(silent)} without an answer, slowest {slowest:.1f} s")
