"""A receiver for local work: verifies what it gets, prints a line for each message, answers as it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
import msgspec

from ordermill.cli.options import fail
from ordermill.delivery.signing import NotGenuine, verify

BODY_BYTES_MAX = 16 * 1024 * 1024


LOOK_AGAIN_S = 1.0


class Known:
    """The secrets that verify. What none of them verifies may be signed by one that was made since: `find` tells."""

    def __init__(self, find: Callable[[], tuple[str, ...]]) -> None:
        self.find = find
        self.secrets = find()
        self._looked = float("-inf")

    def verify(self, headers: dict[str, str], body: bytes) -> None:
        """Raises NotGenuine."""
        try:
            verify(self.secrets, headers, body, int(time.time()))
        except NotGenuine:
            if time.monotonic() - self._looked < LOOK_AGAIN_S:
                raise
            self._looked = time.monotonic()
            self.secrets = self.find()
            verify(self.secrets, headers, body, int(time.time()))


def listen(port: int, find: Callable[[], tuple[str, ...]], *, status: int = 200, bodies: bool = False) -> None:
    """Serves on loopback until Ctrl-C."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler(Known(find), status=status, bodies=bodies))
    except OSError as error:
        fail(f"port {port} cannot be listened on: {error.strerror}; choose another with --port")
    click.echo(f"listening on http://127.0.0.1:{server.server_address[1]}/   Ctrl-C ends")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def handler(known: Known, *, status: int, bodies: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(size, BODY_BYTES_MAX))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                known.verify(headers, body)
                word = "verified"
            except NotGenuine as error:
                word = f"NOT VERIFIED ({error})"
            click.echo(f"{headers.get('webhook-id', '-')}  {kind(body):<28} {self.path}  {word}")
            if bodies:
                click.echo("  " + body.decode("utf-8", "replace"))
            self.send_response(status if word == "verified" else 401)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """The line above is enough."""

    return Handler


def kind(body: bytes) -> str:
    """What a body says it is, in whichever of the forms it is."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "-"
    if not isinstance(said, dict):
        return "-"
    return str(said.get("type") or said.get("event") or "-").removeprefix("com.ordermill.")
