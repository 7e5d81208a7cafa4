"""/livez, /readyz and /metrics: what a probe or a scraper may know without a key."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ordermill.core.errors import Refusal
from ordermill.web import observe
from ordermill.web.http import Reply, Request

DISK_FREE_MIN = 64 * 1024 * 1024

Check = Callable[[], Awaitable[None]]
_encode = msgspec.json.encode


async def livez(_request: Request) -> Reply:
    """The process answers. Says nothing about the store."""
    return Reply(200, b'{"status":"alive"}')


def readyz(checks: Mapping[str, Check]) -> Callable[[Request], Awaitable[Reply]]:
    """200 when every check passes, else 503 with the name and reason of those that do not."""

    async def handler(_request: Request) -> Reply:
        failed: dict[str, str] = {}
        for name, check in checks.items():
            try:
                await check()
            except Refusal as refusal:
                failed[name] = refusal.message
            except Exception as error:
                failed[name] = type(error).__name__
        if failed:
            return Reply(503, _encode({"status": "not ready", "failed": failed}), headers=(("retry-after", "2"),))
        return Reply(200, _encode({"status": "ready", "checks": sorted(checks)}))

    return handler


async def metrics(_request: Request) -> Reply:
    """Prometheus text."""
    return Reply(200, generate_latest(observe.REGISTRY), CONTENT_TYPE_LATEST)


def disk_check(folder: Path) -> Check:
    """Fails when less than 64 MiB are free where the ledger lies."""

    async def check() -> None:
        if shutil.disk_usage(folder).free < DISK_FREE_MIN:
            raise OSError("disk full")

    return check
