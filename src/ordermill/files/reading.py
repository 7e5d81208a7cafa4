"""A file as orders: opened, understood, and given one draft at a time with the rows it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from ordermill.core.batch import Draft, Problem
from ordermill.files import convert, documents, grouping, mapping, values
from ordermill.files.fields import unit_in_name
from ordermill.files.grouping import Entry
from ordermill.files.making import Contract, Made, Maker
from ordermill.files.mapping import CONTRACTS, Column, Plan
from ordermill.files.sniffing import Sniffed, Unusable, sniff
from ordermill.files.tables import Row, Table, open_table

SAMPLE_ROWS = 1_000
SHOWN_ROWS = 5


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a file before its orders are read: shown to whoever imports it. `form`: of JSON orders."""

    name: str
    sniffed: Sniffed
    contract: str
    why: str
    preset: str = ""
    columns: tuple[Column, ...] = ()
    ways: values.Ways = values.Ways()
    guesses: tuple[str, ...] = ()
    samples: tuple[tuple[str, ...], ...] = ()
    sheet: str = ""
    form: str = ""

    @property
    def header(self) -> list[str]:
        return [column.name for column in self.columns]


class Piece(msgspec.Struct, gc=False):
    """One order of the file: what was made of it, and its rows (none of a JSON file)."""

    made: Made
    rows: list[Row]
    position: int = 0

    @property
    def draft(self) -> Draft:
        return self.made.draft


class Reading:
    """An open file. Closes it again at the end of a with block."""

    def __init__(self, path: Path, plan: Plan, contracts: Mapping[str, Contract], *, name: str = "") -> None:
        self.path = path
        self.plan = plan
        self.contracts = contracts
        self.name = name or path.name
        self.rows_read = 0
        self._progress = [0.0]
        self._table: Table | None = None
        self._stack = ExitStack()
        self.sniffed = sniff(path, name=self.name, encoding=plan.encoding, delimiter=plan.delimiter)
        try:
            self.understood = self._understand()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def contract(self) -> Contract:
        return self.contracts[self.understood.contract]

    @property
    def fingerprint(self) -> str:
        return self.plan.fingerprint(self.sniffed.sha256)

    def progress(self) -> float:
        """How much of the file was read, 0 to 1."""
        return float(self._table.progress()) if self._table is not None else self._progress[0]

    def pieces(self, now: int, *, skip: int = 0) -> Iterator[Piece]:
        """The orders, behind the first `skip` of them; at most the plan's limit. `now`: µs since 1970 UTC."""
        found = self._table_pieces(now, skip) if self._table is not None else self._document_pieces(now, skip)
        limit = self.plan.limit
        return found if limit is None else islice(found, max(0, limit - skip))

    def entries(self, *, skip: int = 0) -> Iterator[Entry]:
        """The same orders as rows, unread: for writing them out again. Of a table only."""
        assert self._table is not None
        where = grouping.places(self.understood.columns)
        group = grouping.anywhere if self.plan.group == "all" else grouping.adjacent
        return islice(group(self._rows(), where), skip, None)

    # understanding

    def _understand(self) -> Understood:
        if self.sniffed.kind in ("ndjson", "json"):
            return self._understand_documents()
        table = self._stack.enter_context(open_table(self.path, self.sniffed, sheet=self.plan.sheet))
        sample = list(islice(table.rows, SAMPLE_ROWS))
        table.rows = chain(sample, table.rows)
        self._table = table
        preset = self.plan.preset or ("" if self.plan.mapped else mapping.recognise(table.header))
        plan = self.plan
        if preset and not plan.preset_applied:
            plan = mapping.with_preset(plan, _preset(preset))
        columns = mapping.assign(table.header, plan.columns, plan.mapped)
        for path in plan.constants:
            mapping.check_path(path)
        ways, guesses = _find_ways(plan, columns, sample)
        constants, guessed = _with_unit(plan, columns)
        paths = {column.path for column in columns if column.path} | set(constants)
        contract, why = (plan.contract, "told") if plan.contract else mapping.guess_contract(paths)
        _check_contract(contract, self.contracts)
        if "reference" not in paths and contract != "centra":
            there = ", ".join(name or "(no name)" for name in table.header[:20])
            raise Unusable(
                "no column was recognised as the order's id",
                f"name it with --map COLUMN=reference; the columns are {there}",
            )
        self._maker = Maker(
            self.contracts[contract], columns, ways, constants=constants, source=plan.source, numeric=table.numeric
        )
        return Understood(
            name=self.name,
            sniffed=self.sniffed,
            contract=contract,
            why=why,
            preset=preset,
            columns=columns,
            ways=ways,
            guesses=(*_above(table), *guesses, *guessed, *_guessed_columns(columns)),
            samples=tuple(tuple(cells) for _, cells in sample[:SHOWN_ROWS]),
            sheet=table.sheet,
        )

    def _understand_documents(self) -> Understood:
        first = next(documents.read_documents(self.path, self.sniffed, [0.0]), None)
        if first is None:
            raise Unusable(f"{self.name} holds no orders")
        form = documents.form_of(first[2])
        if not form:
            raise Unusable(
                f"the orders in {self.name} are in no form that is known here",
                "they should be as one of the contracts takes them, or as `ordermill orders export` writes them",
            )
        contract, why = self.plan.contract, "told"
        if not contract:
            contract, why = (form, "the form of its orders") if form in CONTRACTS else self._contract_said(first[2])
        _check_contract(contract, self.contracts)
        return Understood(name=self.name, sniffed=self.sniffed, contract=contract, why=why, form=form)

    def _contract_said(self, document: bytes) -> tuple[str, str]:
        """Our own form says which contract an order came in through."""
        said = msgspec.json.decode(document).get("contract")
        return (said, "what its orders say") if said in CONTRACTS else ("brevo", "nothing else is said")

    # reading

    def _rows(self) -> Iterator[Row]:
        assert self._table is not None
        for row in self._table.rows:
            self.rows_read += 1
            yield row

    def _table_pieces(self, now: int, skip: int) -> Iterator[Piece]:
        make = self._maker.make
        for position, entry in enumerate(self.entries(skip=skip), skip):
            yield Piece(make(entry, now), entry.rows, position)

    def _document_pieces(self, now: int, skip: int) -> Iterator[Piece]:
        found = documents.read_documents(self.path, self.sniffed, self._progress)
        form, target = self.understood.form, self.contract
        for position, (number, key, document) in enumerate(islice(found, skip, None), skip):
            self.rows_read = number
            if form == target.name:
                draft = target.read_draft(key, document, now=now, source=self.plan.source)
                yield Piece(Made(draft, document), [], position)
            else:
                yield Piece(self._converted(key, document, now), [], position)

    def _converted(self, key: str, document: bytes, now: int) -> Made:
        form, target = self.understood.form, self.contract
        done = convert.convert(document, self.contracts, form, target.name, now=now, source=self.plan.source)
        if done.document is None or done.content is None:
            return Made(Draft(key, None, done.problems, document.decode("utf-8", "replace")), None)
        if not convert.keeps_reference(target.name, done.lost):
            problem = Problem(
                code="not_a_number",
                message="this contract's order numbers are whole numbers",
                field="orderNumber",
                value=done.content.reference[:100],
            )
            return Made(Draft(key, None, (problem,), document.decode("utf-8", "replace"), done.content.reference), None)
        source = self.plan.source or done.content.source
        return Made(target.read_draft(key, done.document, now=now, source=source), done.document, done.lost)


