"""`ordermill batches`: what came in, what became of it, and doing something about what failed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ordermill.cli.connecting import connected, server_options
from ordermill.cli.options import store_options, sure
from ordermill.cli.showing import as_json, counts_line, note, number, plural, table
from ordermill.cli.times import instant

STATUSES = ["queued", "running", "completed", "completed_with_errors", "failed", "cancelled"]
FINAL = ("completed", "completed_with_errors", "failed", "cancelled")
test_option = click.option("--test", is_flag=True, help="Test data (the local ledger; with --server the key decides).")
json_option = click.option("--json", "json_", is_flag=True, help="One JSON document.")
jsonl_option = click.option("--jsonl", is_flag=True, help="One JSON object a line.")


def spell(batch_id: str) -> str:
    """`12` and `bch_12` are the same batch."""
    return batch_id if batch_id.startswith(("bch_", "batch_")) else f"bch_{batch_id}"


@click.group()
def batches() -> None:
    """List, show, watch, retry and cancel batches; get their failed orders."""


@batches.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these; repeat for several.")
@click.option("--contract", type=click.Choice(["brevo", "karrio", "centra"]))
@click.option("--failed", is_flag=True, help="Only batches with failed orders.")
@click.option("--since", metavar="24h|DATE", help="Only batches that came in since.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
@jsonl_option
@test_option
@server_options
@store_options
def list_(
    status: tuple[str, ...],
    contract: str | None,
    failed: bool,
    since: str | None,
    limit: int,
    json_: bool,
    jsonl: bool,
    **options: Any,
) -> None:
    """Batches, newest first."""
    filters: dict[str, Any] = {"status": list(status), "contract": contract, "created_since": instant(since)}
    if failed:
        filters["has_failures"] = True
    with connected(options) as client:
        found = [
            batch for batch, _ in zip(client.batches(**filters, limit=min(limit, 100)), range(limit), strict=False)
        ]
    show_all(found, json_, jsonl, _table)
    if not found:
        sys.exit(6)


def show_all(found: list[Any], json_: bool, jsonl: bool, show: Any) -> None:
    if json_:
        as_json(found)
    elif jsonl:
        for entry in found:
            as_json(entry)
    elif found:
        show(found)
    else:
        note("nothing matched")


def _table(found: list[Any]) -> None:
    rows = [("batch", "contract", "from", "status", "orders", "failed", "received at")]
    rows += [
        (
            b.id,
            b.contract,
            b.origin or "contract",
            b.status,
            number(b.counts.received),
            number(b.counts.failed),
            b.created_at[:19],
        )
        for b in found
    ]
    table(rows, right=(4, 5))


@batches.command("show")
@click.argument("batch_id")
@json_option
@test_option
@server_options
@store_options
def show(batch_id: str, json_: bool, **options: Any) -> None:
    """One batch: its sums, and why orders of it failed."""
    with connected(options) as client:
        batch = client.batch(spell(batch_id))
        causes = client.causes(spell(batch_id)) if batch.counts.failed else []
    if json_:
        as_json({"batch": batch, "causes": causes})
        return
    click.echo(
        f"{batch.id}   {batch.contract}   {batch.status}   {batch.created_at[:19]}   {batch.origin or 'contract'}"
    )
    click.echo(f"{plural(batch.counts.received, 'order')} received: {counts_line(batch.counts)}")
    if batch.parent_batch_id:
        click.echo(f"came of {batch.parent_batch_id}")
    if batch.child_batch_ids:
        click.echo(f"came of it: {', '.join(batch.child_batch_ids)}")
    _causes(causes)


def _causes(causes: list[Any]) -> None:
    rows = []
    for cause in causes:
        value = f'"{cause.example.value[:40]}"' if cause.example.value else ""
        example = f"e.g. {cause.example.key} {value}".rstrip()
        rows.append(
            (
                number(cause.count),
                cause.code,
                cause.field or "–",
                cause.message,
                example,
                f"→ {cause.hint}" if cause.hint else "",
            )
        )
    table(rows, right=(0,))


@batches.command("watch")
@click.argument("batch_id", required=False)
@click.option("--every", type=float, default=1.0, show_default=True, help="Seconds between looks.")
@jsonl_option
@test_option
@server_options
@store_options
def watch(batch_id: str | None, every: float, jsonl: bool, **options: Any) -> None:
    """A batch until it is complete; without one, every batch as it comes and goes, until Ctrl-C."""
    with connected(options) as client:
        if batch_id is not None:
            code = _watch_one(client, spell(batch_id), every, jsonl)
            sys.exit(code)
        try:
            _watch_all(client, every, jsonl)
        except KeyboardInterrupt:
            sys.exit(130)


def _watch_one(client: Any, batch_id: str, every: float, jsonl: bool) -> int:
    before: Any = None
    while True:
        batch = client.batch(batch_id)
        if batch.counts != before:
            before = batch.counts
            as_json(batch) if jsonl else click.echo(_line(batch))
        if batch.status in FINAL:
            return 1 if batch.counts.failed else 0
        time.sleep(every)


def _line(batch: Any) -> str:
    return f"{batch.updated_at[11:19]}  {batch.id:<10} {batch.status:<22} {counts_line(batch.counts)}"


def _watch_all(client: Any, every: float, jsonl: bool) -> None:
    seen: dict[str, Any] = {}
    while True:
        newest = [batch for batch, _ in zip(client.batches(limit=50), range(50), strict=False)]
        for batch in reversed(newest):
            if seen.get(batch.id) != batch.counts:
                seen[batch.id] = batch.counts
                as_json(batch) if jsonl else click.echo(_line(batch))
        time.sleep(every)


@batches.command("errors")
@click.argument("batch_id")
@click.option(
    "--csv",
    "out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="OUT",
    help="The failed orders as a file to mend: - for standard output.",
)
@click.option(
    "--ndjson",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="OUT",
    help="The same, one JSON object a line.",
)
@click.option("--code", help="Only orders that failed with this code.")
@click.option("--raw", is_flag=True, help="Without the quote before what looks like a formula.")
@click.option("--group", is_flag=True, help="By cause (also what is shown unless a file is asked for).")
@json_option
@test_option
@server_options
@store_options
def errors(
    batch_id: str,
    out: Path | None,
    ndjson: Path | None,
    code: str | None,
    raw: bool,
    group: bool,
    json_: bool,
    **options: Any,
) -> None:
    """Why orders of a batch failed; with --csv the orders themselves, to be mended and imported again.

    Of a batch that came from a table, the file has the table's own columns, untouched and in order.
    """
    with connected(options) as client:
        batch = client.batch(spell(batch_id))
        if not batch.counts.failed:
            note("no order of this batch failed")
            sys.exit(6)
        if out is None and ndjson is None:
            causes = client.causes(batch.id)
            as_json(causes) if json_ else _causes(causes)
            return
        for target, form in ((out, "csv"), (ndjson, "ndjson")):
            if target is not None:
                _save(target, _failed(client, batch, form, code, raw))
                if str(target) != "-":
                    note(f"{plural(batch.counts.failed, 'order')} → {target}")


def _failed(client: Any, batch: Any, form: str, code: str | None, raw: bool) -> Any:
    """The rows as they were imported, where the batch came from a table; else the orders as they were sent."""
    if batch.origin == "import" and form == "csv" and code is None:
        for found in client.imports():
            if found.batch_id == batch.id and found.file is not None and found.file.columns:
                return client.import_errors(found.id, "csv", raw=raw)
    filters = {"code": code} | ({"raw": True} if raw and form == "csv" else {})
    return client.failed(batch.id, form, **filters)


def _save(target: Path, pieces: Any) -> None:
    if str(target) == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    partial = target.with_name(target.name + ".part")
    with open(partial, "wb") as file:
        for piece in pieces:
            file.write(piece)
    partial.replace(target)


@batches.command("retry")
@click.argument("batch_id")
@click.option("--code", help="Only orders that failed with this code.")
@click.option("--field", help="Only orders whose first problem is in this field.")
@json_option
@test_option
@server_options
@store_options
def retry(batch_id: str, code: str | None, field: str | None, json_: bool, **options: Any) -> None:
    """The failed orders once more, as they were sent: worth it when a setting was changed, or what they met is gone."""
    with connected(options) as client:
        taken = client.retry(spell(batch_id), code=code, field=field)
    if json_:
        as_json(taken)
    else:
        name = taken.batch.id if taken.batch else "–"
        click.echo(f"Batch {name}   {plural(taken.counts.received, 'order')}: {counts_line(taken.counts)}")
    sys.exit(1 if taken.counts.failed else 0)


@batches.command("cancel")
@click.argument("batch_id")
@click.option("--yes", is_flag=True, help="Without asking.")
@json_option
@test_option
@server_options
@store_options
def cancel(batch_id: str, yes: bool, json_: bool, **options: Any) -> None:
    """Stop a batch that is not complete. What is in the ledger stays there."""
    if not yes:
        sure(f"Cancel {spell(batch_id)}?", "cancel")
    with connected(options) as client:
        batch = client.cancel(spell(batch_id))
    as_json(batch) if json_ else click.echo(f"{batch.id}   {batch.status}   {counts_line(batch.counts)}")
