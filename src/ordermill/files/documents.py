"""Orders as JSON: NDJSON line by line, a JSON body of any of the contracts; which contract's form they are in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ordermill.files.sniffing import Sniffed, Unusable

LINE_BYTES_MAX = 4 * 1024 * 1024
JSON_BYTES_MAX = 64 * 1024 * 1024
OURS = "orders"  # the form that `orders export --format ndjson` writes

Document = tuple[int, str, bytes]  # position as a person counts, the client's own name for it, the order's JSON

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


def read_documents(path: Path, sniffed: Sniffed, progress: list[float]) -> Iterator[Document]:
    """Raises Unusable for a JSON file that holds no orders; a line that is no order is given as it is."""
    if sniffed.kind == "ndjson":
        yield from _lines(path, sniffed, progress)
        return
    if sniffed.size_bytes > JSON_BYTES_MAX:
        raise Unusable(
            f"{sniffed.name} is one JSON value of {sniffed.size_bytes:,} bytes, more than {JSON_BYTES_MAX:,}",
            "write one order per line (NDJSON)",
        )
    body = path.read_bytes().decode(sniffed.encoding, "replace").encode()
    entries = split_body(body, sniffed.name)
    for position, (key, raw) in enumerate(entries, 1):
        progress[0] = position / len(entries)
        yield position, key or str(position), raw


def _lines(path: Path, sniffed: Sniffed, progress: list[float]) -> Iterator[Document]:
    if not sniffed.encoding.startswith("utf-8"):
        raise Unusable(f"{sniffed.name} is not UTF-8, as JSON has to be", "save it as UTF-8")
    read = 0
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), 1):
            read += len(line)
            progress[0] = read / sniffed.size_bytes
            if len(line) > LINE_BYTES_MAX:
                raise Unusable(f"{sniffed.name}, line {number} is longer than {LINE_BYTES_MAX:,} bytes")
            line = line.strip()
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line:
                yield number, str(number), line


def split_body(body: bytes, name: str) -> list[tuple[str, bytes]]:
    """(the client's name or '', order) for each order of a JSON body: a list, `{"orders": …}`, keyed, or just one."""
    try:
        if body.lstrip()[:1] == b"[":
            return [("", bytes(raw)) for raw in _list.decode(body)]
        members = _members.decode(body)
        orders = members.get("orders")
        if orders is not None and bytes(orders)[:1] == b"[":
            return [("", bytes(raw)) for raw in _list.decode(orders)]
        if orders is not None:
            return [(key, bytes(raw)) for key, raw in _members.decode(orders).items()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{name} is not the JSON of orders: {error}") from None
    if form_of(body):
        return [("", body)]
    if members and all(bytes(raw)[:1] == b"{" for raw in members.values()):
        return [(key, bytes(raw)) for key, raw in members.items()]
    raise Unusable(f"{name} holds no orders", 'send a list, {"orders": [...]}, or one order per line')


_OWN_MARKS = frozenset(("reference", "lines"))
_MARKS: tuple[tuple[str, frozenset[str]], ...] = (
    ("karrio", frozenset(("order_id", "line_items", "shipping_to"))),
    ("brevo", frozenset(("createdAt", "updatedAt", "amount", "identifiers", "storeId"))),
    (
        "centra",
        frozenset(("invoiceAddress", "deliveryAddress", "orderNumber", "shippingValue", "orderDate", "voucherCodes")),
    ),
)


def form_of(document: bytes) -> str:
    """The contract (or our own form) whose members an order has most of; '' for nothing that is known."""
    try:
        names: Any = _members.decode(document).keys()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if names >= _OWN_MARKS:
        return OURS
    best = max(_MARKS, key=lambda mark: len(mark[1] & names))
    if best[1] & names:
        return best[0]
    if "products" in names:
        return "brevo" if "id" in names else "centra"
    return ""
