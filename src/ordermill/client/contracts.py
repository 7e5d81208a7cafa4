"""How each contract is sent a batch, and what its answer says of every single order. The server need not be ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ordermill.client.steps import Answer, Call

ORDERS_MAX = 1_000
BYTES_MAX = 5_000_000


class Sent(msgspec.Struct, frozen=True):
    """One order of a push: the client's own name for it, and its JSON."""

    key: str
    document: bytes


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order was not taken, as the server told it."""

    code: str
    message: str
    field: str = ""
    value: str | None = None
    hint: str = ""


_UNANSWERED: tuple[Trouble, ...] = (Trouble(code="unanswered", message="the server said nothing of this order"),)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says. `failed`: index of an order -> its troubles. `whole`: the batch was refused as a whole, and
    nothing of it was taken. `batch`: what the server calls it."""

    failed: dict[int, tuple[Trouble, ...]] = {}
    whole: tuple[Trouble, ...] = ()
    batch: str = ""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """One contract. `prefix`: where it stands on a server whose address has no path of its own."""

    name: str
    prefix: str
    path: str
    key_header: Callable[[str], tuple[str, str]]
    write: Callable[[Sequence[Sent], bool], bytes]
    read: Callable[[Sequence[Sent], Answer], Verdict]
    around_bytes: int  # what the envelope adds to its orders, and each order's name or comma


def call_of(wire: Wire, orders: Sequence[Sent], key: str, *, historical: bool, memo: str, timeout_s: float) -> Call:
    headers = (("Content-Type", "application/json"), wire.key_header(key), ("Idempotency-Key", memo))
    return Call(
        method="POST", path=wire.path, headers=headers, body=wire.write(orders, historical), timeout_s=timeout_s
    )


def base_url(wire: Wire, url: str) -> str:
    """The contract's own address: told in full, or the server's, where the contract stands at its usual place."""
    return url.rstrip("/") if urlsplit(url).path.strip("/") else url.rstrip("/") + wire.prefix


# -- Brevo ------------------------------------------------------------------------------------------------------------

_ORDER_PATH = re.compile(r"orders\[(\d+)\]\.?(.*)", re.DOTALL)


def _write_brevo(orders: Sequence[Sent], historical: bool) -> bytes:
    said = b"true" if historical else b"false"
    return b'{"historical":' + said + b',"orders":[' + b",".join(order.document for order in orders) + b"]}"


def _read_brevo(orders: Sequence[Sent], answer: Answer) -> Verdict:
    """202 takes all of them; 400 none, naming those at fault where the server does so."""
    if answer.status < 300:
        said = _json(answer)
        return Verdict(batch=str(said.get("batchId") or said.get("batch_id") or ""))
    said = _json(answer)
    failed: dict[int, list[Trouble]] = {}
    errors = said.get("errors")
    for error in errors if isinstance(errors, list) and errors else [said]:
        if not isinstance(error, dict):
            continue
        field, message = str(error.get("field") or ""), str(error.get("message") or "")
        found = _ORDER_PATH.match(field or message)
        if found and int(found[1]) < len(orders):
            rest = found[2] if field else found[2].partition(":")[0]
            trouble = Trouble(code=str(error.get("code") or "invalid"), message=message, field=rest)
            failed.setdefault(int(found[1]), []).append(trouble)
    whole = (Trouble(code=str(said.get("code") or "refused"), message=_message(said, answer)),)
    return Verdict(failed={index: tuple(troubles) for index, troubles in failed.items()}, whole=whole)


# -- Karrio -----------------------------------------------------------------------------------------------------------


def _write_karrio(orders: Sequence[Sent], historical: bool) -> bytes:
    return b'{"orders":[' + b",".join(order.document for order in orders) + b"]}"


