"""Events to NATS JetStream (extra `nats`): an endpoint `nats:<subject>` is published to as `<subject>.<event type>`.

A message counts as delivered when the stream has acknowledged it. `Nats-Msg-Id` is the message id, so that a stream
drops what is sent twice within its window.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ordermill.core.delivery import Answer, Failure
from ordermill.delivery.sender import snippet_of

CONNECT_S = 5.0
ACKNOWLEDGE_S = 10.0


class NatsPost:
    """One connection, made when it is first needed and kept by the client library. Never raises."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """`url` is the subject."""
        started = time.monotonic()
        try:
            stream = await self._stream()
            told = {**headers, "Nats-Msg-Id": headers["webhook-id"]}
            acknowledged = await stream.publish(url, body, timeout=ACKNOWLEDGE_S, headers=told)
        except TimeoutError:
            return _answer(started, None, Failure.TIMEOUT, "the stream did not acknowledge in time")
        except Exception as error:
            return _answer(started, None, Failure.BROKER, f"{type(error).__name__}: {error}")
        twice = " (it had this message already)" if acknowledged.duplicate else ""
        return _answer(started, 200, None, f"{acknowledged.stream} {acknowledged.seq}{twice}")

    async def _stream(self) -> Any:
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                import nats

                self._client = await nats.connect(
                    self.url, name="ordermill", connect_timeout=CONNECT_S, max_reconnect_attempts=-1, error_cb=_quiet
                )
            return self._client.jetstream()

    async def close(self) -> None:
        if self._client is not None and not self._client.is_closed:
            await self._client.close()


async def _quiet(_error: Exception) -> None:
    """What goes wrong shows in the attempts."""


def _answer(started: float, status: int | None, failure: Failure | None, text: str) -> Answer:
    took_ms = round((time.monotonic() - started) * 1000)
    return Answer(status=status, failure=failure, took_ms=took_ms, snippet=snippet_of(text.encode()))
