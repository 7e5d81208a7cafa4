"""`ordermill import` and `ordermill map`: a file into the ledger, and how its columns are understood."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from ordermill.cli import import_report as report
from ordermill.cli.options import fail, settings, store_options, told_plainly
from ordermill.cli.plans import make_plan, plan_options
from ordermill.cli.remote import server_options, server_told
from ordermill.cli.showing import Progress, as_json, note
from ordermill.core.presets import SavedPreset
from ordermill.files.mapping import Plan
from ordermill.files.sniffing import Unusable

CONTRACTS = click.Choice(["karrio", "brevo", "centra"])


class OnError(click.ParamType[Any]):
    """continue, stop, or stop-after:N."""

    name = "continue|stop|stop-after:N"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int | None]:
        if isinstance(value, tuple):
            return value
        if value in ("continue", "stop"):
            return value, None
        word, _, count = str(value).replace("=", ":").replace(" ", ":").partition(":")
        if word == "stop-after" and count.isdecimal():
            return "continue", int(count)
        self.fail("must be continue, stop or stop-after:N", param, ctx)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "contract",
    type=CONTRACTS,
    help="As which contract's orders they go in; guessed from the columns unless told.",
)
@plan_options
@click.option("--dry-run", is_flag=True, help="Read everything, tell every error by cause, write nothing.")
@click.option(
    "--historical/--live", default=None, help="Past orders (unless told), nobody is told of each; or live ones."
)
@click.option(
    "--on-error",
    type=OnError(),
    help="What an order that fails does: continue (unless told), stop, or stop-after:N.",
)
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="Where the failed rows go; FILE.errors.csv unless told.",
)
@click.option(
    "--raw", is_flag=True, help="Failed rows exactly as they were, without the quote before what looks like a formula."
)
@click.option(
    "--resume", is_flag=True, help="Go on with an import of this file that was stopped (also done unless told)."
)
@click.option("--restart", is_flag=True, help="Begin anew, even where this very file is in already.")
@click.option("--test", is_flag=True, help="As test data (the local ledger; with --server the key decides).")
@click.option("--json", "json_", is_flag=True, help="One JSON document with everything that was found.")
@click.option("--quiet", is_flag=True, help="No progress, no mapping; the result only.")
@server_options
@store_options
def import_(files: tuple[Path, ...], **options: Any) -> None:
    """Import orders from CSV, TSV, XLSX, XLS, ODS, NDJSON or JSON files.

    Rows with one order id are one order. What fails is written to a file with the original columns and the reasons:
    mend it and import that file. An interrupted import goes on where it was, and doubles nothing.
    """
    asked = Asked(options)
    codes = [asked.run(path) for path in files]
    sys.exit(max(codes))


class Asked:
    """What one call of the command asked for."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.dry_run: bool = options.pop("dry_run")
        self.errors: Path | None = options.pop("errors")
        self.raw: bool = options.pop("raw")
        self.resume: bool = options.pop("resume")
        self.restart: bool = options.pop("restart")
        self.json: bool = options.pop("json_")
        self.quiet: bool = options.pop("quiet") or self.json
        self.test: bool = options.pop("test")
        self.server = {name: options.pop(name) for name in ("server", "key", "key_file", "profile")}
        self.store = {name: options.pop(name) for name in ("data", "database_url")}
        self.told = _told(options.pop("historical"), options.pop("on_error"))
        if self.errors is not None and not self.errors.parent.is_dir():  # said before anything is in, not behind it
            fail(f"there is no folder {self.errors.parent} for the failed rows", 2)
        if self.resume and self.restart:
            fail("--resume and --restart are each other's opposite", 2)
        try:
            plan = make_plan(**options)
        except Unusable as error:
            fail(str(error), 2)
        self.plan: Plan = msgspec.structs.replace(plan, **self.told)

    @property
    def names_preset(self) -> bool:
        """Whether the plan waits for what a preset says."""
        return bool(self.plan.preset) and not self.plan.preset_applied

    def fill(self, known: Sequence[SavedPreset]) -> None:
        """The plan with what the preset says that it names. Raises Unusable for one that nobody knows."""
        from ordermill.files import saved

        found = saved.find_named(self.plan.preset, known)
        if found is not None:  # what was told goes before it, even where that is what holds unless told
            self.plan = msgspec.structs.replace(saved.fill(self.plan, found), **self.told)

    def run(self, path: Path) -> int:
        """The exit code for one file."""
        from ordermill.cli.remote import running_server

        server = server_told(**self.server)
        config = settings(**self.store)
        if server is None:
            server = running_server(config, test=self.test)
        try:
            if server is not None:
                from ordermill.cli.import_remote import RemoteImport

                return RemoteImport(self, path, server).run()
            with told_plainly():
                from ordermill.cli.local import run

                return run(LocalImport(self, path, config).run())
        except Unusable as error:
            fail(str(error), 2)

    def errors_path(self, path: Path, *, documents: bool) -> Path:
        if self.errors is not None:
            return self.errors
        stem = path.name[: -len(path.suffix)] if path.suffix else path.name
        while stem.endswith(".errors"):
            stem = stem.removesuffix(".errors")
        name = f"{stem}.errors.{'ndjson' if documents else 'csv'}"
        made = path.with_name(name)
        return made if made != path else path.with_name(f"{stem}.errors.2{made.suffix}")


