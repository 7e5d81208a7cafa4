"""Bytes on a socket: what a client that does not keep to HTTP, or keeps to it to the letter, sends and gets."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import msgspec


class Heard(msgspec.Struct):
    """What came back. `statuses`: of every answer, in order. `closed`: the server ended the connection."""

    statuses: list[int]
    text: bytes
    closed: bool
    seconds: float

    @property
    def status(self) -> int:
        """Of the first answer, 0 for none."""
        return self.statuses[0] if self.statuses else 0


def speak(
    url: str, *parts: bytes, wait_s: float = 10, pause_s: float = 0, half_close: bool = False, answers: int = 1
) -> Heard:
    """Sends the parts with pauses between, and listens until the server closes or a whole answer has come."""
    host, _, port = urlsplit(url).netloc.rpartition(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=wait_s) as line:
        try:
            for place, part in enumerate(parts):
                if place:
                    time.sleep(pause_s)
                line.sendall(part)
            if half_close:
                line.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        text, closed = _listen(line, began + wait_s, answers, bodiless=parts[0].startswith(b"HEAD "))
    return Heard(_statuses(text), text, closed, time.monotonic() - began)


def _listen(line: socket.socket, until: float, answers: int, *, bodiless: bool) -> tuple[bytes, bool]:
    text = b""
    while (left := until - time.monotonic()) > 0:
        done = len(_statuses(text)) >= answers and _whole(text, bodiless=bodiless)
        line.settimeout(min(0.1, left) if done else left)
        try:
            part = line.recv(65536)
        except TimeoutError:
            break
        except OSError:
            return text, True
        if not part:
            return text, True
        text += part
    return text, False


def _whole(text: bytes, *, bodiless: bool) -> bool:
    """Whether the first answer is there with its body (HEAD gets none); the rest gets a moment more."""
    head, gap, body = text.partition(b"\r\n\r\n")
    if gap and head.startswith(b"HTTP/1.1 100"):  # no answer yet, only leave to go on
        return _whole(body, bodiless=bodiless)
    if not gap or bodiless:
        return bool(gap)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return b"204" in head[:16] or b"0\r\n\r\n" in body


def _statuses(text: bytes) -> list[int]:
    words = text.split(b"HTTP/1.1 ")[1:]
    return [int(word[:3]) for word in words if word[:3].isdigit()]


def request(method: str, path: str, key: str, body: bytes = b"", *headers: str, length: bool = True) -> bytes:
    """A well-formed request, unless the headers make it another."""
    lines = [f"{method} {path} HTTP/1.1", "Host: ordermill.test", *headers]
    if key:
        lines += [f"api-key: {key}", f"API-Authorization: {key}"]
        scheme = "Token" if path.startswith("/v1") else "Bearer"
        lines.append(f"Authorization: {scheme} {key}")
    if body and length:
        lines += [f"Content-Length: {len(body)}"]
    if body:
        lines += ["Content-Type: application/json"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
