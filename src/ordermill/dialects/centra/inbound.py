"""Centra's bytes -> Submission, Draft, OrderQuery; pure. Clean orders take a fast typed pass, the rest lenient.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

import msgspec
from msgspec import Raw

from ordermill.core.batch import Draft, Problem, Submission
from ordermill.core.errors import TooMany, Unreadable
from ordermill.core.order import NewOrder, OnExisting
from ordermill.dialects.centra import lenient, wire
from ordermill.dialects.centra.dates import instant_of, read_date
from ordermill.dialects.centra.money import TOTAL_CENTS_MAX, amount_text
from ordermill.dialects.centra.scalars import GENERAL, shown
from ordermill.dialects.centra.settings import DEFAULT_RULES, STORE, Rules
from ordermill.dialects.reading import DECODE_ERRORS, check_text, hash_of, unreadable

DIALECT = "centra"
PHONE_MAX = 64

_BOM = b"\xef\xbb\xbf"
_UNVERIFIED = ("unverified",)
_encode = wire.ENCODER.encode
_decode = wire.ORDER.decode
_REFUSE = OnExisting.REFUSE  # a name of the module is found five times faster than a member of an enum

# U+0000, or a letter of a name spelled as an escape (which would hide a name from _ambiguous).
_ODD_ESCAPE = re.compile(rb"\\u00(?:00|[4-7])")
_ONCE = (b'"products"', b'"orderNumber"', b'"createOnly"', b'"orderDate"', b'"shippingValue"', b'"voucherValue"')
_NOT_IN_PHONE = {ord(char): None for char in "-()./\u2010\u2011\u2013"}


class Facts(msgspec.Struct, frozen=True, gc=False):
    """A good order with what was found out on the way.

    `said`: the order in canonical JSON. `cents`: the grand total. `unpriced`: a line has no price at all (A5).
    """

    order: wire.Order
    said: bytes
    cents: int
    email: str | None
    phone: str | None
    unpriced: bool


# -- the body ---------------------------------------------------------------------------------------------------------


def read_text(body: bytes) -> bytes:
    """The body without a byte order mark (contract section 1). Raises Unreadable when it is not UTF-8."""
    body = body.removeprefix(_BOM)
    check_text(body)
    return body


def read_pairs(body: bytes) -> list[tuple[str, Raw]]:
    """Every member of the object as sent, repeated names included. Raises Unreadable for any other body.

    Each name decodes to an object of its own (wire.Name), so that a repeated one cannot push another out of the dict:
    that costs a fifth of a microsecond per order, and no second look at the bytes.
    """
    try:
        members = wire.BATCH.decode(body)
    except msgspec.ValidationError as error:
        raise Unreadable("the body must be a JSON object with a name for each order") from error
    except DECODE_ERRORS as error:
        raise unreadable(error) from error
    return [(name.text, document) for name, document in members.items()]


def read_envelope(body: bytes, rules: Rules = DEFAULT_RULES) -> tuple[list[tuple[str, Raw]], frozenset[str]]:
    """The batch's members in request order, each name once, and the names that were sent more than once.

    Of a repeated name the first value is given; none of its values may become an order (contract section 2).
    Raises Unreadable for a body that is no such object, TooMany for more members than `rules.orders_max`.
    """
    pairs = read_pairs(read_text(body))
    if len(pairs) > rules.orders_max:
        raise TooMany(f"the request holds {len(pairs)} orders, at most {rules.orders_max} are taken at once")
    first = dict(reversed(pairs))
    _check_names(first, rules)
    if len(first) == len(pairs):
        return pairs, frozenset()
    times = Counter(name for name, _ in pairs)
    return [(name, first[name]) for name in times], frozenset(name for name in times if times[name] > 1)


def _check_names(names: Collection[str], rules: Rules) -> None:
    """Names are kept as they are, so what cannot be kept is refused: U+0000, and names without measure."""
    if names and max(map(len, names)) > rules.text_max:
        raise Unreadable(f"a name is longer than {rules.text_max} characters")
    if "\0" in "".join(names):
        raise Unreadable("a name holds the character U+0000")


def sent_twice(name: str, document: bytes | Raw) -> Draft:
    """What becomes of a name that was sent more than once."""
    problem = Problem(
        code="duplicate_name",
        message="this name was sent more than once in the request; none of its orders was created",
        value=shown(name),
        hint="send each order under a name of its own",
        contract_code=GENERAL,
    )
    return Draft(name, None, (problem,), lenient.readable(bytes(document)))


def read_batch(body: bytes, *, now: int, source: str = "", rules: Rules = DEFAULT_RULES) -> Submission:
    """A whole keyed batch. `source`: the store, '' for the default one. Raises Unreadable or TooMany."""
    pairs, repeated = read_envelope(body, rules)
    drafts = [
        sent_twice(name, document)
        if name in repeated
        else read_draft(name, document, now=now, source=source, rules=rules)
        for name, document in pairs
    ]
    return submission(drafts, source=source, size_bytes=len(body))


def submission(drafts: Iterable[Draft], *, source: str, size_bytes: int, single: bool = False) -> Submission:
    """What the core is asked to take in: each order stands alone, live, nobody else to be notified."""
    return Submission(
        dialect=DIALECT, drafts=tuple(drafts), single=single, source=source or STORE, size_bytes=size_bytes
    )


def read_object(body: bytes) -> bytes:
    """The body as the text of a JSON object. Raises Unreadable for anything else."""
    body = read_text(body)
    try:
        wire.VALUE.decode(body)
    except DECODE_ERRORS as error:
        raise unreadable(error) from error
    if not body.lstrip().startswith(b"{"):
        raise Unreadable("the body must be a JSON object")
    return body


def read_single(body: bytes, *, now: int, source: str = "", rules: Rules = DEFAULT_RULES) -> Draft:
    """The one order of POST order. Raises Unreadable when the body is not a JSON object at all."""
    body = read_object(body)
    return read_draft("order", body, now=now, source=source, rules=rules)


# -- one order --------------------------------------------------------------------------------------------------------


def read_draft(key: str, document: bytes | Raw, *, now: int, source: str = "", rules: Rules = DEFAULT_RULES) -> Draft:
    """One order's JSON -> Draft (contract section 3). `now`: µs since 1970 UTC. Never raises."""
    data = bytes(document)
    text = ""
    try:
        text = data.decode()  # the decoder passes over what is not UTF-8 in members it does not know
        facts = read_clean(data, rules)
    except UnicodeDecodeError:
        facts = None
    if facts is None:
        reading = lenient.read_order(data, rules)
        if reading.order is not None:
            facts = facts_of(reading.order)
        if facts is None:
            return Draft(key, None, reading.problems, lenient.readable(data), reading.reference)
    return Draft(key, new_order(facts, text, now, source or STORE, rules))


