"""Imports: chunk by chunk, stopped and gone on with, cancelled, taken up by another; nothing doubled, nothing lost."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ledgers import Clock

from ordermill.core.batch import BatchStatus, OutcomeKind, Sender
from ordermill.core.errors import Conflict
from ordermill.core.importing import LEASE_S, ImportJob, ImportState
from ordermill.core.order import Mode
from ordermill.core.query import ItemQuery, OrderQuery
from ordermill.examples import night
from ordermill.files.checking import Report
from ordermill.files.mapping import Plan
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable
from ordermill.store import imports as store_imports
from ordermill.store.ledger import Ledger
from ordermill.work.apart import AskedToEnd
from ordermill.work.importer import Importer
from ordermill.work.stepping import ClockSteps
from ordermill.work.walking import Running

pytestmark = pytest.mark.anyio
_names = itertools.count()


@pytest.fixture
async def sender(ledger: Ledger) -> Sender:
    """A sender of an account of its own."""
    account = await ledger.create_account(f"importer {next(_names)} {id(ledger)}")
    return Sender(account_id=account.id, mode=Mode.LIVE, key_id="k1", request_id="r1")


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def made(orders: int = 350, wrong: dict[str, int] | None = None) -> Path:
        path = tmp_path / "night.csv"
        path.write_text(night.text(orders, wrong or {}), encoding="utf-8")
        return path

    return made


class Try:
    """One import of one file, run as often as a test likes."""

    def __init__(self, importer: Importer, sender: Sender, path: Path, **plan: Any) -> None:
        self.importer = importer
        self.sender = sender
        self.path = path
        self.plan = Plan(**plan)
        self.seen: list[Running] = []
        self.stopping = asyncio.Event()
        self.stop_after: int | None = None
        self.job: ImportJob | None = None

    async def run(self) -> ImportJob:
        imports = self.importer.imports
        with Reading(self.path, self.plan, self.importer.contracts) as reading:
            if self.job is None:
                fresh = ImportJob(
                    account_id=0, id=0, mode=Mode.LIVE, key_id="", name=reading.name, state=ImportState.QUEUED,
                    sha256=reading.sniffed.sha256, fingerprint=reading.fingerprint,
                    plan=msgspec.json.encode(self.plan).decode(),
                )  # fmt: skip
                self.job = await imports.create(self.sender, fresh)
            elif self.job.state is ImportState.STOPPED:
                self.job = await imports.move(self.job, ImportState.QUEUED)
            self.stopping.clear()
            claimed = await imports.claim(await imports.get(self.sender, self.job.id), self.importer.owner)
            assert claimed is not None
            self.job = await self.importer.run(claimed, reading, stopping=self.stopping, progress=self._saw)
        return self.job

    def _saw(self, running: Running) -> None:
        self.seen.append(running)
        if self.stop_after is not None and len(self.seen) >= self.stop_after:
            self.stopping.set()

    async def batch(self) -> Any:
        assert self.job is not None
        assert self.job.batch_id is not None
        return await self.importer.store.find_batch(self.sender, self.job.batch_id)

    async def references(self) -> list[str]:
        """Of all orders of the account, by receipt."""
        found: list[str] = []
        after: int | None = None
        while True:
            query = OrderQuery(limit=1000, descending=False, after_id=after, with_document=False, with_count=False)
            page = await self.importer.store.find_orders(self.sender, query)
            found += [order.reference for order in page.entries]
            if not page.more:
                return found
            after = page.entries[-1].id


async def test_a_file_becomes_one_batch_that_runs_until_its_last_chunk(
    importer: Importer, sender: Sender, file: Any
) -> None:
    attempt = Try(importer, sender, file(wrong=None))
    job = await attempt.run()
    assert job.state is ImportState.COMPLETED
    assert [running.batch.status for running in attempt.seen if running.batch] == [
        BatchStatus.RUNNING, BatchStatus.RUNNING, BatchStatus.RUNNING, BatchStatus.COMPLETED,
    ]  # fmt: skip
    batch = await attempt.batch()
    assert (batch.counts.received, batch.counts.created, batch.origin) == (350, 350, "import")
    assert await attempt.references() == [f"N-{100_000 + number}" for number in range(350)]


async def test_failed_orders_stay_with_their_rows_and_the_rest_goes_in(
    importer: Importer, sender: Sender, file: Any
) -> None:
    attempt = Try(importer, sender, file(120, {"state": 3, "weight_unit": 2, "lines": 1}))
    await attempt.run()
    batch = await attempt.batch()
    assert (batch.counts.created, batch.counts.failed, batch.status) == (114, 6, BatchStatus.COMPLETED_WITH_ERRORS)
    query = ItemQuery(batch_id=batch.id, outcomes=(OutcomeKind.FAILED,), with_document=True)
    items = (await importer.store.find_items(sender, query)).entries
    assert len(items) == 6
    assert all("ordermill_rows" in (item.document or "") for item in items)
    report = msgspec.json.decode(attempt.job.report if attempt.job else "", type=Report)
    assert (report.orders, report.failed, sorted(cause.count for cause in report.causes)) == (120, 6, [1, 2, 3])


@pytest.mark.parametrize("chunks", [1, 2, 3])
async def test_what_was_stopped_goes_on_where_it_was(
    importer: Importer, sender: Sender, file: Any, chunks: int
) -> None:
    attempt = Try(importer, sender, file(350, {"state": 7}))
    attempt.stop_after = chunks
    assert (await attempt.run()).state is ImportState.STOPPED
    batch = await attempt.batch()
    assert (batch.counts.received, batch.status) == (100 * chunks, BatchStatus.RUNNING)
    attempt.stop_after = None
    assert (await attempt.run()).state is ImportState.COMPLETED
    batch = await attempt.batch()
    assert (batch.counts.received, batch.counts.created, batch.counts.failed) == (350, 343, 7)
    references = await attempt.references()
    assert len(references) == len(set(references)) == 343


async def test_the_same_file_twice_changes_nothing(importer: Importer, sender: Sender, file: Any) -> None:
    path = file(150)
    await Try(importer, sender, path).run()
    again = Try(importer, sender, path)
    await again.run()
    assert (await again.batch()).counts.unchanged == 150
    same = await importer.imports.find_same(sender, again.job.fingerprint if again.job else "")
    assert same is not None
    assert same.id == (again.job.id if again.job else 0)


async def test_a_cancelled_batch_ends_its_import(importer: Importer, sender: Sender, file: Any) -> None:
    attempt = Try(importer, sender, file())
    attempt.stop_after = 1
    await attempt.run()
    attempt.stop_after = None
    assert attempt.job is not None
    await importer.store.cancel_batch(sender, attempt.job.batch_id)  # type: ignore[attr-defined]
    assert (await attempt.run()).state is ImportState.CANCELLED
    assert len(await attempt.references()) == 100


async def test_stop_on_error_ends_behind_the_order_that_failed(importer: Importer, sender: Sender, file: Any) -> None:
    attempt = Try(importer, sender, file(300, {"country": 2}), on_error="stop")
    job = await attempt.run()
    assert job.state is ImportState.STOPPED
    first = (await attempt.batch()).counts
    assert (first.failed, first.created) == (1, first.received - 1)
    assert (await attempt.run()).state is ImportState.STOPPED
    assert (await attempt.batch()).counts.failed == 2
    assert (await attempt.run()).state is ImportState.COMPLETED
    assert (await attempt.batch()).counts.created == 298


async def test_stop_after_n_allows_n(importer: Importer, sender: Sender, file: Any) -> None:
    attempt = Try(importer, sender, file(250, {"country": 5}), stop_after=3)
    assert (await attempt.run()).state is ImportState.STOPPED
    assert (await attempt.batch()).counts.failed == 4


async def test_a_check_writes_nothing_and_finds_everything(importer: Importer, sender: Sender, file: Any) -> None:
    path = file(150, {"state": 4, "weight_unit": 3})
    with Reading(path, Plan(), importer.contracts) as reading:
        job = ImportJob(
            account_id=sender.account_id, id=0, mode=sender.mode, key_id="k1", name="x", state=ImportState.CHECKING
        )
        last = [running async for running in importer.check(job, reading)][-1]
    assert last.report is not None
    assert (last.report.orders, last.report.failed) == (150, 7)
    assert not (await importer.store.find_orders(sender, OrderQuery())).entries


async def test_a_file_without_orders_leaves_no_batch(importer: Importer, sender: Sender, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(",".join(night.HEADER) + "\n")
    attempt = Try(importer, sender, path)
    job = await attempt.run()
    assert (job.state, job.batch_id) == (ImportState.FAILED, None)


async def test_a_clock_that_was_set_back_does_not_prolong_a_lease(
    importer: Importer, ledger: Ledger, sender: Sender, clock: Clock
) -> None:
    steady = [0]
    steps = ClockSteps(ledger, clock, monotonic=lambda: steady[0])
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="n", state=ImportState.QUEUED, plan="{}")
    job = await importer.imports.create(sender, fresh)
    assert await importer.imports.claim(job, "gone") is not None
    clock.advance(-86_400)
    await steps.look()

    async def due_after(seconds: float) -> bool:
        clock.advance(seconds)
        steady[0] += int(seconds * 1_000_000)
        await steps.look()
        return job.id in [entry.id for entry in await importer.imports.find_due(1_000)]

    assert not await due_after(LEASE_S - 1)
    assert await due_after(2)
    again = await importer.imports.claim(await importer.imports.get(sender, job.id), "test")
    assert again is not None
    await importer.imports.leave(msgspec.structs.replace(again, state=ImportState.CANCELLED))


async def test_only_one_may_work_on_an_import_until_the_lease_is_over(
    importer: Importer, sender: Sender, clock: Clock
) -> None:
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="x", state=ImportState.QUEUED)
    job = await importer.imports.create(sender, fresh)
    mine = await importer.imports.claim(job, "me")
    assert mine is not None
    assert await importer.imports.claim(job, "you") is None
    assert await importer.imports.claim(mine, "you") is None
    clock.advance(LEASE_S + 1)
    yours = await importer.imports.claim(mine, "you")
    assert yours is not None
    assert not await importer.imports.renew(mine, 0)
    assert await importer.imports.renew(yours, 0)
    assert not await importer.imports.leave(mine)


async def test_of_streams_that_begin_at_once_under_one_key_only_one_goes_on(
    importer: Importer, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store_imports._create

    def slowly(*words: Any) -> ImportJob:
        time.sleep(0.2)  # between looking and writing, in a lane's thread
        return create(*words)

    monkeypatch.setattr(store_imports, "_create", slowly)
    fresh = ImportJob(
        account_id=0, id=0, mode=Mode.LIVE, key_id="", name="stream", state=ImportState.STOPPED, fingerprint="same"
    )
    tries = [importer.imports.take_stream(sender, fresh, f"connection {number}") for number in range(12)]
    taken = [job for job in await asyncio.gather(*tries) if job is not None]
    assert [job.state for job in taken] == [ImportState.STREAMING]
    assert [job.id for job in await importer.imports.find_page(sender, 50)] == [taken[0].id]
    await importer.imports.leave(msgspec.structs.replace(taken[0], state=ImportState.STOPPED))
    again = await importer.imports.take_stream(sender, fresh, "another")
    assert again is not None
    assert (again.id, again.attempt) == (taken[0].id, taken[0].attempt + 1)


async def test_a_file_in_the_ledger_is_imported_by_whoever_finds_it(
    importer: Importer, sender: Sender, file: Any
) -> None:
    content = file(210, {"state": 2}).read_bytes()
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="night.csv", state=ImportState.READY)
    job = await importer.imports.create(sender, fresh)
    for number, start in enumerate(range(0, len(content), 10_000)):
        await importer.imports.save_part(job, number, content[start : start + 10_000])
    await importer.imports.move(job, ImportState.CHECKING)
    assert await importer.run_once()
    checked = await importer.imports.get(sender, job.id)
    assert (checked.state, msgspec.json.decode(checked.report, type=Report).failed) == (ImportState.READY, 2)
    await importer.imports.move(checked, ImportState.QUEUED)
    assert await importer.run_once()
    done = await importer.imports.get(sender, job.id)
    assert done.state is ImportState.COMPLETED
    batch = await importer.store.find_batch(sender, done.batch_id or 0)
    assert batch is not None
    assert (batch.counts.created, batch.counts.failed) == (208, 2)
    assert await importer.imports.find_part(done, 0) is None


async def test_a_server_that_leaves_gives_its_import_to_the_next_one(
    importer: Importer, sender: Sender, file: Any
) -> None:
    content = file(320).read_bytes()
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="night.csv", state=ImportState.QUEUED)
    job = await importer.imports.create(sender, fresh)
    await importer.imports.save_part(job, 0, content)
    leaving = asyncio.Event()
    leaving.set()
    assert await importer.run_once(leaving)
    waiting = await importer.imports.get(sender, job.id)
    assert waiting.state is ImportState.QUEUED
    assert await importer.run_once()
    done = await importer.imports.get(sender, job.id)
    batch = await importer.store.find_batch(sender, done.batch_id or 0)
    assert batch is not None
    assert (done.state, batch.counts.created) == (ImportState.COMPLETED, 320)


async def test_an_import_that_is_worked_on_cannot_be_dropped(importer: Importer, sender: Sender) -> None:
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="x", state=ImportState.QUEUED)
    job = await importer.imports.create(sender, fresh)
    with pytest.raises(Conflict):
        await importer.imports.drop(sender, job.id)


async def test_whoever_has_lost_an_import_that_is_gone_by_now_says_so(
    importer: Importer, sender: Sender, file: Any, clock: Clock
) -> None:
    """Its lease ran out (the machine slept), somebody deleted it, and the next chunk is behind."""
    attempt = Try(importer, sender, file(350))
    drop = importer.imports.drop

    async def renew(job: ImportJob, permille: int) -> bool:
        clock.advance(LEASE_S + 1)
        await importer.imports.move(msgspec.structs.replace(job, state=ImportState.RUNNING), ImportState.STOPPED)
        await drop(sender, job.id)
        return False

    importer.imports.renew = renew  # type: ignore[method-assign]
    saw = attempt._saw

    def slowly(running: Running) -> None:
        clock.advance(2)
        saw(running)

    attempt._saw = slowly  # type: ignore[method-assign]
    job = await attempt.run()
    assert (job.state, job.message) == (ImportState.CANCELLED, "deleted")


async def test_a_large_file_is_read_in_a_process_of_its_own_and_comes_to_the_same(
    ledger: Ledger, importer: Importer, sender: Sender, file: Any, clock: Clock
) -> None:
    beside = Importer(
        ledger, importer.imports, importer.contracts, clock, owner="test", chunk=100, settings=b"{}", apart_from_bytes=0
    )
    path = file(450, {"state": 4, "lines": 2})
    attempt = Try(beside, sender, path)
    attempt.stop_after = 2
    assert (await attempt.run()).state is ImportState.STOPPED
    attempt.stop_after = None
    job = await attempt.run()
    assert job.state is ImportState.COMPLETED
    counts = (await attempt.batch()).counts
    assert (counts.received, counts.created, counts.failed) == (450, 444, 6)
    assert len(set(await attempt.references())) == 444
    report = msgspec.json.decode(job.report, type=Report)
    assert all(cause.row > 1 for cause in report.causes)
    checked = Try(importer, sender, path)
    with Reading(path, Plan(), importer.contracts) as reading:
        there = [running async for running in beside.check(job, reading)][-1].report
    with Reading(path, Plan(), importer.contracts) as reading:
        here = [running async for running in importer.check(job, reading)][-1].report
    assert there == here
    assert checked.seen == []


async def test_a_reader_that_is_killed_is_told_and_leaves_everything_as_it_was(
    ledger: Ledger, importer: Importer, sender: Sender, file: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordermill.work.apart.MODULE", "no_such_module")
    beside = Importer(
        ledger, importer.imports, importer.contracts, clock, owner="test", chunk=100, settings=b"{}", apart_from_bytes=0
    )
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="night.csv", state=ImportState.QUEUED)
    job = await importer.imports.create(sender, fresh)
    await importer.imports.save_part(job, 0, file(10).read_bytes())
    while await beside.run_once():  # others may have left something
        pass
    left = await importer.imports.get(sender, job.id)
    assert (left.state, left.batch_id) == (ImportState.FAILED, None)
    assert "the reader ended" in left.message


async def test_a_reader_that_gets_the_servers_signal_goes_on(
    ledger: Ledger, importer: Importer, sender: Sender, file: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service manager sends it to every process of the server; this one ends when nobody reads any more."""
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def starting(*words: Any, **more: Any) -> asyncio.subprocess.Process:
        started.append(await start(*words, **more))
        return started[-1]

    monkeypatch.setattr("ordermill.work.apart.asyncio.create_subprocess_exec", starting)
    beside = Importer(
        ledger, importer.imports, importer.contracts, clock, owner="test", chunk=1, settings=b"{}", apart_from_bytes=0
    )
    attempt = Try(beside, sender, file(2_000))
    saw = attempt._saw

    def signalled(running: Running) -> None:
        if len(attempt.seen) == 1:
            started[0].send_signal(signal.SIGTERM)
        saw(running)

    attempt._saw = signalled  # type: ignore[method-assign]
    assert (await attempt.run()).state is ImportState.COMPLETED
    assert (await attempt.batch()).counts.received == 2_000


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("state", [ImportState.QUEUED, ImportState.CHECKING])
async def test_a_reader_that_is_ended_with_the_server_leaves_its_work_to_the_next_one(
    importer: Importer, sender: Sender, file: Any, monkeypatch: pytest.MonkeyPatch, state: ImportState, asked: bool
) -> None:
    fresh = ImportJob(account_id=0, id=0, mode=Mode.LIVE, key_id="", name="night.csv", state=state)
    job = await importer.imports.create(sender, fresh)
    await importer.imports.save_part(job, 0, file(320).read_bytes())
    stopping = asyncio.Event()
    frames = importer.frames

    async def ended(reading: Reading, skip: int) -> Any:
        async for frame in frames(reading, skip):
            yield frame
            break
        if not asked:
            stopping.set()
        raise (AskedToEnd if asked else Unusable)("the reader ended")

    with monkeypatch.context() as patch:
        patch.setattr(importer, "frames", ended)
        assert await importer.run_once(stopping)
    left = await importer.imports.get(sender, job.id)
    assert (left.state, left.owner) == (state, None)
    assert await importer.run_once()
    done = await importer.imports.get(sender, job.id)
    if state is ImportState.CHECKING:
        assert done.state is ImportState.READY
        return
    batch = await importer.store.find_batch(sender, done.batch_id or 0)
    assert batch is not None
    assert (done.state, batch.counts.created) == (ImportState.COMPLETED, 320)


async def test_one_import_that_cannot_be_worked_on_does_not_end_the_others(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = asyncio.Event()
    asked = 0

    async def once(until: asyncio.Event | None = None) -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ValueError("something nobody thought of")
        stopping.set()
        return True

    monkeypatch.setattr(importer, "run_once", once)
    importer.wake()
    await asyncio.wait_for(importer.run_until(stopping), 10)
    assert asked == 2
