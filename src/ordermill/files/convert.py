"""From one contract to another, through the normal form, saying what cannot be carried."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ordermill.core.batch import Problem
from ordermill.core.order import Content, Mode, NewOrder, Order
from ordermill.files import form
from ordermill.files.documents import OURS
from ordermill.files.making import NUMBERED, SOURCES, Contract


class Converted(msgspec.Struct, frozen=True):
    """`document`: the order as the target contract would be sent it; None when the source could not be read.

    `lost`: fields that the target cannot carry. `source`: the name space the order has there.
    """

    document: bytes | None
    lost: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    content: Content | None = None


def read(
    document: bytes, contract: Contract | None, *, now: int, source: str = ""
) -> tuple[Content | None, tuple[Problem, ...]]:
    """What an order says, in normal form. `contract` None: our own form."""
    if contract is None:
        content, problems = form.read_document(document, now)
        return (None if problems else content), problems
    draft = contract.read_draft("0", document, now=now, source=source)
    if draft.order is None:
        return None, draft.problems
    return contract.read_content(as_order(draft.order, now)), ()


def write(content: Content, target: Contract | None) -> Converted:
    """`target` None: our own form, which carries everything."""
    if target is None:
        return Converted(form.write_document(content), content=content)
    source = content.source or SOURCES.get(target.name, "")
    if content.dialect != target.name and target.name in SOURCES and content.source == "":
        content = msgspec.structs.replace(content, source=source)
    document, lost = target.write_order_request(content)
    return Converted(document, lost, content=content)


def convert(
    document: bytes,
    contracts: Mapping[str, Contract],
    from_: str,
    to: str,
    *,
    now: int,
    source: str = "",
) -> Converted:
    """One order. `from_`, `to`: names of contracts, or "orders" for our own form."""
    content, problems = read(document, None if from_ == OURS else contracts[from_], now=now, source=source)
    if content is None:
        return Converted(None, problems=problems)
    return write(content, None if to == OURS else contracts[to])


def as_order(new: NewOrder, now: int) -> Order:
    """An order as the ledger would hold it, for reading what it says. It was given no id."""
    return Order(
        id=0,
        account_id=0,
        mode=Mode.LIVE,
        dialect=new.dialect,
        source=new.source,
        reference=new.reference or "",
        revision=1,
        status=new.status,
        placed_at=new.placed_at,
        updated_at=now if new.updated_at is None else new.updated_at,
        received_at=now,
        changed_at=now,
        amount=new.amount,
        currency=new.currency,
        contact_id=None,
        content_hash=new.content_hash,
        request_id=new.request_id,
        released=new.released,
        document=new.document,
    )


def keeps_reference(target: str, lost: tuple[str, ...]) -> bool:
    """Whether the order is found again under its own id at the target."""
    return target != NUMBERED or "reference" not in lost