def _told(historical: bool | None, on_error: tuple[str, int | None] | None) -> dict[str, Any]:
    told: dict[str, Any] = {} if historical is None else {"historical": historical}
    return told if on_error is None else {**told, "on_error": on_error[0], "stop_after": on_error[1]}


class LocalImport:
    """Into the ledger of this machine, without a server."""

    def __init__(self, asked: Asked, path: Path, config: Any) -> None:
        self.asked = asked
        self.path = path
        self.config = config
        self.stopping = asyncio.Event()

    async def run(self) -> int:
        from ordermill.app import reader_settings
        from ordermill.cli.local import Desk
        from ordermill.core.order import Mode
        from ordermill.files.reading import Reading
        from ordermill.files.summary import summary
        from ordermill.work.importer import Importer

        mode = Mode.TEST if self.asked.test else Mode.LIVE
        async with Desk(self.config, mode=mode).open() as desk:
            importer = Importer(
                desk.ledger, desk.imports, desk.contracts, desk.clock, owner="command line",
                settings=reader_settings(self.config),
            )  # fmt: skip
            if self.asked.names_preset:
                self.asked.fill(await desk.presets.find_all(desk.sender))
            with Reading(self.path, self.asked.plan, desk.contracts) as reading:
                if not self.asked.quiet:
                    report.understood(self.path.name, summary(reading.understood))
                if self.asked.dry_run:
                    return await self._check(importer, desk, reading)
                return await self._import(importer, desk, reading)

    async def _check(self, importer: Any, desk: Any, reading: Any) -> int:
        found: Any = None
        with Progress("checking", quiet=self.asked.quiet) as bar:
            async for running in importer.check(self._job(desk, reading), reading):
                found = running.report
                bar.show(found.orders, running.done, found.failed)
        return report.checked(self.path, found, self.asked, reading.understood.contract)

    def _job(self, desk: Any, reading: Any) -> Any:
        from ordermill.core.importing import ImportJob, ImportState

        return ImportJob(
            account_id=desk.sender.account_id,
            id=0,
            mode=desk.sender.mode,
            key_id=desk.sender.key_id,
            name=self.path.name,
            state=ImportState.QUEUED,
            size_bytes=reading.sniffed.size_bytes,
            sha256=reading.sniffed.sha256,
            fingerprint=reading.fingerprint,
            plan=msgspec.json.encode(reading.plan).decode(),
        )

    async def _import(self, importer: Any, desk: Any, reading: Any) -> int:
        from ordermill.core.importing import ImportState
        from ordermill.files.summary import origin_of

        job = None if self.asked.restart else await desk.imports.find_same(desk.sender, reading.fingerprint)
        if job is not None and job.state is ImportState.COMPLETED:
            batch = await desk.ledger.find_batch(desk.sender, job.batch_id)
            return report.already(self.path, job, batch, self.asked)
        if job is not None and job.state in (ImportState.STOPPED, ImportState.FAILED):
            job = await desk.imports.move(job, ImportState.QUEUED)
        elif job is not None and job.state not in (ImportState.RUNNING, ImportState.QUEUED):
            job = None
        if job is None and self.asked.resume:
            fail(f"there is no import of {self.path.name} to go on with", 6)
        if job is not None and not self.asked.quiet:
            batch = await desk.ledger.find_batch(desk.sender, job.batch_id)
            report.resumed(batch.counts.received)
        if job is None:
            job = await desk.imports.create(desk.sender, self._job(desk, reading))
        claimed = await desk.imports.claim(job, importer.owner)
        if claimed is None:
            fail("this import is being worked on by another process; wait a minute, or stop that one", 3)
        job = await self._go(importer, desk, claimed, reading)
        batch = None if job.batch_id is None else await desk.ledger.find_batch(desk.sender, job.batch_id)
        out = None
        if batch is not None and batch.counts.failed:
            out = self.asked.errors_path(self.path, documents=bool(reading.understood.form))
            await write_errors(
                desk,
                batch.id,
                origin_of(reading.understood),
                out,
                raw=self.asked.raw,
                documents=bool(reading.understood.form),
            )
        return report.ended(self.path, job, batch, out, self.asked)

    async def _go(self, importer: Any, desk: Any, claimed: Any, reading: Any) -> Any:
        """The import as it ended."""
        from ordermill.core.importing import ImportState
        from ordermill.running import calm_collector

        self._listen()
        calm_collector()
        with Progress("importing", quiet=self.asked.quiet) as bar:

            def show(running: Any) -> None:
                bar.show(running.batch.counts.received, running.done, running.batch.counts.failed)

            try:
                return await importer.run(claimed, reading, stopping=self.stopping, progress=show)
            except BaseException:  # what is in stays in; the next try need not wait for the lease to end
                with suppress(Exception):
                    left = msgspec.structs.replace(claimed, state=ImportState.STOPPED, message="interrupted")
                    await desk.imports.leave(left)
                raise

    def _listen(self) -> None:
        """Ctrl-C ends behind the chunk in hand; a second one at once."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self.stopping.is_set():
                loop.remove_signal_handler(signal.SIGINT)
            self.stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, stop)


async def write_errors(desk: Any, batch_id: int, origin: Any, out: Path, *, raw: bool, documents: bool) -> None:
    """The failed orders of a batch, page by page out of the ledger, put in place in one go."""
    from ordermill.files import errors_file

    partial = out.with_name(out.name + ".part")
    partial.write_bytes(b"" if documents else errors_file.write_header(origin, raw=raw))
    async for items in _failed(desk, batch_id):
        write = errors_file.write_document if documents else _row_writer(origin, raw)
        await asyncio.to_thread(_append, partial, b"".join(map(write, items)))
    partial.replace(out)


def _row_writer(origin: Any, raw: bool) -> Callable[[Any], bytes]:
    from ordermill.files import errors_file

    return lambda item: errors_file.write_item(item, origin, raw=raw)


def _append(path: Path, part: bytes) -> None:
    with open(path, "ab") as file:
        file.write(part)


async def _failed(desk: Any, batch_id: int) -> AsyncIterator[tuple[Any, ...]]:
    from ordermill.core.batch import OutcomeKind
    from ordermill.core.query import ItemQuery

    position, more = -1, True
    while more:
        query = ItemQuery(
            batch_id=batch_id, outcomes=(OutcomeKind.FAILED,), after_position=position, limit=500, with_document=True
        )
        page = await desk.ledger.find_items(desk.sender, query)
        if page.entries:
            position = page.entries[-1].position
            yield page.entries
        more = page.more


@click.command("map")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "contract", type=CONTRACTS, help="For which contract.")
@plan_options
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="MAP.toml",
    help="Write the mapping to a map file, to be changed and given to --map.",
)
@click.option("--fields", is_flag=True, help="List the fields that columns can be mapped to.")
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def map_(file: Path | None, write: Path | None, fields: bool, json_: bool, **options: Any) -> None:
    """Show how a file's columns are understood, with a few rows."""
    from ordermill.cli.local import contracts_of
    from ordermill.files import mapping
    from ordermill.files.fields import FIELDS
    from ordermill.files.reading import Reading
    from ordermill.files.summary import summary

    if fields:
        report.fields(FIELDS.values(), json_)
        return
    if file is None:
        raise click.UsageError("name a file, or --fields")
    try:
        with Reading(file, make_plan(**options), contracts_of(settings())) as reading:
            found = reading.understood
            if not found.columns:
                raise Unusable(f"{file.name} has no columns: it is {found.sniffed.told()}")
            if json_:
                as_json(summary(found))
            else:
                report.understood(file.name, summary(found))
                report.columns(summary(found))
            if write is not None:
                write.write_text(mapping.write_map(found.columns, reading.plan, found.contract), encoding="utf-8")
                note(f"written to {write}; use it with --map {write}")
    except Unusable as error:
        fail(str(error), 2)
