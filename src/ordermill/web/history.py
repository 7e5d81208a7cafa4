"""What changed from version to version of an order: differences of the normal form, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from ordermill.core.order import Content, NewOrder, Order, Revision
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.reading import iso
from ordermill.web import shapes, telling

CHANGES_MAX = 500  # told of one version

# What names the order rather than being said by it; updated_at is told beside the changes.
_ASIDE = ("dialect", "source", "reference", "updated_at")


def write_history(order: Order, revisions: Sequence[Revision], dialect: Dialect) -> list[shapes.Version]:
    """Versions in the order of arrival; each is compared with the last one before it that was current."""
    drafts = [_read(order, revision, dialect) for revision in revisions]
    told: list[shapes.Version] = []
    before: Content | None = None
    for place, (revision, status) in enumerate(zip(revisions, _statuses(order, revisions, drafts), strict=True)):
        content = _content(order, revision, drafts[place], status, dialect)
        told.append(
            shapes.Version(
                version=place + 1,
                revision=None if revision.stale else revision.revision,
                stale=revision.stale,
                status=status,
                historical=revision.historical,
                updated_at=iso(revision.updated_at),
                received_at=iso(revision.received_at),
                batch_id=None if revision.batch_id is None else telling.spell_batch(revision.batch_id),
                kept=revision.document is not None,
                changes=_changes(place, before, content),
            )
        )
        if not revision.stale:
            before = content
    return told


def _changes(place: int, before: Content | None, after: Content | None) -> list[shapes.Change] | None:
    if place == 0:
        return []
    return None if before is None or after is None else compare(before, after)


def _read(order: Order, revision: Revision, dialect: Dialect) -> NewOrder | None:
    """The version as if it came in anew. None: its document is gone, or would not be taken any more."""
    if revision.document is None:
        return None
    return dialect.read_draft("", revision.document.encode(), now=order.placed_at, source=order.source).order


def _statuses(order: Order, revisions: Sequence[Revision], drafts: Sequence[NewOrder | None]) -> Iterator[str]:
    """The order's status at each version. The ledger keeps the newest; the others follow from the documents.

    A document read anew says with which status its order begins. A version whose document is the one before can only
    have come from a change of status, and the last current version has the order's own.
    """
    newest = max((place for place, revision in enumerate(revisions) if not revision.stale), default=-1)
    earlier: str | None = None
    status = order.status
    for place, (revision, draft) in enumerate(zip(revisions, drafts, strict=True)):
        fresh = status if draft is None else draft.status
        if revision.stale:
            yield fresh
            continue
        same = earlier is not None and earlier == revision.document
        status = order.status if place == newest or same else fresh
        earlier = revision.document
        yield status


def _content(order: Order, revision: Revision, draft: NewOrder | None, status: str, dialect: Dialect) -> Content | None:
    if revision.document is None:
        return None
    then = msgspec.structs.replace(order, document=revision.document, status=status, updated_at=revision.updated_at)
    if draft is not None:
        then = msgspec.structs.replace(then, amount=draft.amount, currency=draft.currency, placed_at=draft.placed_at)
    return dialect.read_content(then)


def compare(before: Content, after: Content) -> list[shapes.Change]:
    """Every field that differs, by its path (`lines[0].unitPrice`), in the order of the newer version."""
    old, new = flatten(before), flatten(after)
    changed = [name for name in [*new, *(name for name in old if name not in new)] if old.get(name) != new.get(name)]
    return [shapes.Change(field=name, before=old.get(name), after=new.get(name)) for name in changed[:CHANGES_MAX]]


def flatten(content: Content) -> dict[str, Any]:
    """Path -> value of everything that is said, in our API's spelling. Texts of equal numbers are equal."""
    said: dict[str, Any] = {}
    for name in content.__struct_fields__:
        if name not in _ASIDE:
            value = getattr(content, name)
            _flatten(camel(name), iso(value) if name == "placed_at" else value, said)
    return said


def _flatten(path: str, value: Any, said: dict[str, Any]) -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _flatten(f"{path}.{camel(name)}", getattr(value, name), said)
    elif isinstance(value, dict):
        for key, entry in value.items():
            _flatten(f"{path}.{key}", entry, said)
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            _flatten(f"{path}[{place}]", entry, said)
    elif value is not None:
        said[path] = _shown(value)


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def camel(name: str) -> str:
    """`unit_price` -> `unitPrice`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
