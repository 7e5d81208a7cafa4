"""Forms as they are sent, read within bounds: their bytes are counted as they come, whatever their length says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from ordermill.core.errors import Refusal, TooLarge

BODY_MAX = 64 * 1024 * 1024
OPEN_BODY_MAX = 8 * 1024  # of the pages that need nobody signed in: a key and a path
FIELD_MAX = 8 * 1024 * 1024

Receive = Callable[[], Awaitable[Any]]


class BadForm(Refusal):
    """This form cannot be read, so nothing was done."""


async def read_form(request: Request, size_max: int) -> FormData:
    """Raises TooLarge, BadForm."""
    if int(request.headers.get("content-length") or 0) > size_max:
        raise _too_large(size_max)
    counted = Request(request.scope, _at_most(request.receive, size_max))
    try:
        return await counted.form(max_part_size=FIELD_MAX, max_files=4, max_fields=200)
    except (MultiPartException, FormParserError, ClientDisconnect) as error:
        raise BadForm(hint="Go back, load the page again and repeat it.") from error


def _at_most(receive: Receive, size_max: int) -> Receive:
    left = size_max

    async def counted() -> Any:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _too_large(size_max)
        return message

    return counted


def _too_large(size_max: int) -> TooLarge:
    if size_max < BODY_MAX:
        return TooLarge(f"At most {size_max // 1024} kB can be sent here.")
    return TooLarge(f"At most {size_max // 1024 // 1024} MB can be sent here.", hint="Split the file.")
