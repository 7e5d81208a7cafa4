"""The least that could be answered: a body read, a key checked, 204. On the same server as Ordermill."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from typing import Any

import uvloop

from bench.server import KEY
from ordermill.running import calm_collector, listen
from ordermill.web.server import Server

SECRET = hashlib.sha256(KEY.encode()).digest()
HEADERS = [(b"content-type", b"application/json")]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    key = next((value for name, value in scope["headers"] if name == b"api-key"), b"")
    good = scope["method"] == "GET" or hmac.compare_digest(hashlib.sha256(key).digest(), SECRET)
    while (await receive()).get("more_body"):
        pass
    status = 200 if scope["method"] == "GET" else 204 if good else 401
    await send({"type": "http.response.start", "status": status, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b""})


async def serve() -> None:
    listening = listen("127.0.0.1", 0)
    server = Server(answer, "127.0.0.1", 0, deadline_s=30, header_bytes_max=32768)
    server.install_signal_handlers_on(asyncio.get_running_loop())
    calm_collector()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await server.serve(sockets=[listening])


if __name__ == "__main__":
    uvloop.run(serve())
    sys.exit(0)
