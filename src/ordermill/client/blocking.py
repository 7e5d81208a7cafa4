"""The blocking client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from ordermill.client.operations import Contract, Document, Operations, chunked
from ordermill.client.steps import Conversation, new_key, refused
from ordermill.client.transports import Blocking
from ordermill.web import import_shapes, shapes

T = TypeVar("T")


class Ordermill:
    """A server and a key. Use it in a `with` block, or close() it.

    Every call is tried again while that makes sense (network, 429, 503, …); what writes carries an Idempotency-Key, so
    nothing is done twice. Raises Refused when the server says no, Unreachable when it cannot be reached.
    """

    def __init__(self, url: str, key: str, *, transport: Any = None) -> None:
        self.url = url.rstrip("/")
        self.operations = Operations(key)
        self.transport = transport or Blocking(url)

    def __enter__(self) -> Ordermill:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    def _run(self, conversation: Conversation[T]) -> T:
        result: T = self.transport.run(conversation)
        return result

    def _pages(self, path: str, kind: type[T], query: Mapping[str, Any]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._run(self.operations.page(path, kind, query, cursor))
            yield from page.data
            if page.next is None:
                return
            cursor = page.next

    # orders in

    def send(
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
    ) -> Iterator[shapes.Taken]:
        """Sends orders, in a contract's form, a thousand at a time; gives what became of each thousand once durable.

        `key`: makes the whole call repeatable, also after a crash: the same orders under the same key are done once.
        """
        key = key or new_key()
        for number, chunk in enumerate(chunked(orders)):
            yield self._run(
                self.operations.send_chunk(
                    chunk, contract, source=source, historical=historical, error_policy=error_policy, dry_run=dry_run,
                    notify_url=notify_url, memo=f"{key}-{number}",
                )
            )  # fmt: skip

    # batches

    def batches(self, **filters: Any) -> Iterator[shapes.Batch]:
        """All batches, newest first. Filters as in the API: status, contract, has_failures, created_since, …"""
        return self._pages("/batches", shapes.Batch, filters)

    def batch(self, batch_id: str) -> shapes.BatchDetail:
        return self._run(self.operations.get(f"/batches/{batch_id}", shapes.BatchDetail))

    def items(self, batch_id: str, **filters: Any) -> Iterator[shapes.Item]:
        """What became of each order of a batch, by position. Filters: outcome, code, field."""
        return self._pages(f"/batches/{batch_id}/items", shapes.Item, filters)

    def causes(self, batch_id: str) -> list[shapes.Cause]:
        """Why orders failed, the most frequent cause first."""
        return list(self._pages(f"/batches/{batch_id}/causes", shapes.Cause, {}))

    def retry(self, batch_id: str, *, code: str | None = None, field: str | None = None) -> shapes.Taken:
        """Takes the failed orders in once more, as they were sent; all of them or those of one cause."""
        asked = {name: value for name, value in (("code", code), ("field", field)) if value is not None}
        return self._run(self.operations.post(f"/batches/{batch_id}/retry", shapes.Taken, asked))

    def cancel(self, batch_id: str) -> shapes.BatchDetail:
        return self._run(self.operations.post(f"/batches/{batch_id}/cancel", shapes.BatchDetail))

    def failed(self, batch_id: str, form: str = "csv", **filters: Any) -> Iterator[bytes]:
        """The failed orders as a file (csv or ndjson), piece by piece."""
        return self._download(f"/batches/{batch_id}/failed.{form}", filters)

    # orders

    def orders(self, **filters: Any) -> Iterator[shapes.Order]:
        """All orders, newest first. Filters: contract, source, reference, status, email, placed_since, …"""
        return self._pages("/orders", shapes.Order, filters)

    def order(self, order_id: str) -> shapes.OrderDetail:
        return self._run(self.operations.get(f"/orders/{order_id}", shapes.OrderDetail))

    def order_as(self, order_id: str, contract: Contract) -> Any:
        """An order as that contract shows it, decoded."""
        return self._run(self.operations.get(f"/orders/{order_id}", dict, as_=contract))

    def order_by_reference(self, contract: Contract, reference: str, source: str | None = None) -> shapes.OrderDetail:
        asked = {"contract": contract, "reference": reference, "source": source}
        return self._run(self.operations.get("/orders/by-reference", shapes.OrderDetail, **asked))

    def history(self, order_id: str) -> list[shapes.Version]:
        return list(self._pages(f"/orders/{order_id}/history", shapes.Version, {}))

    def raw(self, order_id: str) -> bytes:
        """The order as it was sent."""
        return b"".join(self._download(f"/orders/{order_id}/raw", {}))

    def export(self, form: str = "ndjson", **filters: Any) -> Iterator[bytes]:
        """Orders with their content as a file (ndjson or csv), piece by piece, oldest first."""
        return self._download("/orders/export", {"format": form, **filters})

    # imports

    def upload(self, path: Path, name: str | None = None) -> import_shapes.Import:
        """A file onto the server; nothing is imported yet."""
        call = self.operations.call(
            "POST", "/imports", query={"name": name or path.name}, media="application/octet-stream", timeout_s=600.0
        )
        with open(path, "rb") as file:
            answer = self.transport.send(call, iter(lambda: file.read(256 * 1024), b""))
        if answer.status >= 300:
            raise refused(answer)
        found: import_shapes.Import = answer.json(import_shapes.Import)
        return found

    def imports(self) -> Iterator[import_shapes.Import]:
        return self._pages("/imports", import_shapes.Import, {})

    def get_import(self, import_id: str) -> import_shapes.Import:
        return self._run(self.operations.get(f"/imports/{import_id}", import_shapes.Import))

    def plan_import(self, import_id: str, plan: import_shapes.ImportPlan) -> import_shapes.Import:
        return self._run(self.operations.put(f"/imports/{import_id}/plan", import_shapes.Import, plan))

    def check_import(self, import_id: str) -> import_shapes.Import:
        return self._run(self.operations.post(f"/imports/{import_id}/check", import_shapes.Import))

    def start_import(self, import_id: str) -> import_shapes.Import:
        return self._run(self.operations.post(f"/imports/{import_id}/start", import_shapes.Import))

    def stop_import(self, import_id: str) -> import_shapes.Import:
        return self._run(self.operations.post(f"/imports/{import_id}/stop", import_shapes.Import))

    def drop_import(self, import_id: str) -> None:
        self._run(self.operations.delete(f"/imports/{import_id}"))

    def import_errors(self, import_id: str, form: str = "csv", *, raw: bool = False) -> Iterator[bytes]:
        """The failed rows of an import, the original columns untouched, piece by piece."""
        return self._download(f"/imports/{import_id}/errors.{form}", {"raw": True} if raw else {})

    def presets(self) -> list[import_shapes.SavedPreset]:
        """Mappings of your own, by name: what a plan may name as its `preset`."""
        return list(self._pages("/presets", import_shapes.SavedPreset, {}))

    def save_preset(self, name: str, plan: import_shapes.ImportPlan) -> import_shapes.SavedPreset:
        """Keeps a mapping under a name; one of that name is replaced."""
        return self._run(self.operations.put(f"/presets/{quote(name, safe='')}", import_shapes.SavedPreset, plan))

    def delete_preset(self, name: str) -> None:
        self._run(self.operations.delete(f"/presets/{quote(name, safe='')}"))

    # anything else

    def get(self, path: str, **query: Any) -> Any:
        """Any other GET of our API, decoded."""
        return self._run(self.operations.get(path, object, **query))

    def post(self, path: str, body: Any = None) -> Any:
        return self._run(self.operations.post(path, object, body))

    def _download(self, path: str, query: Mapping[str, Any]) -> Iterator[bytes]:
        head, pieces = self.transport.open(self.operations.call("GET", path, query=query))
        if head.status >= 300:
            raise refused(head)
        yield from pieces
