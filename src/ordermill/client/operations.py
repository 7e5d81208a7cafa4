"""The calls of our own API as conversations: what both clients can do, written once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from ordermill.client.steps import Answer, Call, Conversation, exchange, new_key, refused
from ordermill.web import import_shapes, shapes

T = TypeVar("T")
API = "/api/v1"
CHUNK_ORDERS = 1_000
CHUNK_BYTES = 4_000_000
TRANSFER_S = 600.0

Contract = Literal["brevo", "karrio", "centra"]
Document = Mapping[str, Any] | bytes | msgspec.Struct
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Operations:
    """Conversations with one server. `key`: an API key of it."""

    def __init__(self, key: str) -> None:
        self.authorization = ("Authorization", f"Bearer {key}")

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        memo: str | None = None,
        media: str = "application/json",
        timeout_s: float = 60.0,
    ) -> Call:
        headers = [self.authorization]
        if body is not None:
            headers.append(("Content-Type", media))
        if memo is not None:
            headers.append(("Idempotency-Key", memo))
        return Call(
            method=method, path=API + path, query=pairs(query or {}), headers=tuple(headers), body=body or b"",
            timeout_s=timeout_s,
        )  # fmt: skip

    def get(self, path: str, kind: type[T], **query: Any) -> Conversation[T]:
        answer = yield from exchange(self.call("GET", path, query=query))
        return good(answer).json(kind)  # type: ignore[no-any-return]

    def post(self, path: str, kind: type[T], body: Any = None, *, memo: str | None = None) -> Conversation[T]:
        """Sent under a key of its own, so that it may be sent again when its answer is lost."""
        encoded = None if body is None else _encode(body)
        answer = yield from exchange(
            self.call("POST", path, body=encoded, memo=memo or new_key(), timeout_s=TRANSFER_S)
        )
        return good(answer).json(kind)  # type: ignore[no-any-return]

    def put(self, path: str, kind: type[T], body: Any) -> Conversation[T]:
        answer = yield from exchange(self.call("PUT", path, body=_encode(body), timeout_s=TRANSFER_S))
        return good(answer).json(kind)  # type: ignore[no-any-return]

    def delete(self, path: str) -> Conversation[None]:
        good((yield from exchange(self.call("DELETE", path))))

    # orders in

    def send_chunk(
        self,
        orders: Sequence[bytes],
        contract: Contract,
        *,
        source: str = "",
        historical: bool = True,
        error_policy: str = "accept_valid",
        dry_run: bool = False,
        notify_url: str | None = None,
        memo: str | None = None,
    ) -> Conversation[shapes.Taken]:
        said = {
            "contract": contract, "source": source, "historical": historical, "errorPolicy": error_policy,
            "dryRun": dry_run, "notifyUrl": notify_url, "orders": [msgspec.Raw(order) for order in orders],
        }  # fmt: skip
        return self.post("/batches", shapes.Taken, said, memo=memo)

    # pages

    def page(self, path: str, kind: type[T], query: Mapping[str, Any], cursor: str | None) -> Conversation[Any]:
        asked = dict(query) | ({"cursor": cursor} if cursor is not None else {})
        return self.get(path, shapes.Listing[kind], **asked)  # type: ignore[valid-type]

    # imports

    def upload(self, name: str, body: bytes) -> Conversation[import_shapes.Import]:
        call = self.call(
            "POST", "/imports", query={"name": name}, body=body, media="application/octet-stream", timeout_s=TRANSFER_S
        )
        answer = yield from exchange(call, repeatable=False)
        return good(answer).json(import_shapes.Import)  # type: ignore[no-any-return]


def good(answer: Answer) -> Answer:
    """Raises Refused for what is no success."""
    if answer.status >= 300:
        raise refused(answer)
    return answer


def pairs(query: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """`created_since=…` becomes `createdSince=…`; a list is repeated, None left out."""
    found: list[tuple[str, str]] = []
    for name, value in query.items():
        head, *rest = name.strip("_").split("_")
        spelled = head + "".join(part.title() for part in rest)
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None:
                found.append((spelled, str(one).lower() if isinstance(one, bool) else str(one)))
    return tuple(found)


def encode(order: Document) -> bytes:
    return order if isinstance(order, bytes) else _encode(order)


def chunked(
    orders: Iterable[Document], size: int = CHUNK_ORDERS, size_bytes: int = CHUNK_BYTES
) -> Iterator[list[bytes]]:
    """Encoded orders in chunks that one request may hold."""
    taken: list[bytes] = []
    held = 0
    for order in orders:
        document = encode(order)
        if taken and (len(taken) >= size or held + len(document) > size_bytes):
            yield taken
            taken, held = [], 0
        taken.append(document)
        held += len(document) + 1
    if taken:
        yield taken
