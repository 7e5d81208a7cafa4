"""A file (or a stream) on its way into the ledger: what is known of it, and the states it goes through.

receiving -> ready -> checking -> ready, queued -> running -> completed; stopped and cancelled by whoever asks for it,
failed when the file cannot be read. A stream is streaming, then completed or stopped. How far one is, its batch says.
"""

from __future__ import annotations

import enum

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.order import Mode

LEASE_S = 20


class ImportState(enum.Enum):
    RECEIVING = "receiving"
    READY = "ready"
    CHECKING = "checking"
    QUEUED = "queued"
    RUNNING = "running"
    STREAMING = "streaming"
    STOPPED = "stopped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        return self in (ImportState.COMPLETED, ImportState.CANCELLED)


class ImportJob(msgspec.Struct, frozen=True, kw_only=True):
    """One import. `plan`, `understood`, `report`: JSON texts of files.mapping.Plan and what was made of the file.

    `fingerprint`: the same file read the same way. Instants are µs since 1970 UTC.
    """

    account_id: int
    id: int
    mode: Mode
    key_id: str
    name: str
    state: ImportState
    size_bytes: int = 0
    sha256: str = ""
    fingerprint: str = ""
    plan: str = "{}"
    understood: str = "{}"
    report: str = "{}"
    batch_id: int | None = None
    parent_batch_id: int | None = None
    permille: int = 0
    message: str = ""
    owner: str | None = None
    attempt: int = 0
    lease_until: int | None = None
    created_at: int = 0
    updated_at: int = 0
    finished_at: int | None = None

    @property
    def sender(self) -> Sender:
        """On whose behalf it goes on, whichever process does it."""
        return Sender(account_id=self.account_id, mode=self.mode, key_id=self.key_id, request_id=f"imp_{self.id}")
