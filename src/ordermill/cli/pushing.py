"""`ordermill push`: a file to any server that speaks one of the contracts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from ordermill.cli.options import fail, settings
from ordermill.cli.plans import make_plan, plan_options
from ordermill.cli.remote import web_address
from ordermill.cli.showing import Progress, as_json, note, number, plural
from ordermill.files.mapping import Plan
from ordermill.files.sniffing import Unusable

CAUSES_SHOWN = 10
ENV_KEY = "ORDERMILL_PUSH_KEY"


class Size(click.ParamType[Any]):
    """5MB, 500kB, 1000000."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([km]?)b?", str(value).strip().lower())
        if not found:
            self.fail("write it as 5MB, 500kB or a number of bytes", param, ctx)
        return int(found[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[found[2]]


class Rate(click.ParamType[Any]):
    """10/s, 60/min."""

    name = "rate"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|sec|m|min|h))?", str(value).strip().lower())
        if not found or not float(found[1]):
            self.fail("write it as 10/s or 60/min", param, ctx)
        return float(found[1]) / {None: 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}[found[2]]


@click.command("push")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "url", required=True, metavar="URL", help="The server, or the contract's own address there.")
@click.option(
    "--dialect", required=True, type=click.Choice(["brevo", "karrio", "centra"]), help="The contract that it speaks."
)
@click.option("--key", metavar="KEY", help=f"Its API key ({ENV_KEY}).")
@click.option(
    "--key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that holds the key."
)
@click.option("--chunk", type=click.IntRange(1, 1_000), default=1_000, show_default=True, help="Orders in one request.")
@click.option("--max-bytes", type=Size(), default="5MB", show_default=True, help="Bytes in one request.")
@click.option("--parallel", type=click.IntRange(1, 32), default=4, show_default=True, help="Requests at a time.")
@click.option("--rate", type=Rate(), help="Requests, e.g. 10/s or 60/min; as fast as it goes unless told.")
@click.option("--historical/--live", default=True, show_default=True, help="Brevo: whether automations stay silent.")
@click.option(
    "--errors", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Where what failed goes."
)
@click.option("--raw", is_flag=True, help="Failed rows exactly as they were.")
@click.option("--resume", is_flag=True, help="Go on where it was stopped (also done unless told).")
@click.option("--restart", is_flag=True, help="Begin anew.")
@click.option("--json", "json_", is_flag=True, help="One JSON document with the result.")
@plan_options
def push(file: Path, **options: Any) -> None:
    """Push a file's orders to a server: another Ordermill, or the vendors' own.

    In chunks of at most 1,000 orders and 5 MB, several at a time, waiting when the server asks for it. What it refuses
    goes to a file with the reasons; what was interrupted goes on where it was.
    """
    from ordermill.cli.local import run

    try:
        sys.exit(run(Pushing(file, options).run()))
    except Unusable as error:
        fail(str(error), 2)


