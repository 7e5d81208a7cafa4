"""Ordermill that lets every large body in at once: what the limit costs, and what it saves, shows beside this."""

from __future__ import annotations

import sys

import msgspec

from ordermill import app, running
from ordermill.config import load


def main() -> int:
    limited = app.make_limits
    app.make_limits = lambda config: msgspec.structs.replace(
        limited(config), large_bodies_at_once=1_000, buffered_bytes=1 << 32
    )
    return running.serve(load(options={"port": 0}).config)


if __name__ == "__main__":
    sys.exit(main())
