"""Rows -> orders: cells are read by their field's kind, gathered into the normal form, and put as the contract has it.

What is wrong is said once and completely: cells that cannot be read, and all the contract has to say of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from ordermill.core.batch import Draft, Problem
from ordermill.core.order import Address, Content, OnExisting, Order
from ordermill.files import fields, values
from ordermill.files.completing import complete_address, complete_line, is_total, line_of
from ordermill.files.grouping import Entry
from ordermill.files.mapping import Column
from ordermill.files.values import Bad, Ways

ROWS = "ordermill_rows"  # the member of a failed order's document that holds its rows as they were
OF_FILE = "file"  # what Content.dialect says of an order that came out of a file: no contract's own
VALUE_CHARS = 100
NUMBERED = "centra"
SOURCES = {"karrio": "API"}  # the contract's own word where nobody names a source

_encode = msgspec.json.encode
_INVERSE = {
    contract: {ours: theirs for theirs, ours in reversed(paths.items())}
    for contract, paths in fields.CONTRACT_PATHS.items()
}


class Contract(Protocol):
    """What making needs of a dialect."""

    @property
    def name(self) -> str: ...
    @property
    def read_draft(self) -> Callable[..., Draft]: ...
    @property
    def read_content(self) -> Callable[[Order], Content]: ...
    @property
    def write_order_request(self) -> Callable[[Content], tuple[bytes, tuple[str, ...]]]: ...


class Made(msgspec.Struct, gc=False):
    """One order of a file. `document`: as the contract would be sent it, None when its cells cannot be read.

    `lost`: what the contract cannot carry, `warnings`: what looks odd, both by field.
    """

    draft: Draft
    document: bytes | None
    lost: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Step(msgspec.Struct, frozen=True, gc=False):
    """One mapped column: where its cell stands, how it is read, and where its value goes."""

    index: int
    path: str
    place: str
    leaf: str
    read: Callable[[str, Ways], Any]


class Maker:
    """Makes the orders of one file. Pure but for its caches; not to be shared between threads."""

    def __init__(
        self,
        contract: Contract,
        columns: Sequence[Column],
        ways: Ways,
        *,
        constants: dict[str, str] | None = None,
        source: str = "",
        numeric: frozenset[int] = frozenset(),
    ) -> None:
        self.contract = contract
        self.ways = ways
        self.source = source or SOURCES.get(contract.name, "")
        self.width = len(columns)
        steps = [_step(column) for column in columns if column.path]
        self.head = [step for step in steps if step.place != "lines"]
        self.lines = [step for step in steps if step.place == "lines"]
        self.sums_shipping = any(step.leaf == "shipping" for step in self.lines)
        self.given = {step.path for step in steps} | set(constants or {})
        self.constants = dict(constants or {})
        self.names = {column.path: column.name for column in columns if column.path}
        self.number_like = [
            step
            for step in steps
            if step.index in numeric and step.leaf in ("postal_code", "sku", "ean", "reference", "phone")
        ]

    def make(self, entry: Entry, now: int) -> Made:
        """The draft of one order, whatever is wrong with it."""
        said: dict[str, dict[str, Any]] = {
            "": {},
            "ship_to": {},
            "bill_to": {},
            "ship_from": {},
            "identifiers": {},
            "metadata": {},
        }
        problems: list[Problem] = []
        warnings: list[Problem] = []
        lines: list[dict[str, Any]] = []
        if is_total(entry.reference):
            kept = _encode({ROWS: entry.rows}).decode()
            return Made(Draft(entry.key, None, (self._total(entry.reference),), kept, entry.reference), None)
        first = entry.rows[0][1]
        for row_index, (number, cells) in enumerate(entry.rows):
            if len(cells) > self.width and any(cells[self.width :]):
                problems.append(self._too_wide(number, cells))
            if len(cells) < self.width:
                cells = [*cells, *[""] * (self.width - len(cells))]
            self._read_head(cells, said, problems, None if row_index == 0 else first, number)
            line = self._read_line(cells, len(lines), problems)
            if line:
                lines.append(line)
        if self.number_like:
            self._look_for_lost_zeros(first, warnings)
        if entry.scattered:
            problems.append(_scattered(entry.reference, self._their("reference")))
        self._fill_in(said, lines, problems)
        return self._put(entry, said, lines, problems, warnings, now)

    # reading cells

    def _read_head(
        self,
        cells: list[str],
        said: dict[str, dict[str, Any]],
        problems: list[Problem],
        first: list[str] | None,
        number: int,
    ) -> None:
        for step in self.head:
            text = cells[step.index]
            if not text:
                continue
            bucket = said[step.place]
            leaf = step.leaf
            if leaf in bucket and first is not None:
                before = first[step.index] if step.index < len(first) else ""
                if before and text != before and text.strip() != before.strip():
                    if step.path == "comment":  # a note for each line, often enough
                        bucket[leaf] = f"{bucket[leaf]}; {text.strip()}"
                    else:
                        problems.append(self._contradiction(step, number, text, before))
                continue
            text = text.strip()
            if not text:
                continue
            try:
                bucket[leaf] = step.read(text, self.ways)
            except Bad as bad:
                bucket[leaf] = None
                problems.append(self._bad(step.path, text, bad))

    def _read_line(self, cells: list[str], position: int, problems: list[Problem]) -> dict[str, Any]:
        line: dict[str, Any] = {}
        for step in self.lines:
            text = cells[step.index]
            if not text or not (text := text.strip()):
                continue
            try:
                line[step.leaf] = step.read(text, self.ways)
            except Bad as bad:
                line[step.leaf] = None
                problems.append(self._bad(step.path, text, bad, position))
        return line

    # what is said between the lines

    def _fill_in(self, said: dict[str, dict[str, Any]], lines: list[dict[str, Any]], problems: list[Problem]) -> None:
        if self.constants:
            self._fill_constants(said, lines, problems)
        for place in ("ship_to", "bill_to", "ship_from"):
            if said[place]:
                complete_address(said[place])
        if self.sums_shipping:
            parts = [line.pop("shipping") for line in lines if "shipping" in line]
            if parts:
                said[""].setdefault("shipping", sum((part or _NONE for part in parts), _NONE))
        if self.contract.name == "karrio" and "lines.weight" in self.given:
            problems.extend(self._without_unit(lines))
        for line in lines:
            complete_line(line, by_product=self.contract.name == "brevo")
        self._tell_the_carrier(said)

    def _fill_constants(
        self, said: dict[str, dict[str, Any]], lines: list[dict[str, Any]], problems: list[Problem]
    ) -> None:
        for path, text in self.constants.items():
            place, leaf = _split(path)
            read = values.READERS[fields.kind_of(path)]
            for bucket in lines if place == "lines" else [said[place]]:
                if leaf not in bucket:
                    try:
                        bucket[leaf] = read(text, self.ways)
                    except Bad as bad:
                        problems.append(self._bad(path, text, bad))

    def _tell_the_carrier(self, said: dict[str, dict[str, Any]]) -> None:
        """How to reach the buyer is known to whoever delivers; without another address the bill's is where it goes."""
        ship_to, who = said["ship_to"], said["identifiers"]
        if ship_to:
            for kind in ("email", "phone"):
                if who.get(kind):
                    ship_to.setdefault(kind, who[kind])
        elif said["bill_to"] and self.contract.name == "karrio":
            said["ship_to"] = dict(said["bill_to"])

    def _put(
        self,
        entry: Entry,
        said: dict[str, dict[str, Any]],
        lines: list[dict[str, Any]],
        problems: list[Problem],
        warnings: list[Problem],
        now: int,
    ) -> Made:
        content = self._content(said, lines, entry.reference, now, problems)
        document, lost = self.contract.write_order_request(content)
        if self.contract.name == NUMBERED and content.reference and "reference" in lost:
            problems.append(self._no_number(content.reference))
        draft: Draft = self.contract.read_draft(entry.key, document, now=now, source=content.source)
        if not problems and draft.order is not None:
            if draft.order.on_existing is OnExisting.REFUSE:
                draft = Draft(entry.key, draft.order, (), _with_rows(document, entry).decode(), draft.reference)
            return Made(draft, document, lost, tuple(warnings))
        if not problems:
            kept = _with_rows(document, entry)
            failed = Draft(entry.key, None, draft.problems, kept.decode("utf-8", "replace"), entry.reference)
            return Made(failed, document, lost, tuple(warnings))
        # What could not be read was left out: nothing that looks like an order may be kept of it.
        unread = {fields.our_path(self.contract.name, problem.field) or problem.field for problem in problems}
        found = (*problems, *self._without(draft.problems, unread))
        kept = _encode({ROWS: entry.rows})
        return Made(Draft(entry.key, None, found, kept.decode(), entry.reference), None, lost, tuple(warnings))

    def _content(
        self,
        said: dict[str, dict[str, Any]],
        lines: list[dict[str, Any]],
        reference: str,
        now: int,
        problems: list[Problem],
    ) -> Content:
        head = said[""]
        if not reference and self.contract.name != NUMBERED:
            problems.append(self._missing("reference", "every order needs an id of its own"))
        placed_at = head.get("placed_at")
        if placed_at is None:
            if self.contract.name == "brevo" and "placed_at" not in head:
                problems.append(self._missing("placed_at", "map a column with --map COLUMN=placed_at"))
            placed_at = now
        if self.contract.name == "brevo" and not head.get("status"):
            problems.append(self._missing("status", "map a column, or give one for all: --set status=completed"))
        return Content(
            dialect=OF_FILE,
            source=head.get("source") or self.source,
            reference=reference,
            status=head.get("status") or "",
            placed_at=placed_at,
            updated_at=head.get("updated_at") or placed_at,
            lines=tuple([line_of(line) for line in lines]),
            amount=head.get("amount"),
            currency=head.get("currency"),
            shipping=head.get("shipping"),
            discount=head.get("discount"),
            identifiers={kind: value for kind, value in said["identifiers"].items() if value},
            ship_to=Address(**said["ship_to"]) if said["ship_to"] else None,
            ship_from=Address(**said["ship_from"]) if said["ship_from"] else None,
            bill_to=Address(**said["bill_to"]) if said["bill_to"] else None,
            coupons=head.get("coupons") or (),
            payment_method=head.get("payment_method"),
            store=head.get("store"),
            comment=head.get("comment"),
            metadata=said["metadata"],
        )

    # what is wrong

    def _without(self, problems: Sequence[Problem], unread: set[str]) -> tuple[Problem, ...]:
        """The contract's problems but for those about cells that could not be read in the first place."""
        return tuple(p for p in problems if fields.our_path(self.contract.name, p.field) not in unread)

    def _their(self, path: str, position: int | None = None) -> str:
        """What the contract calls a field of ours."""
        theirs = _INVERSE.get(self.contract.name, {}).get(path, path)
        if position is not None and "." in theirs:
            head, _, leaf = theirs.partition(".")
            return f"{head}[{position}].{leaf}"
        return theirs

    def _bad(self, path: str, text: str, bad: Bad, position: int | None = None) -> Problem:
        return Problem(
            code=bad.code,
            message=bad.message,
            field=self._their(path, position),
            value=text[:VALUE_CHARS],
            hint=bad.hint,
        )

    def _missing(self, path: str, hint: str) -> Problem:
        return Problem(code="required", message="required, but not given", field=self._their(path), hint=hint)

    def _total(self, reference: str) -> Problem:
        return self._bad(
            "reference", reference, Bad("invalid_value", "this is a line of totals, not an order", "delete the row")
        )

    def _without_unit(self, lines: list[dict[str, Any]]) -> Iterator[Problem]:
        """A weight is grams to one shop and pounds to another: no unit is assumed, and none is sent without."""
        hint = "map a column, or give one for all: --set lines.weight_unit=KG"
        for position, line in enumerate(lines):
            if line.get("weight") is not None and not line.get("weight_unit"):
                field = self._their("lines.weight_unit", position)
                yield Problem(code="required", message="required, but not given", field=field, hint=hint)

    def _too_wide(self, number: int, cells: list[str]) -> Problem:
        return Problem(
            code="too_many_cells",
            message=f"row {number} has {len(cells)} cells, the header {self.width}",
            value=" | ".join(cells[self.width :])[:VALUE_CHARS],
            hint="a text that holds the delimiter must stand in quotes",
        )

    def _contradiction(self, step: Step, number: int, text: str, before: str) -> Problem:
        return Problem(
            code="contradicting_rows",
            message=f"row {number} says {text.strip()[:40]!r}, the order's first row {before.strip()[:40]!r}",
            field=self._their(step.path),
            value=text.strip()[:VALUE_CHARS],
            hint="rows with one order id are one order: make them agree, or give the order an id of its own",
        )

    def _no_number(self, reference: str) -> Problem:
        hint = "map another column, or none: the store's next number is given then"
        bad = Bad("not_a_number", "this contract's order numbers are whole numbers", hint)
        return self._bad("reference", reference, bad)

    def _look_for_lost_zeros(self, cells: list[str], warnings: list[Problem]) -> None:
        for step in self.number_like:
            text = cells[step.index] if step.index < len(cells) else ""
            if text.isdecimal():
                warnings.append(
                    Problem(
                        code="read_as_number",
                        message="the spreadsheet keeps it as a number: leading zeros may be lost",
                        field=step.path,
                        value=text[:VALUE_CHARS],
                        hint="format the column as text",
                    )
                )


_NONE = Decimal(0)


def _split(path: str) -> tuple[str, str]:
    place, dot, leaf = path.partition(".")
    return (place, leaf) if dot else ("", path)


def _step(column: Column) -> Step:
    place, leaf = _split(column.path)
    kind = fields.kind_of(column.path)
    return Step(column.index, column.path, place, leaf, values.READERS[kind])


def _with_rows(document: bytes, entry: Entry) -> bytes:
    return document[:-1] + b',"' + ROWS.encode() + b'":' + _encode(entry.rows) + b"}"


def _scattered(reference: str, field: str) -> Problem:
    return Problem(
        code="scattered_rows",
        message="an earlier order of this file has the same id",
        field=field,
        value=reference[:VALUE_CHARS],
        hint="sort the file by order id, or say --group-by id",
    )