def read_clean(data: bytes, rules: Rules) -> Facts | None:
    """The order, when it is beyond doubt: right types, exact cents, plain names, all that is required. Else None."""
    try:
        order = _decode(data)
    except (*DECODE_ERRORS, ArithmeticError):  # the latter for an exponent that no Decimal can hold
        return None
    if b"\\" in data and _ODD_ESCAPE.search(data):
        return None
    facts = facts_of(order)
    if facts is None or not _lawful(facts, data, rules):
        return None
    if len(data) != len(facts.said) and _ambiguous(data, order.products, rules):
        return None
    return facts


def facts_of(order: wire.Order) -> Facts | None:
    """None when the order lacks what every order needs, or has an amount that is not exact hundredths.

    `round(price * 100) / 100 == price` holds only when the digits sent and that number of cents have the same nearest
    binary number, which below MONEY_MAX puts them less than half a cent apart: the cents are exact.
    """
    cents = 0
    unpriced = False
    for line in order.products:
        if not (line.sku or line.ean or line.id is not None or line.item or line.upc):
            return None
        price = line.unitPrice
        if price is None:
            price = line.originalPrice
            if price is None:
                unpriced = True
                continue
        part = round(price * 100)
        if part / 100 != price:
            return None
        cents += part * line.qty
    if price := order.shippingValue:
        cents += (part := round(price * 100))
        if part / 100 != price:
            return None
    if price := order.voucherValue:
        cents -= (part := round(price * 100))
        if part / 100 != price:
            return None
    return _facts(order, cents, unpriced)


