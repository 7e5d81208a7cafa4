"""Imports in the ledger: the job and its file in pieces, claimed by compare-and-set, and the batch that it fills."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ordermill.core.batch import Batch, BatchStatus, Counts, Sender, Submission
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.figures import HOUR_US
from ordermill.core.importing import LEASE_S, ImportJob, ImportState
from ordermill.core.order import Mode
from ordermill.store import rows
from ordermill.store.engine import Row, Transaction
from ordermill.store.lanes import Lanes

_NEWEST = 2**62
STOPS_WITHIN_S = 2  # who works on an import looks once a second whether it is still wanted


class ImportLedger:
    """Each verb is one transaction on a lane or a reader."""

    def __init__(self, lanes: Lanes, clock: Callable[[], int]) -> None:
        self.lanes = lanes
        self.clock = clock

    async def create(self, sender: Sender, job: ImportJob) -> ImportJob:
        """Gives the job its number and writes it down."""
        now = self.clock()
        return await self.lanes.write(lambda tx: _create(tx, sender, job, now))

    async def find(self, sender: Sender, number: int) -> ImportJob | None:
        row = await self.lanes.read(lambda tx: tx.one("find_import", sender.account_id, sender.mode, number))
        return _job(row) if row else None

    async def get(self, sender: Sender, number: int) -> ImportJob:
        """Raises NotFound."""
        job = await self.find(sender, number)
        if job is None:
            raise NotFound("there is no such import")
        return job

    async def find_page(self, sender: Sender, limit: int, before: int | None = None) -> tuple[ImportJob, ...]:
        """The newest first."""
        found = await self.lanes.read(
            lambda tx: tx.all("find_imports", sender.account_id, sender.mode, before or _NEWEST, limit)
        )
        return tuple(map(_job, found))

    async def find_same(self, sender: Sender, fingerprint: str) -> ImportJob | None:
        """The newest import of the same file read the same way that has begun to write."""
        row = await self.lanes.read(
            lambda tx: tx.one("find_import_by_fingerprint", sender.account_id, sender.mode, fingerprint)
        )
        return _job(row) if row else None

    async def find_of_batch(self, sender: Sender, batch_id: int) -> ImportJob | None:
        row = await self.lanes.read(lambda tx: tx.one("find_import_by_batch", sender.account_id, sender.mode, batch_id))
        return _job(row) if row else None

    # the file

    async def save_part(self, job: ImportJob, number: int, part: bytes) -> None:
        await self.lanes.write(lambda tx: tx.run("save_part", job.account_id, job.id, number, part))

    async def find_part(self, job: ImportJob, number: int) -> bytes | None:
        row = await self.lanes.read(lambda tx: tx.one("find_part", job.account_id, job.id, number))
        return bytes(row[0]) if row else None

    async def drop_parts(self, job: ImportJob) -> None:
        await self.lanes.write(lambda tx: tx.run("drop_parts", job.account_id, job.id))

    async def set_file(self, job: ImportJob) -> None:
        """What is known of the file, and how it is to be read. Raises Conflict once its orders are being written."""
        now = self.clock()
        written = await self.lanes.write(
            lambda tx: tx.run(
                "set_import_file", job.state.value, job.size_bytes, job.sha256, job.fingerprint, job.plan,
                job.understood, job.report, job.message, now, job.account_id, job.mode, job.id,
            )
        )  # fmt: skip
        if written != 1:
            raise Conflict("this import has begun; what it reads can no longer be changed")

    # its states

    async def move(self, job: ImportJob, to: ImportState, message: str = "") -> ImportJob:
        """From the state it was found in. Raises Conflict when it is in another by now."""
        now = self.clock()
        written = await self.lanes.write(
            lambda tx: tx.run(
                "set_import_state", to.value, message, now, job.account_id, job.mode, job.id, job.state.value
            )
        )
        if written != 1:
            raise Conflict(f"this import is no longer {job.state.value}")
        return msgspec.structs.replace(job, state=to, message=message)

    async def retire(self, job: ImportJob) -> None:
        """Nobody can go on with it from here on. Raises Conflict for one that is being worked on."""
        now = self.clock()
        written = await self.lanes.write(
            lambda tx: tx.run(
                "retire_import", ImportState.CANCELLED.value, "deleted", now, now, job.account_id, job.mode, job.id, now
            )
        )
        if written != 1:
            raise _busy()

    async def drop(self, sender: Sender, number: int) -> None:
        """Raises Conflict for one that is being worked on. A batch that it has begun is to be ended before."""
        now = self.clock()

        def verb(tx: Transaction) -> int:
            written = tx.run("drop_import", sender.account_id, sender.mode, number, now)
            if written:
                tx.run("drop_parts", sender.account_id, number)
            return written

        if await self.lanes.write(verb) != 1:
            raise _busy()

    # working on it

    async def find_due(self, limit: int = 10) -> tuple[ImportJob, ...]:
        now = self.clock()
        return tuple(map(_job, await self.lanes.read(lambda tx: tx.all("find_due_imports", now, limit))))

    async def claim(self, job: ImportJob, owner: str) -> ImportJob | None:
        """The job as its owner holds it now; None when somebody else was faster."""
        now = self.clock()
        until = now + LEASE_S * 1_000_000
        written = await self.lanes.write(
            lambda tx: tx.run("claim_import", owner, until, now, job.account_id, job.id, job.attempt, now)
        )
        if written != 1:
            return None
        state = ImportState.RUNNING if job.state is ImportState.QUEUED else job.state
        return msgspec.structs.replace(job, owner=owner, attempt=job.attempt + 1, lease_until=until, state=state)

    async def take_stream(self, sender: Sender, fresh: ImportJob, owner: str) -> ImportJob | None:
        """The stream of the same fingerprint, or the fresh one where there is none, for its sender to go on with; as it
        is when it is completed. None while another connection has it.

        Whoever looks for one is alone in the account until it is written down: of two that come at once with the same
        fingerprint, the second finds the stream of the first.
        """
        now = self.clock()
        until = now + LEASE_S * 1_000_000

        def verb(tx: Transaction) -> ImportJob | None:
            row = None
            if fresh.fingerprint:
                tx.one("enter_alone", sender.account_id, sender.mode)
                row = tx.one("find_stream_by_fingerprint", sender.account_id, sender.mode, fresh.fingerprint)
            job = _job(row) if row else _create(tx, sender, fresh, now)
            if job.state is ImportState.COMPLETED:
                return job
            if tx.run("claim_stream", owner, until, now, job.account_id, job.id, job.attempt, now) != 1:
                return None
            changes = {"owner": owner, "attempt": job.attempt + 1, "lease_until": until}
            return msgspec.structs.replace(job, state=ImportState.STREAMING, **changes)

        return await self.lanes.write(verb)

    async def renew(self, job: ImportJob, permille: int) -> bool:
        """Still mine, still wanted? False: it was stopped, cancelled, or somebody else has it."""
        now = self.clock()
        until = now + LEASE_S * 1_000_000
        written = await self.lanes.write(
            lambda tx: tx.run("renew_import", until, permille, now, job.account_id, job.id, job.owner, job.attempt)
        )
        return written == 1

    async def leave(self, job: ImportJob, *, pause_s: float | None = None) -> bool:
        """Writes down how it stands and gives it away. `pause_s`: nobody shall take it up again before."""
        now = self.clock()
        finished = now if job.state.final else None
        pause = None if pause_s is None else now + int(pause_s * 1_000_000)
        written = await self.lanes.write(
            lambda tx: tx.run(
                "leave_import", job.state.value, job.understood, job.report, job.permille, job.message, pause, now,
                finished, job.account_id, job.id, job.owner, job.attempt,
            )
        )  # fmt: skip
        return written == 1

    async def open_batch(self, job: ImportJob, submission: Submission) -> int:
        """An empty batch that takes chunks, and the job that it belongs to, in one transaction. Its number."""
        now = self.clock()

        def verb(tx: Transaction) -> int:
            batch = new_batch(job.sender, submission, tx.reserve(0, "batch", 1), now)
            tx.run("save_batch", *rows.batch_row(batch))
            tx.run("add_tally", job.account_id, job.mode, now // HOUR_US, batch.dialect, job.key_id, 1, 0, 0, 0, 0, 0)
            if tx.run("set_import_batch", batch.id, now, job.account_id, job.id) != 1:
                raise Conflict("this import has a batch already")
            return batch.id

        return await self.lanes.write(verb)


def new_batch(sender: Sender, submission: Submission, number: int, now: int) -> Batch:
    """A batch that holds nothing yet and waits for its first chunk."""
    return Batch(
        id=number,
        account_id=sender.account_id,
        mode=sender.mode,
        dialect=submission.dialect,
        source=submission.source,
        key_id=sender.key_id,
        request_id=sender.request_id,
        status=BatchStatus.QUEUED,
        historical=not submission.announce,
        notify_url=submission.notify_url,
        origin=submission.origin,
        parent_batch_id=submission.parent_batch_id,
        counts=Counts(),
        created_at=now,
        updated_at=now,
        finished_at=None,
        size_bytes=submission.size_bytes,
    )


def _busy() -> Conflict:
    return Conflict(
        "this import is being worked on", hint="stop it, and try again in a moment", retry_after_s=STOPS_WITHIN_S
    )


def _create(tx: Transaction, sender: Sender, job: ImportJob, now: int) -> ImportJob:
    number = tx.reserve(0, "import", 1)
    made = msgspec.structs.replace(
        job, id=number, account_id=sender.account_id, mode=sender.mode, key_id=sender.key_id, created_at=now,
        updated_at=now,
    )  # fmt: skip
    tx.run("save_import", *_save_row(made))
    return made


def _save_row(job: ImportJob) -> Row:
    return (
        job.account_id, job.id, job.mode, job.key_id, job.name, job.state.value, job.size_bytes, job.sha256,
        job.fingerprint, job.plan, job.understood, job.report, job.batch_id, job.parent_batch_id, job.permille,
        job.message, job.created_at, job.updated_at,
    )  # fmt: skip


def _job(row: Row) -> ImportJob:
    names = (
        "account_id", "id", "mode", "key_id", "name", "state", "size_bytes", "sha256", "fingerprint", "plan",
        "understood", "report", "batch_id", "parent_batch_id", "permille", "message", "owner", "attempt",
        "lease_until", "created_at", "updated_at", "finished_at",
    )  # fmt: skip
    values = dict(zip(names, row, strict=True))
    values["mode"] = Mode(values["mode"])
    values["state"] = ImportState(values["state"])
    return ImportJob(**values)