class Pushing:
    """One push, from file to result."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self.path = path
        self.url: str = web_address(options.pop("url"), "--to")
        self.dialect: str = options.pop("dialect")
        self.key = _key(options.pop("key"), options.pop("key_file"))
        self.numbers = {name: options.pop(name) for name in ("chunk", "max_bytes", "parallel", "rate")}
        self.historical: bool = options.pop("historical")
        self.errors: Path | None = options.pop("errors")
        self.raw: bool = options.pop("raw")
        self.resume, self.restart = options.pop("resume"), options.pop("restart")
        self.json: bool = options.pop("json_")
        self.plan: Plan = make_plan(**options, contract=self.dialect)
        self.unread: dict[int, Any] = {}  # position -> problems of orders that could not even be sent
        self.failed: dict[int, Any] = {}
        self.sent = self.pushed = 0

    async def run(self) -> int:
        from ordermill.cli import import_report as report
        from ordermill.cli.local import contracts_of
        from ordermill.client.contracts import WIRES
        from ordermill.client.pushing import Journal, Pace, Push
        from ordermill.client.steps import Refused, Unreachable
        from ordermill.files.reading import Reading
        from ordermill.files.summary import summary

        self.contracts = contracts_of(settings())
        with Reading(self.path, self.plan, self.contracts) as reading:
            if not self.json:
                report.understood(self.path.name, summary(reading.understood))
            identity = self._identity(reading.fingerprint)
            journal = Journal(state_folder() / f"{identity[:32]}.jsonl", identity)
            going_on = not self.restart and journal.read()
            if self.resume and not going_on:
                fail(f"there is no push of {self.path.name} to go on with", 6)
            if not going_on:
                journal.begin()
            elif not self.json:
                note(
                    f"Going on    {plural(sum(d.orders for d in journal.done.values()), 'order')} were answered before"
                )
            pace = Pace(
                orders=self.numbers["chunk"], size_bytes=self.numbers["max_bytes"], parallel=self.numbers["parallel"],
                per_second=self.numbers["rate"],
            )  # fmt: skip
            stopping = asyncio.Event()
            with suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopping.set)
            with Progress("pushing", quiet=self.json) as bar:

                def told(done: Any) -> None:
                    self.pushed += done.orders
                    self.failed.update(done.failed)
                    share = reading.progress() if self.pushed < self.sent else min(1.0, reading.progress())
                    bar.show(self.pushed, max(0.001, share), len(self.failed) + len(self.unread))

                push_ = Push(
                    self.url, WIRES[self.dialect], self.key, identity=identity, pace=pace,
                    historical=self.historical, journal=journal, told=told,
                )  # fmt: skip
                try:
                    whole = await push_.run(self._orders(reading), stopping)
                except Refused as error:
                    fail(f"{self.url} said no: {error}", 4 if error.status in (401, 403) else 5)
                except Unreachable as error:
                    fail(
                        f"{error}; {plural(self.pushed, 'order')} were answered. Continue:  ordermill push … --resume",
                        5,
                    )
        if not whole:
            answered = plural(self.pushed, "order")
            note(f"stopped ({answered} were answered).  Continue:  ordermill push {self.path} … --resume")
            return 130
        code = self._end()
        journal.remove()
        return code

    def _identity(self, fingerprint: str) -> str:
        """The same file, read the same way, to the same place, cut the same way."""
        said = "\0".join(
            (fingerprint, self.url, self.dialect, str(self.numbers["chunk"]), str(self.numbers["max_bytes"]))
        )
        return hashlib.sha256(said.encode()).hexdigest()

    def _orders(self, reading: Any) -> Iterator[Any]:
        """What can be sent. The server judges; only what cannot be put in its contract's form stays here."""
        import time

        from ordermill.client.contracts import Sent

        for piece in reading.pieces(time.time_ns() // 1000):
            if piece.made.document is None:
                self.unread[piece.position] = piece.draft.problems
                continue
            self.sent += 1
            yield Sent(piece.draft.key, piece.made.document)

    def _end(self) -> int:
        wrong = self._wrong()
        out = self._write_errors(wrong) if wrong else None
        taken = self.pushed - len(self.failed)
        if self.json:
            as_json({
                "file": str(self.path), "to": self.url, "dialect": self.dialect,
                "orders": self.pushed + len(self.unread),
                "taken": taken, "failed": len(wrong), "errors_file": str(out) if out else None,
            })  # fmt: skip
        else:
            click.echo(
                f"{plural(self.pushed + len(self.unread), 'order')}: {number(taken)} taken, {number(len(wrong))} failed"
            )
            _tell_causes(wrong)
            if out is not None:
                click.echo(f"Failed orders → {out}   mend it and push it again")
        return 1 if wrong else 0

    def _wrong(self) -> dict[int, tuple[Any, ...]]:
        """Position in the file -> problems."""
        from ordermill.core.batch import Problem

        wrong = dict(self.unread)
        missing = sorted(self.unread)
        for pushed_position, troubles in self.failed.items():
            position = _in_file(pushed_position, missing)
            wrong[position] = tuple(
                Problem(code=t.code, message=t.message, field=t.field, value=t.value, hint=t.hint) for t in troubles
            )
        return wrong

    def _write_errors(self, wrong: dict[int, tuple[Any, ...]]) -> Path:
        """A second pass over the file picks the failed orders out of it."""
        import time

        from ordermill.core.batch import Item, OutcomeKind
        from ordermill.files import errors_file
        from ordermill.files.making import ROWS
        from ordermill.files.reading import Reading
        from ordermill.files.summary import origin_of

        with Reading(self.path, self.plan, self.contracts) as reading:
            documents = bool(reading.understood.form)
            stem = self.path.name[: -len(self.path.suffix)] if self.path.suffix else self.path.name
            out = self.errors or self.path.with_name(f"{stem}.push-errors.{'ndjson' if documents else 'csv'}")
            origin = origin_of(reading.understood)
            with open(out, "wb") as file:
                if not documents:
                    file.write(errors_file.write_header(origin, raw=self.raw))
                for piece in reading.pieces(time.time_ns() // 1000):
                    if piece.position not in wrong:
                        continue
                    kept = (
                        (piece.made.document or piece.draft.document.encode()).decode()
                        if documents
                        else (msgspec.json.encode({ROWS: piece.rows}).decode())
                    )
                    item = Item(
                        id=piece.position, account_id=0, key=piece.draft.key, outcome=OutcomeKind.FAILED,
                        reference=piece.draft.reference, problems=wrong[piece.position], document=kept,
                    )  # fmt: skip
                    write = (
                        errors_file.write_document(item)
                        if documents
                        else errors_file.write_item(item, origin, raw=self.raw)
                    )
                    file.write(write)
        return out


def _tell_causes(wrong: dict[int, tuple[Any, ...]]) -> None:
    """Why orders failed, the most frequent first: nobody should have to open the file for that."""
    from ordermill.files.fields import without_index

    causes: Counter[tuple[str, str, str]] = Counter()
    for problems in wrong.values():
        causes.update({(without_index(problem.field), problem.message, problem.hint) for problem in problems})
    for (field, message, hint), count in causes.most_common(CAUSES_SHOWN):
        where = f"{field}: " if field and field not in message else ""
        click.echo(f"{number(count).rjust(6)}  {where}{message}" + (f"   → {hint}" if hint else ""))
    if len(causes) > CAUSES_SHOWN:
        click.echo(f"        and {plural(len(causes) - CAUSES_SHOWN, 'further cause')}")


def _in_file(pushed: int, missing: list[int]) -> int:
    """The position in the file of the n-th order that was sent, when those at `missing` were not."""
    position = pushed
    for gap in missing:
        if gap <= position:
            position += 1
        else:
            break
    return position


def _key(key: str | None, key_file: Path | None) -> str:
    if key is None and key_file is not None:
        key = key_file.read_text(encoding="utf-8").strip()
    key = key or os.environ.get(ENV_KEY)
    if not key:
        fail(f"the server needs a key: --key, --key-file or {ENV_KEY}", 2)
    return key


def state_folder() -> Path:
    """Where journals of unfinished pushes are kept."""
    folder = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(folder) / "ordermill" / "pushes"
