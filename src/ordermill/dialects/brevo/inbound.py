"""Brevo's bodies -> Submission. Pure.

A clean order takes the fast pass: one typed decode, one look over its products. Whatever that pass cannot vouch for
takes the close look, a strict reading that either makes a good order of it after all or names all of its problems.
Both end in the same struct, so equal content has an equal hash whichever way it was read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from ordermill.core.batch import Draft, ErrorPolicy, Problem, Submission
from ordermill.core.errors import TooMany, Unreadable
from ordermill.core.limits import Limits
from ordermill.core.order import NewOrder, OnExisting
from ordermill.dialects.brevo import lenient, wire
from ordermill.dialects.brevo import problems as told
from ordermill.dialects.reading import (
    DECODE_ERRORS,
    Oddity,
    check_text,
    hash_of,
    instant,
    strict_json,
    unreadable,
)

LIMITS = Limits()
NOTIFY_URL_CHARS = 2_000
EXPLAINED_BYTES = 256 * 1024  # a larger body that is no JSON is not read a second time for a better message

# These tell which order it is, its money and its goods; each further name costs 0.3 ms on a batch of 1,000 orders.
_ONCE = (b'"id"', b'"amount"', b'"products"')
# A text that hides U+0000, or spells a letter of a name as an escape, which no encoder does.
_SUSPICIOUS = re.compile(r"\\u00(?:00|[4-7])").search
_UPDATE = OnExisting.UPDATE  # a name of the module is found five times faster than a member of an enum
_TINY = 1e-15  # below, a double may hide an exponent of any size
_EXPONENT = re.compile(r"[:\s]-?\d[\d.]*[eE][-+]?\d").search

_envelope_decoder = msgspec.json.Decoder(wire.Envelope)
_order_decoder: msgspec.json.Decoder[wire.Order[float]] = msgspec.json.Decoder(wire.RoughOrder)
# For the hash: an eighth shorter on the way than JSON. The members of a mapping may come in any order.
_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Options(msgspec.Struct, frozen=True):
    """What a batch says besides its orders. `odd`: every order needs a look of its own at repeated names."""

    announce: bool
    notify_url: str | None
    odd: bool


# ----------------------------------------------------------------------------------------------------- whole requests


def read_batch(
    body: bytes,
    *,
    now: int,
    source: str = "",
    limits: Limits = LIMITS,
    policy: ErrorPolicy = ErrorPolicy.ACCEPT_VALID,
) -> Submission:
    """POST /orders/status/batch (contract section 6). Raises Unreadable, TooMany or Invalid for a bad envelope.

    Brevo has no name space of its own for order ids, so `source` is not used; nor is `now`: every order has its dates.
    """
    options, raws = read_envelope(body, limits)
    drafts = map(draft_reader(options, limits), enumerate(raws))
    return write_submission(options, drafts, size_bytes=len(body), policy=policy)


def write_submission(options: Options, drafts: Iterable[Draft], *, size_bytes: int, policy: ErrorPolicy) -> Submission:
    """The submission of a batch, its drafts in the order of the request."""
    return Submission(
        dialect=wire.NAME,
        drafts=tuple(drafts),
        announce=options.announce,
        notify_url=options.notify_url,
        policy=policy,
        size_bytes=size_bytes,
    )


def read_envelope(body: bytes, limits: Limits = LIMITS) -> tuple[Options, list[msgspec.Raw]]:
    """What the batch says as a whole, and its orders, undecoded. `historical` is true unless said otherwise.

    Raises Unreadable (not JSON, not an object, a repeated name), TooMany, or Invalid with all problems of the envelope.
    """
    check_text(body)
    envelope = _read_members(body)
    if len(envelope.orders) > limits.brevo_orders:
        raise TooMany(
            f"orders: {len(envelope.orders)} orders in one batch, at most {limits.brevo_orders} are accepted",
            field="orders",
            hint="split the batch",
        )
    odd = any(body.count(name) != len(envelope.orders) for name in _ONCE)
    _check_names(body, envelope.orders, odd)
    return Options(envelope.historical is False, envelope.notifyUrl, odd), envelope.orders


def _read_members(body: bytes) -> wire.Envelope:
    try:
        envelope = _envelope_decoder.decode(body)
    except msgspec.ValidationError:
        envelope = None
    except DECODE_ERRORS as error:
        raise _explain(body, error) from error
    problems = [] if envelope is not None and envelope.orders else _envelope_problems(body)
    if envelope is not None and envelope.notifyUrl is not None and not is_http_url(envelope.notifyUrl):
        problems.append(
            told.problem(
                "invalid_url",
                "expected an http or https URL with a host",
                "notifyUrl",
                envelope.notifyUrl,
                hint="percent-encode everything but printable ASCII; no user name, no password",
            )
        )
    if problems:
        raise told.refuse(problems)
    if envelope is None:  # its last words are in order, so there must have been earlier ones
        _refuse_repeated(_top_names(body))
        raise Unreadable("the body is not a batch of orders")
    return envelope


def _explain(body: bytes, error: Exception) -> Unreadable:
    """Why a body is no JSON, with line and column while it is small enough to be read once more."""
    if len(body) <= EXPLAINED_BYTES:
        try:
            strict_json(body)
        except Oddity as oddity:
            return Unreadable(f"the body cannot be read: {oddity}", field=told.printable(oddity.field))
    return unreadable(error)


def _envelope_problems(body: bytes) -> list[Problem]:
    try:
        members = _members_decoder.decode(body)
    except DECODE_ERRORS as error:
        raise Unreadable("the body is not a JSON object", hint='send {"orders": [...]}') from error
    problems = []
    orders = members.get("orders")
    if orders is None or bytes(orders) == b"null":
        problems.append(told.missing("orders"))
    elif not _decodes(orders, list[msgspec.Raw]):
        problems.append(told.wrong_type("orders", "a list", _glance(orders)))
    elif msgspec.json.decode(orders, type=list[msgspec.Raw]) == []:
        problems.append(told.problem("empty", "the list is empty", "orders", "[]", hint="send at least one order"))
    if not _decodes(members.get("historical"), bool | None):
        problems.append(told.wrong_type("historical", "true or false", _glance(members["historical"])))
    if not _decodes(members.get("notifyUrl"), str | None):
        problems.append(told.wrong_type("notifyUrl", "a text", _glance(members["notifyUrl"])))
    return problems


def _decodes(raw: msgspec.Raw | None, kind: Any) -> bool:
    try:
        return raw is None or msgspec.json.decode(raw, type=kind) is not raw
    except DECODE_ERRORS:
        return False


def _glance(raw: msgspec.Raw) -> Any:
    """A short look at a value of the wrong kind, however large it is."""
    try:
        return msgspec.json.decode(raw)
    except DECODE_ERRORS:
        return "…"


def _check_names(body: bytes, orders: list[msgspec.Raw], odd: bool) -> None:
    """Refuses a name that the envelope gives twice: a decoder would silently drop the first `orders`.

    What surrounds the orders is small, and valid JSON without them. Should an order look like something before it, the
    cut goes wrong and the whole body is read instead; an order that is cut out with it makes the count of names odd.
    """
    around = body
    if orders:
        last = bytes(orders[-1])
        around = body[: body.find(bytes(orders[0]))] + body[body.rfind(last) + len(last) :]
    try:
        strict_json(around)
        sure = not odd or (body.count(b'"orders"') == 1 and b"\\u00" not in body)
    except Oddity:
        sure = False
    if not sure:
        _refuse_repeated(_top_names(body))


def _refuse_repeated(names: list[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        name = told.printable(twice)
        raise Unreadable(f"{name}: the name is given more than once", field=name)


def _top_names(body: bytes) -> list[str]:
    def names(pairs: list[tuple[str, Any]]) -> list[str]:
        return [name for name, _ in pairs]

    try:
        found = json.loads(body, object_pairs_hook=names, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise unreadable(error) from error
    return cast("list[str]", found)


def is_http_url(url: str) -> bool:
    """Whether events could be sent to `url` as far as its spelling goes: http or https, a host, nothing ambiguous."""
    if len(url) > NOTIFY_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return bool(
        parts.scheme in ("http", "https")
        and parts.hostname
        and "@" not in parts.netloc
        and "%" not in parts.netloc
        and port != 0
    )


# ---------------------------------------------------------------------------------------------------------- one order


def draft_reader(options: Options, limits: Limits = LIMITS) -> Callable[[tuple[int, msgspec.Raw]], Draft]:
    """Reads the (index, order) pairs of one batch; never raises."""
    odd = options.odd

    def read(entry: tuple[int, msgspec.Raw]) -> Draft:
        index, raw = entry
        if odd:
            return read_draft(str(index), bytes(raw), limits=limits)
        return _read_clean(str(index), raw, limits) or _read_closely(str(index), bytes(raw), limits)

    return read


def read_draft(key: str, document: bytes, *, now: int = 0, source: str = "", limits: Limits = LIMITS) -> Draft:
    """One order (contract section 4) -> Draft. Never raises. `now` and `source` mean nothing here (see read_batch)."""
    draft = None
    if all(document.count(name) == 1 for name in _ONCE):
        draft = _read_clean(key, document, limits)
    return draft or _read_closely(key, document, limits)


def _read_clean(key: str, raw: bytes | msgspec.Raw, limits: Limits) -> Draft | None:
    """The fast pass. None: not clean, take the close look."""
    try:
        order = _order_decoder.decode(raw)
        document = str(raw, "utf-8")
        digits = str(order.amount, "ascii")
        amount = lenient.plain_amount(digits)
        placed_at, updated_at = instant(order.createdAt), instant(order.updatedAt)
    except (*DECODE_ERRORS, ValueError):
        return None
    if amount is None or ("\\" in document and _SUSPICIOUS(document)):
        return None
    quantities = _look_at_products(order, document, limits)
    if quantities is None:
        return None
    _settle_spelling(order, amount, digits)
    return _accept(key, order, document, amount, placed_at, updated_at, quantities)


def _look_at_products(order: wire.Order[float], document: str, limits: Limits) -> bool | None:
    """Whether every product has a quantity. None: something here needs the close look."""
    if len(order.products) > limits.lines_per_order:
        return None
    if order.metaInfo is not None and len(order.metaInfo) > limits.metadata_keys:
        return None
    complete, tiny = True, False
    for product in order.products:
        exact = product.quantityFloat
        if exact is None:
            if not product.quantity:
                complete = False
        else:
            if exact and product.quantity:
                return None
            complete = complete and bool(exact or product.quantity)
            tiny = tiny or -_TINY < exact < _TINY
        if -_TINY < product.price < _TINY:
            tiny = True
    if tiny and _EXPONENT(document):
        return None
    return complete


def _accept(
    key: str,
    order: wire.Order[float],
    document: str,
    amount: str,
    placed_at: int,
    updated_at: int,
    quantities: bool,
) -> Draft:
    identifiers = _read_identifiers(order)
    if quantities and identifiers:
        warnings: tuple[str, ...] = ()
    else:
        warnings = (() if identifiers else ("no_identifier",)) + (() if quantities else ("no_quantity",))
    new = NewOrder(
        dialect=wire.NAME,
        source="",
        reference=order.id,
        status=order.status,
        placed_at=placed_at,
        updated_at=updated_at,
        amount=amount,
        currency=None,
        identifiers=identifiers,
        content_hash=hash_of(_pack(order)),
        document=document,
        on_existing=_UPDATE,
        warnings=warnings,
    )
    return Draft(key, new, (), "", order.id)


def _read_identifiers(order: wire.Order[float]) -> tuple[tuple[str, str], ...]:
    """Who the order belongs to, strongest first. The billing phone counts only when nothing else is known."""
    found = []
    who = order.identifiers
    email = order.email if who is None else who.email_id or order.email
    if email and (email := email.strip()):
        found.append(("email", email.casefold()))
    if who is not None:
        if who.ext_id and (ext := who.ext_id.strip()):
            found.append(("ext", ext))
        if who.phone_id and (phone := who.phone_id.strip()):
            found.append(("phone", phone))
        if who.loyalty_subscription_id and (loyalty := who.loyalty_subscription_id.strip()):
            found.append(("loyalty", loyalty))
    if not found and order.billing is not None and order.billing.phone and (phone := order.billing.phone.strip()):
        found.append(("phone", phone))
    return tuple(found)


def _settle_spelling(order: wire.Order[float], amount: str, digits: str) -> None:
    """One spelling for what means the same, so that equal content has an equal hash. `digits`: the amount as sent."""
    shortest = amount.rstrip("0").rstrip(".") if amount[-1] == "0" and "." in amount else amount
    if shortest != digits:
        order.amount = msgspec.Raw(shortest.encode())
    if order.createdAt.tzinfo is not UTC:
        order.createdAt = order.createdAt.astimezone(UTC)
    if order.updatedAt.tzinfo is not UTC:
        order.updatedAt = order.updatedAt.astimezone(UTC)
    if order.coupons:
        folded = [coupon.casefold() for coupon in order.coupons]
        order.coupons = folded if len(folded) == 1 else list(dict.fromkeys(folded))


def _read_closely(key: str, document: bytes, limits: Limits) -> Draft:
    look = lenient.read_exactly(document, limits)
    text = document.decode("utf-8", "replace")
    if look.order is None:
        # A database may not be able to keep U+0000, and JSON has no honest use for it.
        return Draft(key, None, look.problems, text.replace("\0", "\ufffd"), look.reference)
    order = lenient.roughen(look.order)
    digits = bytes(look.order.amount).decode()
    amount = lenient.plain_amount(digits)
    assert amount is not None
    _settle_spelling(order, amount, digits)
    quantities = all(product.quantity or product.quantityFloat for product in look.order.products)
    return _accept(key, order, text, amount, instant(order.createdAt), instant(order.updatedAt), quantities)
