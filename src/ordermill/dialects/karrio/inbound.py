"""Karrio's requests to create orders, read: bytes -> Submission or Draft. Pure.

Each order is read twice at most. The fast pass is a typed decoder: it takes what is clean. Whatever it does not take,
or what `_odd` points at, goes to the second pass (mending), which forgives what the real server forgives, and finds
every problem instead of the first.
"""

from __future__ import annotations

import json
import re
from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Subnormal

import msgspec

from ordermill.core.batch import Draft, Problem, Submission
from ordermill.core.errors import Invalid, TooMany, Unreadable
from ordermill.core.order import NewOrder, OnExisting
from ordermill.dialects.karrio import wire
from ordermill.dialects.karrio.mending import mend, type_name
from ordermill.dialects.reading import DECODE_ERRORS, check_text, hash_of, unreadable

NAME = "karrio"
DEFAULT_SOURCE = "API"  # contract, section 3
UNFULFILLED = "unfulfilled"

_DAY = 86_400_000_000  # µs
_EPOCH_DAY = 719_163  # 1970-01-01 as a proleptic ordinal
_IDENTIFIER_CHARS = 254  # what an index can hold; a longer "e-mail" identifies nobody
_ZERO = Decimal(0)
# Money is exact, below 10^15 and in steps of no less than 10^-15, or it is no money: anything else raises. The second
# pass then says what is wrong. (Infinity and NaN pass through; _worth looks for them in the sum.)
_EXACT = Context(prec=64, Emax=14, Emin=-15, traps=[Inexact, InvalidOperation, Overflow, Subnormal, Clamped])
_add, _multiply = _EXACT.add, _EXACT.multiply
_PHONE_SIGNS = str.maketrans("", "", " -./()\u00a0")

_envelope = msgspec.json.Decoder(wire.Envelope)
_anything = msgspec.json.Decoder(msgspec.Raw)
_pack = msgspec.msgpack.Encoder(order="deterministic").encode  # for the hash: half as long on the way as JSON
_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
# Half of a surrogate pair, as an escape. It is legal JSON, but no text: the decoder would refuse the whole body for it.
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class NotPlain(Exception):
    """The fast pass cannot answer for this order; the second one will."""


class Reader:
    """Reads orders by one set of rules. Holds no state but its decoder."""

    def __init__(self, rules: wire.Rules, decoder: msgspec.json.Decoder[wire.Order], orders_max: int) -> None:
        self.rules = rules
        self.orders_max = orders_max
        self._decode = decoder.decode

    def read_batch(self, body: bytes, *, now: int, source: str = "") -> Submission:
        """The body of a batch. Raises Unreadable, Invalid or TooMany for its envelope; a bad order is a Draft.

        `now`: µs since 1970 UTC. `source`: the source of orders that name none ('': the contract's "API").
        """
        drafts = tuple(
            self.read_draft(str(position), bytes(raw), now=now, source=source)
            for position, raw in enumerate(self.read_envelope(body))
        )
        return Submission(dialect=NAME, drafts=drafts, source=source, size_bytes=len(body))

    def read_envelope(self, body: bytes) -> list[msgspec.Raw]:
        """The orders of a batch, each as sent (contract, section 3). Raises Unreadable, Invalid or TooMany."""
        check_text(body)
        try:
            orders = _envelope.decode(body or b"{}").orders
        except DECODE_ERRORS as error:
            orders = _with_half_pairs(body) or _refuse_envelope(body, error)
        if not orders:
            raise invalid("orders.non_field_errors", "empty", "This list may not be empty.")
        if len(orders) > self.orders_max:
            raise TooMany(f"Ensure this field has no more than {self.orders_max} elements.", field="orders")
        _check_given_once(body, orders)
        return orders

    def read_single(self, body: bytes, *, now: int) -> Draft:
        """The body of a call for one order (contract, section 5). Raises Unreadable when it is not JSON at all."""
        body = body or b"{}"
        check_json(body)
        return self.read_draft("0", body, now=now)

    def read_draft(self, key: str, document: bytes, *, now: int, source: str = "") -> Draft:
        """One order's JSON. Never raises: a bad order is a Draft with all its problems, their fields relative to it."""
        try:
            order = self._decode(document)
            if _odd(order, document):
                return self._second_pass(key, document, now, source)
            return Draft(key, new_order(order, document.decode(), now=now, source=source), (), "", order.order_id)
        except (NotPlain, ArithmeticError, *DECODE_ERRORS):
            return self._second_pass(key, document, now, source)

    def read_order(self, document: bytes) -> wire.Order:
        """An order that was accepted before, as its fields say. Raises ValueError when it is none."""
        try:
            order = self._decode(document)
            if not _odd(order, document):
                return order
        except DECODE_ERRORS:
            pass
        value, problems = mend(document, self.rules)
        if problems:
            raise ValueError(f"not an order of this dialect: {problems[0].field}: {problems[0].message}")
        return self._decode(_encode(value))

    def _second_pass(self, key: str, document: bytes, now: int, source: str) -> Draft:
        value, problems = mend(document, self.rules)
        text = document.decode(errors="replace")
        if not problems:
            try:
                order = self._decode(_encode(value))
                # The document stays as sent: reading it back goes through the same two passes.
                return Draft(key, new_order(order, text, now=now, source=source), (), "", order.order_id)
            except (NotPlain, ArithmeticError, *DECODE_ERRORS):
                problems = (_sum_out_of_range(),)
        reference = value.get("order_id")
        return Draft(key, None, problems, text, reference if isinstance(reference, str) else "")