def _read_karrio(orders: Sequence[Sent], answer: Answer) -> Verdict:
    """200 with a resource for each order, in order; each stands alone. A refusal names `orders[i]` paths, or none."""
    said = _json(answer)
    if answer.status < 300:
        resources = said.get("resources")
        resources = resources if isinstance(resources, list) else []
        failed = {index: _UNANSWERED for index in range(len(resources), len(orders))}
        for index, resource in enumerate(resources[: len(orders)]):
            if not isinstance(resource, dict):
                failed[index] = _UNANSWERED
            elif resource.get("status") == "failed":
                failed[index] = _karrio_troubles(resource.get("errors"))
        return Verdict(failed=failed, batch=str(said.get("id") or ""))
    failed_by: dict[int, list[Trouble]] = {}
    errors = said.get("errors")
    for error in errors if isinstance(errors, list) else []:
        details = error.get("details") if isinstance(error, dict) else None
        for path, texts in details.items() if isinstance(details, dict) else ():
            found = _ORDER_PATH.match(path)
            if found and int(found[1]) < len(orders):
                trouble = Trouble(code=str(error.get("code") or "invalid"), message=_joined(texts), field=found[2])
                failed_by.setdefault(int(found[1]), []).append(trouble)
    whole = (Trouble(code="refused", message=_message(said, answer)),)
    return Verdict(failed={index: tuple(troubles) for index, troubles in failed_by.items()}, whole=whole)


def _karrio_troubles(errors: Any) -> tuple[Trouble, ...]:
    if isinstance(errors, dict) and errors:
        return tuple(Trouble(code="invalid", message=_joined(texts), field=path) for path, texts in errors.items())
    if isinstance(errors, list) and errors:
        return tuple(Trouble(code="invalid", message=_joined(error)) for error in errors)
    return (Trouble(code="failed", message="the server did not say why"),)


def _joined(texts: Any) -> str:
    if isinstance(texts, list):
        return " ".join(map(_joined, texts))
    if isinstance(texts, dict):
        return str(texts.get("message") or texts)
    return str(texts)


# -- Centra -----------------------------------------------------------------------------------------------------------


def _write_centra(orders: Sequence[Sent], historical: bool) -> bytes:
    named = (b'"o%d":%b' % (index, order.document) for index, order in enumerate(orders))
    return b"{" + b",".join(named) + b"}"


def _read_centra(orders: Sequence[Sent], answer: Answer) -> Verdict:
    """200 with `ok` or `no` under each name."""
    said = _json(answer)
    if answer.status >= 300 or said.get("status") == "no":
        return Verdict(whole=(Trouble(code="refused", message=_message(said, answer)),))
    failed = {}
    for index in range(len(orders)):
        entry = said.get(f"o{index}")
        if not isinstance(entry, dict):
            failed[index] = _UNANSWERED
        elif entry.get("status") != "ok":
            failed[index] = _centra_troubles(entry)
    return Verdict(failed=failed)


def _centra_troubles(entry: dict[str, Any]) -> tuple[Trouble, ...]:
    errors = entry.get("errors")
    message = str(entry.get("msg") or "refused")
    if isinstance(errors, dict) and errors:
        return tuple(
            Trouble(code=str(entry.get("code") or "invalid"), message=_joined(texts) or message, field=str(field))
            for field, texts in errors.items()
        )
    return (Trouble(code=str(entry.get("code") or "invalid"), message=message),)


def _json(answer: Answer) -> dict[str, Any]:
    try:
        said = answer.json()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return said if isinstance(said, dict) else {}


def _message(said: dict[str, Any], answer: Answer) -> str:
    message = said.get("message") or said.get("msg") or said.get("detail")
    errors = said.get("errors")
    if not message and isinstance(errors, list) and errors and isinstance(errors[0], dict):
        message = errors[0].get("message")
    return (
        f"HTTP {answer.status}: {message or answer.body[:200].decode('utf-8', 'replace') or 'no word of explanation'}"
    )


WIRES = {
    "brevo": Wire(
        name="brevo", prefix="/v3", path="/orders/status/batch", key_header=lambda key: ("api-key", key),
        write=_write_brevo, read=_read_brevo, around_bytes=2,
    ),
    "karrio": Wire(
        name="karrio", prefix="/v1", path="/batches/orders", key_header=lambda key: ("Authorization", f"Token {key}"),
        write=_write_karrio, read=_read_karrio, around_bytes=2,
    ),
    "centra": Wire(
        name="centra", prefix="/centra", path="/orders", key_header=lambda key: ("API-Authorization", key),
        write=_write_centra, read=_read_centra, around_bytes=12,
    ),
}  # fmt: skip