def _preset(name: str) -> mapping.Preset:
    try:
        return mapping.presets()[name]
    except KeyError:
        raise Unusable(f"there is no preset {name!r}", f"there are {', '.join(mapping.presets())}") from None


def _check_contract(name: str, contracts: Mapping[str, Any]) -> None:
    if name not in contracts:
        raise Unusable(f"there is no contract {name!r}", f"there are {', '.join(contracts)}")


def _guessed_columns(columns: Sequence[Column]) -> list[str]:
    return [f'"{column.name}" → {column.path}' for column in columns if column.how == "guess"]


def _above(table: Table) -> list[str]:
    return [f"row {table.header_row} is the header: what stands above it is passed over"] if table.header_row else []


def _with_unit(plan: Plan, columns: Sequence[Column]) -> tuple[dict[str, str], list[str]]:
    """(the values for all orders, the guess among them): `Gewicht (kg)` says the unit in the name of its column."""
    by_path = {column.path: column.name for column in columns}
    unit = unit_in_name(by_path.get("lines.weight", ""))
    if not unit or "lines.weight_unit" in by_path or "lines.weight_unit" in plan.constants:
        return plan.constants, []
    return {**plan.constants, "lines.weight_unit": unit}, [f'"{by_path["lines.weight"]}": weights in {unit}']


def check_ways(plan: Plan) -> str | None:
    """strptime's form of the plan's date format. Raises Unusable for one that is none, and for an unknown zone."""
    try:
        form = values.date_format(plan.date_format) if plan.date_format else None
        values._zone(plan.zone)
    except values.Bad as bad:
        raise Unusable(bad.message, bad.hint) from None
    except (KeyError, ValueError, OSError):
        raise Unusable(f"there is no time zone {plan.zone!r}", "e.g. Europe/Zurich, America/New_York, UTC") from None
    return form


def _find_ways(plan: Plan, columns: Sequence[Column], sample: Sequence[Row]) -> tuple[values.Ways, list[str]]:
    """How values are written, and which of it is a guess."""
    from ordermill.files.fields import kind_of

    guesses: list[str] = []
    decimal = plan.decimal
    if decimal is None:
        decimal, proven = values.guess_decimal(_cells(columns, sample, lambda c: kind_of(c.path) == "decimal"))
        if not proven:
            guesses.append(f"numbers: {decimal!r} is the decimal sign")
        elif decimal == ",":
            guesses.append("numbers: the decimal sign is a comma")
    date_order: values.DateOrder = "DMY"
    if plan.date_format is None:
        date_order, proven = values.guess_date_order(_cells(columns, sample, lambda c: kind_of(c.path) == "moment"))
        if not proven:
            word = "day/month/year" if date_order == "DMY" else "month/day/year"
            guesses.append(f"dates: {word}")
    form = check_ways(plan)
    return values.Ways(decimal=decimal, date_order=date_order, date_format=form, zone=plan.zone), guesses


def _cells(columns: Sequence[Column], sample: Sequence[Row], wanted: Any) -> list[str]:
    places = [column.index for column in columns if column.path and wanted(column)]
    return [cells[place] for _, cells in sample for place in places if place < len(cells) and cells[place]]
