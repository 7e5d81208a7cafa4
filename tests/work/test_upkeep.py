"""Files that nobody imported do not lie in the ledger for ever, nor do the rows that were shown of them."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from ledgers import Clock

from ordermill.core.batch import Sender
from ordermill.core.importing import ImportJob, ImportState
from ordermill.core.order import Mode
from ordermill.files.checking import Cause, Report
from ordermill.files.summary import Summary, SummaryColumn
from ordermill.store.imports import ImportLedger
from ordermill.store.ledger import Ledger
from ordermill.work.upkeep import Upkeep

pytestmark = pytest.mark.anyio
DAY = 24 * 3_600
MAIL = "ann@example.com"
WAITING = (ImportState.RECEIVING, ImportState.READY, ImportState.STOPPED, ImportState.FAILED)
AT_WORK = (ImportState.CHECKING, ImportState.QUEUED, ImportState.RUNNING, ImportState.STREAMING)
_names = itertools.count()


@pytest.fixture
async def sender(ledger: Ledger) -> Sender:
    account = await ledger.create_account(f"upkeep {next(_names)} {id(ledger)}")
    return Sender(account_id=account.id, mode=Mode.LIVE, key_id="k1", request_id="r1")


async def waiting(imports: ImportLedger, sender: Sender, state: ImportState) -> ImportJob:
    columns = (SummaryColumn("Mail", "email", "sure"),)
    cause = Cause(code="invalid", field="email", column="Mail", message="no", hint="", count=1, value=MAIL)
    job = ImportJob(
        account_id=0,
        id=0,
        mode=Mode.LIVE,
        key_id="",
        name="night.csv",
        state=state,
        understood=msgspec.json.encode(Summary(contract="brevo", columns=columns, samples=((MAIL,),))).decode(),
        report=msgspec.json.encode(Report(orders=1, failed=1, causes=[cause])).decode(),
    )
    made = await imports.create(sender, job)
    for number in range(2):
        await imports.save_part(made, number, MAIL.encode())
    return made


async def holds(imports: ImportLedger, sender: Sender, job: ImportJob) -> tuple[bool, bool]:
    """Whether its file is there, and whether anybody stands in what is told of it."""
    told = await imports.get(sender, job.id)
    return await imports.find_part(job, 0) is not None, MAIL in told.understood + told.report


@pytest.mark.parametrize("state", [*WAITING, ImportState.COMPLETED, ImportState.CANCELLED])
async def test_a_file_that_waited_too_long_is_gone(
    ledger: Ledger, clock: Clock, sender: Sender, state: ImportState
) -> None:
    imports = ImportLedger(ledger.lanes, clock)
    upkeep = Upkeep(ledger, clock, raw_days=30)
    old = await waiting(imports, sender, state)
    clock.advance(29 * DAY)
    young = await waiting(imports, sender, state)
    await upkeep.forget_files()
    assert await holds(imports, sender, old) == (True, True), "too early"
    clock.advance(2 * DAY)
    await upkeep.forget_files()
    assert await holds(imports, sender, old) == (False, False)
    assert await holds(imports, sender, young) == (True, True)
    left = await imports.get(sender, old.id)
    assert left.state is (ImportState.FAILED if state in WAITING else state)
    assert ("upload it again" in left.message) is (state in WAITING and state is not ImportState.FAILED)
    told = msgspec.json.decode(left.understood, type=Summary)
    assert [column.name for column in told.columns] == ["Mail"], "the file of its failed rows needs them"
    assert msgspec.json.decode(left.report, type=Report).failed == 1


@pytest.mark.parametrize("state", AT_WORK)
async def test_what_is_worked_on_keeps_its_file(
    ledger: Ledger, clock: Clock, sender: Sender, state: ImportState
) -> None:
    imports = ImportLedger(ledger.lanes, clock)
    job = await waiting(imports, sender, state)
    clock.advance(90 * DAY)
    await Upkeep(ledger, clock, raw_days=30).forget_files()
    assert await holds(imports, sender, job) == (True, True)


@pytest.mark.parametrize("days", [0, 30])
async def test_it_is_done_as_often_as_documents_are_forgotten(
    ledger: Ledger, clock: Clock, sender: Sender, days: int
) -> None:
    imports = ImportLedger(ledger.lanes, clock)
    job = await waiting(imports, sender, ImportState.READY)
    clock.advance(90 * DAY)
    await Upkeep(ledger, clock, raw_days=days).turn()
    assert await holds(imports, sender, job) == ((days == 0,) * 2)


async def test_a_backup_that_failed_is_tried_again_soon_and_keeps_nothing_else_from_being_done(
    ledger: Ledger, clock: Clock
) -> None:
    """A full disk for a minute must not cost a day's backup."""
    done: list[int] = []

    async def back_up() -> None:
        done.append(clock.now)
        if len(done) == 1:
            raise OSError("no space left")

    clock.advance(400 * DAY)
    upkeep = Upkeep(ledger, clock, raw_days=0, backup_hours=24, back_up=back_up)
    await upkeep.turn()
    await upkeep.turn()
    assert len(done) == 1, "not at once"
    clock.advance(1_000)
    await upkeep.turn()
    await upkeep.turn()
    assert len(done) == 2
    clock.advance(1_000)
    await upkeep.turn()
    assert len(done) == 2, "it went well, so the next one is tomorrow's"
