"""Ending a batch before it is complete: what is in the ledger stays, what waits is failed. SQL: cancelling.sql."""

from __future__ import annotations

from ordermill.core.batch import Batch, BatchStatus, Problem, Sender, item_id
from ordermill.core.errors import Conflict, NotFound
from ordermill.store import query, rows
from ordermill.store.engine import Transaction

CANCELLED = Problem(code="cancelled", message="the batch was cancelled before this order's turn", hint="retry it")


def cancel_batch(tx: Transaction, sender: Sender, batch_id: int, now: int) -> Batch:
    """The batch as it stands then. Raises NotFound, and Conflict for a batch that is complete."""
    found = query.find_batch(tx, sender, batch_id)
    if found is None:
        raise NotFound("there is no such batch")
    cancelled = tx.run("cancel_batch", BatchStatus.CANCELLED.value, now, now, sender.account_id, sender.mode, batch_id)
    if cancelled != 1:
        raise Conflict(f"this batch is {found.status.value}: nothing of it is waiting any more")
    tx.run(
        "cancel_items", CANCELLED.code, rows.problems_text((CANCELLED,)), sender.account_id, item_id(batch_id, 0),
        item_id(batch_id + 1, 0),
    )  # fmt: skip
    batch = query.find_batch(tx, sender, batch_id)
    assert batch is not None
    return batch
