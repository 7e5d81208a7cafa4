"""A receiver for local work: verifies what it gets, prints a line for each message, answers as it is told."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
import msgspec

from ordermill.delivery.signing import NotGenuine, verify

BODY_BYTES_MAX = 16 * 1024 * 1024


def listen(port: int, secrets: tuple[str, ...], *, status: int = 200, bodies: bool = False) -> None:
    """Serves on loopback until Ctrl-C."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(secrets, status=status, bodies=bodies))
    click.echo(f"listening on http://127.0.0.1:{server.server_address[1]}/   Ctrl-C ends")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def handler(secrets: tuple[str, ...], *, status: int, bodies: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(size, BODY_BYTES_MAX))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                verify(secrets, headers, body, int(time.time()))
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
