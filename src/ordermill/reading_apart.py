"""The reader's own process: a task on standard input, frames of orders on standard output (work/apart.py)."""

from __future__ import annotations

import signal
import sys
from itertools import islice
from pathlib import Path

import msgspec

from ordermill.app import contracts_of
from ordermill.config import Config
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable
from ordermill.work.apart import Task, write_frame


def main() -> None:
    """Until the end of the file, or until nobody reads what is written."""
    for number in (signal.SIGINT, signal.SIGTERM):  # for whoever started this, who ends it by reading no more
        signal.signal(number, signal.SIG_IGN)
    out = sys.stdout.buffer
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    contracts = contracts_of(msgspec.json.decode(task.settings, type=Config))
    try:
        with Reading(Path(task.path), task.plan, contracts, name=task.name) as reading:
            pieces = reading.pieces(task.now, skip=task.skip)
            while chunk := list(islice(pieces, task.chunk)):
                out.write(write_frame(chunk, reading.progress()))
                out.flush()
    except Unusable as error:
        out.write(write_frame([], 0.0, str(error)))
        out.flush()
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
