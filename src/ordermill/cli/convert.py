"""`ordermill convert`: orders from one contract's form to another's, saying what cannot be carried."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ordermill.cli.options import fail, settings
from ordermill.cli.plans import make_plan, plan_options
from ordermill.cli.showing import as_json, note, plural
from ordermill.files.sniffing import Unusable

FORMS = ["karrio", "brevo", "centra", "orders"]


@click.command("convert")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--from",
    "from_",
    type=click.Choice(FORMS),
    help="The form of the orders; recognised unless told. orders is our own.",
)
@click.option("--to", required=True, type=click.Choice(FORMS), help="The form that is wanted.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="NDJSON; standard output unless told.",
)
@click.option("--json", "json_", is_flag=True, help="The account of it as one JSON document (with --out).")
@plan_options
def convert(file: Path, from_: str | None, to: str, out: Path | None, json_: bool, **options: Any) -> None:
    """Convert orders (NDJSON, JSON or a table) to another contract's form, one order a line.

    Goes through the normal form that every contract can read and write. What the other contract has no place for is
    counted, field by field.
    """
    if json_ and out is None:
        raise click.UsageError("--json needs --out: the orders go to standard output")
    try:
        conversion = Conversion(file, from_, to, make_plan(**options))
        if out is None:
            conversion.write(sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with open(out, "wb") as target:
                conversion.write(target)
    except Unusable as error:
        fail(str(error), 2)
    sys.exit(conversion.tell(json_))


class Conversion:
    """One file."""

    def __init__(self, path: Path, from_: str | None, to: str, plan: Any) -> None:
        from ordermill.cli.local import contracts_of

        self.path = path
        self.from_ = from_
        self.to = to
        self.plan = plan
        self.contracts = contracts_of(settings())
        self.done = 0
        self.failed: list[tuple[str, Any]] = []
        self.lost: dict[str, int] = {}

    def write(self, target: Any) -> None:
        from ordermill.files import convert as conversion
        from ordermill.files import documents
        from ordermill.files.sniffing import sniff

        now = time.time_ns() // 1000
        sniffed = sniff(self.path, encoding=self.plan.encoding, delimiter=self.plan.delimiter)
        if sniffed.kind not in ("ndjson", "json"):
            self._write_table(target, now)
            return
        for _, key, document in documents.read_documents(self.path, sniffed, [0.0]):
            form = self.from_ or documents.form_of(document)
            if not form:
                raise Unusable(f"order {key} is in no form that is known here", "say --from")
            self._note(
                key,
                conversion.convert(document, self.contracts, form, self.to, now=now, source=self.plan.source),
                target,
            )

    def _write_table(self, target: Any, now: int) -> None:
        """A table goes to a contract as it would be imported."""
        import msgspec

        from ordermill.files import convert as conversion
        from ordermill.files.reading import Reading

        as_contract = self.to if self.to in self.contracts else ""
        plan = msgspec.structs.replace(self.plan, contract=self.plan.contract or as_contract)
        with Reading(self.path, plan, self.contracts) as reading:
            given = {column.path for column in reading.understood.columns}
            for piece in reading.pieces(now):
                if piece.made.document is None:
                    self.failed.append((piece.draft.key, piece.draft.problems))
                    continue
                if self.to in self.contracts:
                    lost = tuple(name for name in piece.made.lost if name in given)
                    self._note(piece.draft.key, conversion.Converted(piece.made.document, lost), target)
                else:
                    form = reading.understood.contract
                    done = conversion.convert(piece.made.document, self.contracts, form, self.to, now=now)
                    self._note(piece.draft.key, done, target)

    def _note(self, key: str, done: Any, target: Any) -> None:
        if done.document is None:
            self.failed.append((key, done.problems))
            return
        target.write(done.document + b"\n")
        self.done += 1
        for name in done.lost:
            self.lost[name] = self.lost.get(name, 0) + 1

    def tell(self, json_: bool) -> int:
        """What was lost, on standard error. The exit code."""
        if json_:
            as_json({"converted": self.done, "failed": len(self.failed), "not_carried": self.lost})
        else:
            note(f"{plural(self.done, 'order')} converted to {self.to}, {len(self.failed)} could not be read")
            if self.lost:
                note(f"Not carried by {self.to}:")
                width = max(map(len, self.lost))
                for name, count in sorted(self.lost.items(), key=lambda entry: (-entry[1], entry[0])):
                    note(f"  {name.ljust(width)}  {plural(count, 'order')}")
            for key, problems in self.failed[:10]:
                first = problems[0]
                where, hint = f"{first.field}: " if first.field else "", f"   → {first.hint}" if first.hint else ""
                note(f"  order {key}: {where}{first.message}{hint}")
            if len(self.failed) > 10:
                note(f"  and {plural(len(self.failed) - 10, 'further order')}")
        return 1 if self.failed else 0