def _facts(order: wire.Order, cents: int, unpriced: bool) -> Facts | None:
    """The e-mail address (A1: the invoice's, else that of `address`, else the delivery's) and telephone, likewise."""
    email = phone = None
    for address in (order.invoiceAddress, order.address, order.deliveryAddress):
        if address is not None:
            if address.email:
                if "@" not in address.email:
                    return None
                email = email or address.email
            phone = phone or address.cell or address.tele
    if not order.products or (email is None and order.accountId is None):
        return None
    return Facts(order, _encode(order), cents, email, phone, unpriced)


def _lawful(facts: Facts, data: bytes, rules: Rules) -> bool:
    """What settings and limits ask for."""
    order = facts.order
    if facts.unpriced and rules.price_required:
        return False
    if rules.states and not _states_given(order, rules):
        return False
    if order.orderDate is not None or order.deliveryDate is not None or order.cancelDate is not None:
        dates = (order.orderDate, order.deliveryDate, order.cancelDate)
        if any(date is not None and read_date(date, rules.zone) is None for date in dates):
            return False
    if order.extraAttributes is not None and not (
        len(order.extraAttributes) <= rules.attributes_max
        and _brackets(data) <= rules.nesting_max
        and all(map(_is_plain, order.extraAttributes.values()))
    ):
        return False
    if len(data) > rules.text_max and not (
        len(order.products) <= rules.lines_max and _texts_short(data, rules.text_max)
    ):
        return False
    return -TOTAL_CENTS_MAX < facts.cents < TOTAL_CENTS_MAX


def _states_given(order: wire.Order, rules: Rules) -> bool:
    addresses = (order.invoiceAddress, order.address, order.deliveryAddress)
    return all(a is None or a.country.upper() not in rules.states or a.state for a in addresses)


def _is_plain(value: object) -> bool:
    """A text, a flag, or a whole number of 64 bits; all else is for the close look."""
    return value is None or isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**64)


def _brackets(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")


def _texts_short(data: bytes, text_max: int) -> bool:
    """Whether surely no text is longer than `text_max`: quotes stand closer together (escaped ones decide nothing)."""
    return b'\\"' not in data and max(map(len, data.split(b'"'))) <= text_max


def _ambiguous(data: bytes, lines: list[wire.Line], rules: Rules) -> bool:
    """Whether a name that decides may stand there twice, or something unknown is nested deeply.

    Asked only when `data` is not as long as what was understood of it: then there are blanks, escapes, unknown members
    or repeated ones. A false alarm costs time, never an order.
    """
    for name in _ONCE:
        if data.count(name) > 1:
            return True
    priced = sum(line.unitPrice is not None for line in lines)
    if data.count(b'"qty"') > len(lines) or data.count(b'"unitPrice"') > priced:
        return True
    return _brackets(data) > rules.nesting_max + 3 * len(lines)


def new_order(facts: Facts, document: str, now: int, source: str, rules: Rules) -> NewOrder:
    """What the ledger needs to know of a good order; its number is its own, or the next free one of the store (A12)."""
    order = facts.order
    date = order.orderDate
    number = order.orderNumber
    return NewOrder(
        dialect=DIALECT,
        source=source,
        reference=None if number is None else str(number),
        status="incomplete" if order.createOnly else "pending",
        placed_at=now if date is None else instant_of(date, rules.zone),
        updated_at=None,
        amount=amount_text(facts.cents),
        currency=None,
        identifiers=_identifiers(facts),
        content_hash=hash_of(facts.said),
        document=document,
        on_existing=_REFUSE,
        numbered=True,
        warnings=_warnings(order) if facts.unpriced else _UNVERIFIED,
    )


def _identifiers(facts: Facts) -> tuple[tuple[str, str], ...]:
    email, phone = facts.email, facts.phone
    if phone:
        if not phone.isdigit():
            phone = "".join(phone.split())
            if not phone[1:].isdigit():
                phone = phone.translate(_NOT_IN_PHONE)
        if 0 < len(phone) <= PHONE_MAX:
            return (("email", email.strip().casefold()), ("phone", phone)) if email else (("phone", phone),)
    return (("email", email.strip().casefold()),) if email else ()


def _warnings(order: wire.Order) -> tuple[str, ...]:
    """Nothing is checked against a catalogue (A4); a line without any price counts 0.00 (A5)."""
    unpriced = [
        number for number, line in enumerate(order.products) if line.unitPrice is None and line.originalPrice is None
    ]
    return _UNVERIFIED + tuple(f"unpriced: products[{number}]" for number in unpriced)
