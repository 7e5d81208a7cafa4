"""Ordermill in which every submission is a commit of its own: what sharing a transaction gains, shows beside this."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from ordermill import running
from ordermill.config import load
from ordermill.store.lanes import Call, Lanes


def take_one(self: Lanes, queue: deque[Any]) -> Any:
    """In place of Lanes._take."""
    with self._lock:
        if not queue:
            return []
        first = queue.popleft()
        return first if isinstance(first, Call) else [first]


def main() -> int:
    Lanes._take = take_one  # type: ignore[method-assign]
    return running.serve(load(options={"port": 0}).config)


if __name__ == "__main__":
    sys.exit(main())