# Reads back what was accepted, whatever the rules are by now.
STORED = Reader(wire.NO_RULES, wire.lenient_decoder(), 1)


def check_json(body: bytes) -> None:
    """Raises Unreadable unless the body is JSON text. Half surrogate pairs are left to whoever reads it."""
    check_text(body)
    try:
        _anything.decode(_HALF.sub(b"\\\\u0000", body))
    except DECODE_ERRORS as error:
        raise unreadable(error) from error


def new_order(order: wire.Order, document: str, *, now: int, source: str = "", status: str = UNFULFILLED) -> NewOrder:
    """The facts of one order. Raises NotPlain or ArithmeticError for money that is no plain decimal of 15 digits."""
    amount, currency = _worth(order)
    day = order.order_date
    return NewOrder(
        dialect=NAME,
        source=order.source or source or DEFAULT_SOURCE,
        reference=order.order_id,
        status=status,
        # A blank or missing date is today (contract, section 3).
        placed_at=now - now % _DAY if day is None else (day.toordinal() - _EPOCH_DAY) * _DAY,
        updated_at=None,
        amount=amount,
        currency=currency,
        identifiers=_identifiers(order.shipping_to),
        content_hash=hash_content(order, status),
        document=document,
        on_existing=OnExisting.KEEP,
    )


def hash_content(order: wire.Order, status: str = UNFULFILLED) -> int:
    """A signed 64-bit number over what the merchant said; layout, order of names, and null for absent do not count."""
    content = order if status == UNFULFILLED else (status, order)
    try:
        said = _pack(content)
    except OverflowError:  # an integer beyond 64 bits in a free object
        said = _encode(content)
    return hash_of(said)


def _worth(order: wire.Order) -> tuple[str | None, str | None]:
    """(amount, currency). No amount unless every line has a value, and all are in the order's one currency."""
    chosen = currency = _option_currency(order.options) if order.options else None
    total = _ZERO
    known, mixed = True, False
    for line in order.line_items:
        of_line = line.value_currency
        if of_line != currency and of_line is not None:
            if currency is None and not mixed:
                currency = of_line
            else:
                currency, known, mixed = chosen, False, True
        value = line.value_amount
        if value is None:
            known = False
        else:
            quantity = line.quantity
            total = _add(total, value if quantity == 1 else _multiply(value, quantity))
    if not total.is_finite():
        raise NotPlain
    return (format(total, "f") if known else None), currency


def _option_currency(options: dict[str, object]) -> str | None:
    currency = options.get("currency")
    if isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha():
        return currency.upper()
    return None


def _identifiers(address: wire.Address) -> tuple[tuple[str, str], ...]:
    """E-mail in lower case, phone without the signs that people put between digits."""
    email = address.email
    phone = address.phone_number
    if phone and not phone[1:].isdigit():
        phone = phone.translate(_PHONE_SIGNS)
    if not email or len(email) > _IDENTIFIER_CHARS:
        return (("phone", phone),) if phone else ()
    if not phone:
        return (("email", email.casefold()),)
    return (("email", email.casefold()), ("phone", phone))


def _odd(order: wire.Order, document: bytes) -> bool:
    """Whether the second pass must look: outer blanks, NUL, a name that decides given twice, nesting.

    A false alarm costs time, not an order (but for integers beyond 64 bits in it, which the second pass refuses). The
    texts are asked one by one because that was measured to be the cheapest way: `strip` gives back the very same
    object when there is nothing to strip.
    """
    if b"\\" in document and b"\\u0000" in document:
        return True
    if document.count(b'"order_id"') > 1 or document.count(b'"line_items"') > 1:
        return True
    if (s := order.order_id).strip() is not s or (s := order.source).strip() is not s:
        return True
    for line in order.line_items:
        if (
            ((t := line.title) and t.strip() is not t)
            or ((t := line.sku) and t.strip() is not t)
            or ((t := line.description) and t.strip() is not t)
            or ((t := line.hs_code) and t.strip() is not t)
            or ((t := line.parent_id) and t.strip() is not t)
        ):
            return True
    return (
        _untrimmed(order.shipping_to)
        or (order.shipping_from is not None and _untrimmed(order.shipping_from))
        or (order.billing_address is not None and _untrimmed(order.billing_address))
        or _nested(order.metadata, document)
        or (order.options is not None and _nested(order.options, document))
    )


