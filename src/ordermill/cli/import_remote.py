"""`ordermill import` with a server: uploaded, imported there, watched from here."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from ordermill.cli import import_report as report
from ordermill.cli.options import fail
from ordermill.cli.remote import Server
from ordermill.cli.showing import Progress
from ordermill.client.blocking import Ordermill
from ordermill.client.steps import Refused, Unreachable
from ordermill.files.checking import Cause, Report
from ordermill.files.summary import Summary, SummaryColumn
from ordermill.web import import_shapes as shapes
from ordermill.web.plans import read_plan, read_preset, tell_plan

POLL_S = 0.3
WORKED_ON = ("checking", "queued", "running")


class RemoteImport:
    """One file."""

    def __init__(self, asked: Any, path: Path, server: Server) -> None:
        self.asked = asked
        self.path = path
        self.server = server
        self.client = Ordermill(server.url, server.key)

    def run(self) -> int:
        """The exit code."""
        try:
            with self.client:
                return self._run()
        except Refused as error:
            fail(
                f"{self.server.url}: {error}",
                4 if error.status in (401, 403) else 2 if error.status in (400, 422) else 5,
            )
        except Unreachable as error:
            fail(str(error), 5)

    def _run(self) -> int:
        if self.asked.names_preset:
            self.asked.fill([read_preset(preset) for preset in self.client.presets()])
        found = None if self.asked.restart or self.asked.dry_run else self._same()
        if found is not None and found.state == "completed":
            return report.already(self.path, None, self._batch(found), self.asked)
        if found is None and self.asked.resume:
            fail(f"there is no import of {self.path.name} to go on with", 6)
        if found is None:
            found = self._upload()
        else:
            if not self.asked.quiet:
                report.resumed(found.counts.received if found.counts else 0)
        if not self.asked.quiet and found.file is not None:
            report.understood(self.path.name, _summary(found.file))
        if self.asked.dry_run:
            return self._check(found)
        return self._import(found)

    def _upload(self) -> shapes.Import:
        found = self.client.upload(self.path)
        plan = self._plan()
        if plan != shapes.ImportPlan():
            try:
                found = self.client.plan_import(found.id, plan)
            except Refused:
                self.client.drop_import(found.id)
                raise
        if found.state == "failed":
            self.client.drop_import(found.id)
            fail(found.message, 2)
        return found

    def _plan(self) -> shapes.ImportPlan:
        return tell_plan(self.asked.plan)

    def _same(self) -> shapes.Import | None:
        """An import of this very file, read this very way, that has begun."""
        from ordermill.files.sniffing import sniff

        sha256 = sniff(self.path, encoding=self.asked.plan.encoding, delimiter=self.asked.plan.delimiter).sha256
        plan = self._plan()
        for found in self.client.imports():
            same = found.sha256 == sha256 and found.batch_id is not None and _reads_as(found.plan, plan)
            if same and found.state in ("completed", "stopped", *WORKED_ON):
                return found
        return None

    def _check(self, found: shapes.Import) -> int:
        found = self._wait(self.client.check_import(found.id), "checking")
        self.client.drop_import(found.id)
        if found.state == "failed":
            fail(found.message, 2)
        contract = found.file.contract if found.file else ""
        return report.checked(self.path, _report(found.report), self.asked, contract)

    def _import(self, found: shapes.Import) -> int:
        try:
            found = self._wait(self.client.start_import(found.id), "importing")
        except KeyboardInterrupt:
            found = self._wait(self._stopped(found.id), "stopping")
        out = None
        if found.counts is not None and found.counts.failed:
            documents = found.file is not None and not found.file.columns
            out = self.asked.errors_path(self.path, documents=documents)
            with open(out, "wb") as file:
                for piece in self.client.import_errors(found.id, "ndjson" if documents else "csv", raw=self.asked.raw):
                    file.write(piece)
        job = SimpleNamespace(
            id=found.id.removeprefix("imp_"), state=found.state, message=found.message,
            report=msgspec.json.encode(_report(found.report)).decode(),
            understood=msgspec.json.encode({"contract": found.file.contract if found.file else ""}).decode(),
        )  # fmt: skip
        url = f"{self.server.url}/batches/{found.batch_id}" if found.batch_id else ""
        return report.ended(self.path, job, self._batch(found), out, self.asked, url="" if self.asked.quiet else url)

    def _stopped(self, import_id: str) -> shapes.Import:
        try:
            return self.client.stop_import(import_id)
        except Refused:  # it was at its end already
            return self.client.get_import(import_id)

    def _wait(self, found: shapes.Import, what: str) -> shapes.Import:
        with Progress(what, quiet=self.asked.quiet) as bar:
            while found.state in WORKED_ON or (what == "stopping" and found.report is None):
                time.sleep(POLL_S)
                found = self.client.get_import(found.id)
                if found.counts is not None:
                    bar.show(found.counts.received, max(0.001, found.share), found.counts.failed)
                if what == "stopping" and found.state == "stopped" and found.counts is not None:
                    break
        return found

    def _batch(self, found: shapes.Import) -> Any:
        if found.batch_id is None or found.counts is None:
            return None
        number = int(found.batch_id.removeprefix("bch_"))
        status = SimpleNamespace(value=found.state)
        return SimpleNamespace(id=number, counts=found.counts, status=status)


def _reads_as(one: shapes.ImportPlan, other: shapes.ImportPlan) -> bool:
    """The same reading: what happens after an error aside, and what a preset was called."""
    return read_plan(one).reading == read_plan(other).reading


def _summary(file: shapes.ImportFile) -> Summary:
    return Summary(
        contract=file.contract,
        why=file.why,
        told=file.told,
        preset=file.preset,
        sheet=file.sheet,
        guesses=tuple(file.guesses),
        columns=tuple(SummaryColumn(column.name, column.field, column.how) for column in file.columns),
    )


def _report(found: shapes.ImportReport | None) -> Report:
    if found is None:
        return Report(causes=[], lost={})
    return Report(
        orders=found.orders,
        rows=found.rows,
        failed=found.failed,
        with_lines=found.with_lines,
        warned=found.warned,
        causes=[Cause(**{name: getattr(cause, name) for name in cause.__struct_fields__}) for cause in found.causes],
        more_causes=found.more_causes,
        lost=found.not_carried,
    )
