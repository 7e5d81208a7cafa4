"""The asynchronous client: the same calls, and streams."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from ordermill.client.operations import API, Contract, Document, Operations, chunked, encode, pairs
from ordermill.client.steps import Call, new_key, refused
from ordermill.client.transports import Asynchronous
from ordermill.web import import_shapes, shapes

T = TypeVar("T")
_end = msgspec.json.Decoder(import_shapes.StreamEnd)
_line = msgspec.json.Decoder(import_shapes.Line)


class AsyncOrdermill:
    """A server and a key; see Ordermill. Use it in an `async with` block, or close() it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self.operations = Operations(key)
        self.transport = Asynchronous(url)

    async def __aenter__(self) -> AsyncOrdermill:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self.transport.close()

    async def _pages(self, path: str, kind: type[T], query: Mapping[str, Any]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self.transport.run(self.operations.page(path, kind, query, cursor))
            for entry in page.data:
                yield entry
            if page.next is None:
                return
            cursor = page.next

    async def send(
        self,
        orders: Iterable[Document],
        contract: Contract,
        *,
        source: str = "",
        historical: bool = True,
        error_policy: str = "accept_valid",
        dry_run: bool = False,
        notify_url: str | None = None,
        key: str | None = None,
    ) -> AsyncIterator[shapes.Taken]:
        """Sends orders a thousand at a time; gives what became of each thousand as it is durable."""
        key = key or new_key()
        for number, chunk in enumerate(chunked(orders)):
            yield await self.transport.run(
                self.operations.send_chunk(
                    chunk, contract, source=source, historical=historical, error_policy=error_policy, dry_run=dry_run,
                    notify_url=notify_url, memo=f"{key}-{number}",
                )
            )  # fmt: skip

    async def stream(
        self,
        orders: AsyncIterable[Document] | Iterable[Document],
        contract: Contract,
        *,
        source: str = "",
        historical: bool = True,
        key: str | None = None,
        only_failed: bool = False,
    ) -> AsyncIterator[import_shapes.Line | import_shapes.StreamEnd]:
        """Orders without any limit on their number; outcomes come back while they are sent, the sum (StreamEnd) last.

        When it breaks off, call it again with the same orders and the same `key`: nothing is doubled.
        """
        asked = {
            "contract": contract, "source": source or None, "historical": historical,
            "outcomes": "failed" if only_failed else "all",
        }  # fmt: skip
        headers = (
            self.operations.authorization, ("Content-Type", "application/x-ndjson"),
            ("Idempotency-Key", key or new_key()),
        )  # fmt: skip
        call = Call(method="POST", path=f"{API}/orders/stream", query=pairs(asked), headers=headers)
        rest = b""
        async for head, piece in self.transport.stream(call, _lines(orders)):
            if head.status >= 400:
                raise refused(head)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line:
                    yield _end.decode(line) if b'"done":' in line[:9] else _line.decode(line)

    def batches(self, **filters: Any) -> AsyncIterator[shapes.Batch]:
        return self._pages("/batches", shapes.Batch, filters)

    async def batch(self, batch_id: str) -> shapes.BatchDetail:
        return await self.transport.run(self.operations.get(f"/batches/{batch_id}", shapes.BatchDetail))

    def items(self, batch_id: str, **filters: Any) -> AsyncIterator[shapes.Item]:
        return self._pages(f"/batches/{batch_id}/items", shapes.Item, filters)

    def causes(self, batch_id: str) -> AsyncIterator[shapes.Cause]:
        return self._pages(f"/batches/{batch_id}/causes", shapes.Cause, {})

    async def retry(self, batch_id: str, *, code: str | None = None, field: str | None = None) -> shapes.Taken:
        asked = {name: value for name, value in (("code", code), ("field", field)) if value is not None}
        return await self.transport.run(self.operations.post(f"/batches/{batch_id}/retry", shapes.Taken, asked))

    async def cancel(self, batch_id: str) -> shapes.BatchDetail:
        return await self.transport.run(self.operations.post(f"/batches/{batch_id}/cancel", shapes.BatchDetail))

    def orders(self, **filters: Any) -> AsyncIterator[shapes.Order]:
        return self._pages("/orders", shapes.Order, filters)

    async def order(self, order_id: str) -> shapes.OrderDetail:
        return await self.transport.run(self.operations.get(f"/orders/{order_id}", shapes.OrderDetail))

    async def order_by_reference(
        self, contract: Contract, reference: str, source: str | None = None
    ) -> shapes.OrderDetail:
        asked = {"contract": contract, "reference": reference, "source": source}
        return await self.transport.run(self.operations.get("/orders/by-reference", shapes.OrderDetail, **asked))


async def _lines(orders: AsyncIterable[Document] | Iterable[Document]) -> AsyncIterator[bytes]:
    """NDJSON in pieces of some size: one write per order would cost more than the order."""
    held: list[bytes] = []
    size = 0
    async for order in _each(orders):
        line = encode(order).replace(b"\n", b" ") + b"\n"
        held.append(line)
        size += len(line)
        if size >= 64 * 1024:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


async def _each(orders: AsyncIterable[Document] | Iterable[Document]) -> AsyncIterator[Document]:
    if isinstance(orders, AsyncIterable):
        async for order in orders:
            yield order
    else:
        for order in orders:
            yield order