def _untrimmed(a: wire.Address) -> bool:
    return bool(
        ((s := a.postal_code) and s.strip() is not s)
        or ((s := a.city) and s.strip() is not s)
        or ((s := a.person_name) and s.strip() is not s)
        or ((s := a.company_name) and s.strip() is not s)
        or ((s := a.email) and s.strip() is not s)
        or ((s := a.phone_number) and s.strip() is not s)
        or ((s := a.address_line1) and s.strip() is not s)
        or ((s := a.address_line2) and s.strip() is not s)
        or ((s := a.state_code) and s.strip() is not s)
        or ((s := a.street_number) and s.strip() is not s)
        or ((s := a.federal_tax_id) and s.strip() is not s)
        or ((s := a.state_tax_id) and s.strip() is not s)
    )


_BRACKETS_UNSUSPECTED = 60


def _nested(free: dict[str, object], document: bytes) -> bool:
    """Whether a free object may be nested too deeply: it holds another, and the order has many brackets."""
    for value in free.values():
        if type(value) is dict or type(value) is list:
            return document.count(b"{") + document.count(b"[") > _BRACKETS_UNSUSPECTED
    return False


def _with_half_pairs(body: bytes) -> list[msgspec.Raw] | None:
    """The orders of a body that is sound but for half surrogate pairs, which then belong to single orders.

    A cut-off emoji is no reason to refuse a thousand orders. Each half is covered by a NUL escape of the same length,
    which finds the orders' places; what is returned are the bytes as sent.
    """
    covered = _HALF.sub(b"\\\\u0000", body)
    if covered == body:
        return None
    try:
        orders = _envelope.decode(covered).orders
    except DECODE_ERRORS:
        return None
    found, start = [], 0
    for order in map(bytes, orders):
        start = covered.index(order, start)
        found.append(msgspec.Raw(body[start : start + len(order)]))
        start += len(order)
    return found


def _refuse_envelope(body: bytes, error: Exception) -> list[msgspec.Raw]:
    """Says in the contract's words what is wrong with an envelope (contract, sections 2 and 3). Always raises."""
    if not isinstance(error, msgspec.ValidationError):
        raise unreadable(error) from error
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as worse:  # the typed decoder had stopped before it got there
        raise unreadable(worse) from worse
    if not isinstance(value, dict):
        kind = type_name(value)
        raise invalid("non_field_errors", "not_an_object", f"Invalid data. Expected a dictionary, but got {kind}.")
    if "orders" not in value:
        raise invalid("orders", "required", "This field is required.")
    orders = value["orders"]
    if orders is None:
        raise invalid("orders", "null", "This field may not be null.")
    if isinstance(orders, list):
        raise _repeated()
    kind = type_name(orders)
    raise invalid("orders.non_field_errors", "not_a_list", f'Expected a list of items but got type "{kind}".')


def _check_given_once(body: bytes, orders: list[msgspec.Raw]) -> None:
    """Refuses a body that names its list twice: a decoder would drop one of them without a trace."""
    name = b'"orders"'
    if body.count(name) <= 1 or body.count(name) <= 1 + sum(bytes(raw).count(name) for raw in orders):
        return
    outermost: list[str] = []

    def keep(pairs: list[tuple[str, object]]) -> None:
        outermost[:] = [name for name, _ in pairs]

    try:
        json.loads(body, object_pairs_hook=keep)
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply") from error
    if outermost.count("orders") > 1:
        raise _repeated()


def _repeated() -> Invalid:
    return invalid("orders", "repeated", 'The name "orders" is given more than once.')


def invalid(field: str, code: str, message: str) -> Invalid:
    """A Refusal for one fault of a whole request, in the contract's words."""
    problem = Problem(code=code, field=field, message=message, contract_code="validation")
    return Invalid(message, field=field, problems=(problem,))


def _sum_out_of_range() -> Problem:
    return Problem(
        code="out_of_range",
        field="line_items",
        message="Ensure that there are no more than 15 digits before the decimal point.",
        hint="This is the sum of value_amount times quantity.",
        contract_code="validation",
    )
