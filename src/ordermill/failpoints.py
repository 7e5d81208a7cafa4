"""Named places at which a test lets the process die as if the power went: ORDERMILL_FAILPOINT=name or name:nth."""

from __future__ import annotations

import os

EXIT_CODE = 70
POINTS = (
    "settle.begun",  # numbers are reserved, nothing is written
    "settle.decided",
    "settle.contacts",
    "settle.orders",
    "settle.items",
    "settle.batches",
    "settle.events",
    "settle.memos",
    "settle.counts",  # everything is written, nothing is committed
    "lane.committed",  # durable, and nobody has been told
    "answer.ready",  # the answer is written in memory
    "answer.sent",
)

_name, _, _nth = os.environ.get("ORDERMILL_FAILPOINT", "").partition(":")
_left = int(_nth or 1)

if _name:

    def reach(name: str) -> None:
        """Ends the process here, without any cleaning up, when this is the place and the time."""
        global _left
        if name == _name:
            _left -= 1
            if _left == 0:
                os._exit(EXIT_CODE)

else:

    def reach(name: str) -> None:
        """Nothing: no failpoint is set."""
