"""Reading a large file in a process of its own: making orders out of rows is most of an import's work.

Beside the process that writes them down it takes another core where there is one, and in a server no request waits for
it. Frames go through a pipe, which holds the reader back when the ledger is slower.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress

import msgspec

from ordermill.files.mapping import Plan
from ordermill.files.reading import Piece
from ordermill.files.sniffing import Unusable

MODULE = "ordermill.reading_apart"
LARGE_BYTES = 2 * 1024 * 1024  # below, starting a process costs more than it brings
FRAME_BYTES_MAX = 256 * 1024 * 1024


class AskedToEnd(Unusable):
    """The reader was ended before it could pass that over: whoever does so ends the server, and nothing is wrong."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader is to do. `settings`: the contracts' own, as the reader's process understands them."""

    path: str
    name: str
    plan: Plan
    skip: int
    chunk: int
    now: int
    settings: msgspec.Raw = msgspec.Raw(b"{}")


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """Orders that come together, and how much of the file was read with them; or why it cannot be read."""

    pieces: list[Piece]
    done: float
    trouble: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def write_frame(pieces: list[Piece], done: float, trouble: str = "") -> bytes:
    """A frame with its length in front. Of the rows the numbers are enough: what failed keeps them in its document."""
    bare = [
        Piece(
            msgspec.structs.replace(piece.made, document=None),
            [(number, []) for number, _ in piece.rows],
            piece.position,
        )
        for piece in pieces
    ]
    body = _encode(Frame(bare, done, trouble))
    return len(body).to_bytes(4, "big") + body


async def read_apart(task: Task) -> AsyncGenerator[Frame, None]:
    """Frames as the reader makes them. Raises Unusable (AskedToEnd); ends the reader when nobody wants more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(task))
        process.stdin.write_eof()
        while head := await process.stdout.read(1):
            size = int.from_bytes(head + await process.stdout.readexactly(3), "big")
            if size > FRAME_BYTES_MAX:
                raise Unusable(f"{task.name} cannot be read: its orders are too large")
            frame = _decode(await process.stdout.readexactly(size))
            if frame.trouble:
                raise Unusable(frame.trouble)
            yield frame
        if await process.wait() != 0:
            raise _ended(task, process.returncode)
    except asyncio.IncompleteReadError:
        raise _ended(task, await process.wait()) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _ended(task: Task, code: int | None) -> Unusable:
    kind = AskedToEnd if code == -signal.SIGTERM else Unusable
    return kind(f"{task.name} cannot be read: the reader ended with {code}")
