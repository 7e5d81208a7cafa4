"""What `ordermill import` tells: how the file was understood, what was found, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ordermill.cli.showing import as_json, counts_line, note, number, plural, table
from ordermill.files.mapping import presets

CAUSES_SHOWN = 20
VALUE_CHARS = 40


def understood(name: str, found: Any) -> None:
    """The first lines: what the file is, which column is what, what was guessed."""
    preset = f", {found.preset} export" if found.preset else ""
    if preset and found.preset not in presets():
        preset = f", mapped as “{found.preset}”"
    sheet = f", sheet {found.sheet}" if found.sheet else ""
    note(f"{name}   {found.told}{', header found' if found.columns else ''}{sheet}{preset}")
    why = "" if found.why == "told" else f"   ({found.why}; change with --as)"
    note(f"Goes in as  {found.contract}{why}")
    if found.columns:
        mapped = [column for column in found.columns if column.field]
        ignored = [column.name for column in found.columns if column.how == "ignored" and column.name]
        ours = sum(column.how == "ours" for column in found.columns)
        shown = "  ".join(f"{column.name}→{column.field}" for column in mapped[:6])
        more = f"  … {len(mapped)} mapped" if len(mapped) > 6 else f"   {len(mapped)} mapped"
        left = (
            f", {len(ignored)} ignored ({', '.join(ignored[:6])}{', …' if len(ignored) > 6 else ''})" if ignored else ""
        )
        left += f", {ours} of an errors file passed over" if ours else ""
        note(f"Mapping     {shown}{more}{left}")
    for index, guess in enumerate(found.guesses):
        note(f"{'  guessed:  ' if index == 0 else '            '}{guess}")
    if found.guesses:
        note("            (change with --map COLUMN=FIELD, --decimal, --date-format)")


def columns(found: Any) -> None:
    """Every column with its field and what stands in the first rows."""
    rows = [("column", "field", "how", "first rows")]
    for index, column in enumerate(found.columns):
        cells = [row[index] if index < len(row) else "" for row in found.samples[:3]]
        shown = " | ".join(" ".join(cell.split())[:18] for cell in cells)
        rows.append((column.name, column.field or "–", {"sure": "", "told": "told"}.get(column.how, column.how), shown))
    table(rows)


def fields(known: Iterable[Any], json_: bool) -> None:
    rows = [(field.path, field.kind, field.sentence) for field in known]
    if json_:
        as_json([{"field": path, "kind": kind, "sentence": sentence} for path, kind, sentence in rows])
        return
    table([*rows, ("metadata.<name>", "text", "anything else that is to be kept")])


def causes(found: Any) -> None:
    """`  121  state (shipping_to.state_code)  longer than …  e.g. row 17 "…"  → use a code`"""
    shown = sorted(found.causes, key=lambda cause: (cause.warning, -cause.count))
    rows = []
    for cause in shown[:CAUSES_SHOWN]:
        where = cause.column if cause.column == cause.field or not cause.field else f"{cause.column} ({cause.field})"
        value = f' "{_short(cause.value)}"' if cause.value else ""
        message = f"warning: {cause.message}" if cause.warning else cause.message
        rows.append(
            (
                number(cause.count),
                where or "–",
                message,
                f"e.g. row {number(cause.row)}{value}",
                f"→ {cause.hint}" if cause.hint else "",
            )
        )
    if rows:
        widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
        for count, where, message, example, hint in rows:
            left = f"{count.rjust(max(6, widths[0]))}  {where.ljust(min(widths[1], 40))}"
            click.echo(f"{left}  {message}   {example}   {hint}".rstrip())
    more = len(shown) - CAUSES_SHOWN + found.more_causes
    if more > 0:
        click.echo(f"        and {plural(more, 'further cause')}")


def lost(found: Any, contract: str) -> None:
    from ordermill.files.checking import FILLED_IN

    filled_in = {name: sentence for name, (by, sentence) in FILLED_IN.items() if by == contract}
    named = [name for name in found.lost if name not in filled_in]
    if named:
        note(f"Not carried by {contract}: {', '.join(sorted(named))}   (map a column to metadata.… to keep it)")
    for name, sentence in filled_in.items():
        if found.lost.get(name):
            note(f"{name}: {sentence} ({plural(found.lost[name], 'order')})")


def _short(value: str) -> str:
    value = " ".join(value.split())
    return value if len(value) <= VALUE_CHARS else value[:VALUE_CHARS] + "…"


def checked(path: Path, found: Any, asked: Any, contract: str) -> int:
    """After a dry run. Exit code 1 when something is wrong."""
    if asked.json:
        as_json({"file": str(path), "contract": contract, "written": False, "report": found})
        return 1 if found.failed else 0
    with_lines = f" ({number(found.with_lines)} have several lines)" if found.with_lines else ""
    click.echo(f"{path.name}   {plural(found.rows, 'row')}, {plural(found.orders, 'order')}{with_lines}")
    warned = f"   {number(found.warned)} with warnings" if found.warned else ""
    click.echo(
        f"Checked     {number(found.fine)} fine   {number(found.failed)} with errors{warned}      nothing was written"
    )
    causes(found)
    if not asked.quiet:
        lost(found, contract)
    if not found.orders:
        note(f"{path.name} holds no orders: there is nothing behind its first row")
    elif not found.fine:
        note("No order of it can go in as it is.")
    elif found.failed:
        rest = asked.errors_path(path, documents=False).name
        note(f"Run without --dry-run to import {plural(found.fine, 'good order')}; the rest goes to {rest}.")
    return 0 if found.fine == found.orders > 0 else 1


def resumed(received: int) -> None:
    note(f"Going on    {plural(received, 'order')} of this file are in already (--restart begins anew)")


def already(path: Path, job: Any, batch: Any, asked: Any) -> int:
    """This very file, read this very way, is in."""
    if asked.json:
        as_json({"file": str(path), "state": "completed", "already": True, "batch": batch_told(batch)})
    else:
        received = plural(batch.counts.received, "order")
        note(f"{path.name} is in already: batch bch_{batch.id}, {received}: {counts_line(batch.counts)}")
        note("Nothing was done. --restart imports it again (orders that are there are updated or left as they are).")
    return 1 if batch.counts.failed else 0


def batch_told(batch: Any) -> Any:
    if batch is None:
        return None
    counts = {
        word: getattr(batch.counts, word)
        for word in ("received", "created", "updated", "unchanged", "failed", "waiting")
    }
    return {"id": f"bch_{batch.id}", "status": batch.status.value, "counts": counts}


def ended(path: Path, job: Any, batch: Any, out: Path | None, asked: Any, *, url: str = "") -> int:
    """The last lines, and the exit code."""
    import msgspec

    from ordermill.files.checking import Report

    found = msgspec.json.decode(job.report, type=Report)
    state = job.state if isinstance(job.state, str) else job.state.value
    if asked.json:
        as_json({
            "file": str(path), "import": f"imp_{job.id}", "state": state, "message": job.message,
            "batch": batch_told(batch),
            "errors_file": str(out) if out else None, "report": found,
        })  # fmt: skip
        return _code(path, job, batch)
    if batch is None:
        note(job.message)
        return 1
    click.echo(f"Batch bch_{batch.id}   {plural(batch.counts.received, 'order')}: {counts_line(batch.counts)}")
    if batch.counts.failed and not asked.quiet:
        causes(found)
    if not asked.quiet:
        import json

        lost(found, json.loads(job.understood).get("contract", ""))
    if out is not None:
        click.echo(f"Failed rows → {out}   mend it and send it again:  ordermill import {out}")
    if url:
        click.echo(url)
    received = plural(batch.counts.received, "order")
    if _cannot_be_read_on(path, state, job.message):
        note(f"{job.message}. {received} are in; mend the file and import it again, nothing is doubled.")
        note(f"ordermill batches cancel bch_{batch.id}   closes what was begun.")
    elif state == "stopped":
        note(f"{job.message} ({received} are in).  Continue:  ordermill import {path} --resume")
    elif state != "completed":
        note(job.message or state)
    return _code(path, job, batch)


def _cannot_be_read_on(path: Path, state: str, message: str) -> bool:
    """Stopped by the file itself: what is wrong with it begins with its name, and going on would end there again."""
    return state == "stopped" and message.startswith(path.name)


def _code(path: Path, job: Any, batch: Any) -> int:
    state = job.state if isinstance(job.state, str) else job.state.value
    if _cannot_be_read_on(path, state, job.message):
        return 1
    if state == "stopped":
        return 130
    if state != "completed":
        return 1
    return 1 if batch is not None and batch.counts.failed else 0
