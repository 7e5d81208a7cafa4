"""What processes do for all: who runs, what one of them does now and then. Engine-free; the SQL is in duties.sql."""

from __future__ import annotations

from ordermill.core.order import Mode
from ordermill.core.watching import Process
from ordermill.store.engine import Transaction

FORGOTTEN_AFTER_US = 24 * 3_600_000_000


def forget_minutes(tx: Transaction, account_id: int, before: int) -> int:
    """What came in minute by minute, before a minute since 1970 UTC."""
    return sum(tx.run("forget_minutes", account_id, int(mode), before) for mode in Mode)


def claim_duty(tx: Transaction, name: str, now: int, next_at: int) -> bool:
    """Whether this process is the one to do it now; the others see that it is not due."""
    tx.run("add_duty", name)
    return tx.run("claim_duty", next_at, name, now) == 1


def put_off(tx: Transaction, name: str, until: int) -> None:
    """It is due then, whatever was planned."""
    tx.run("put_duty_off", until, name)


def save_process(tx: Transaction, process: Process) -> None:
    """It is there, and was seen just now. Those that nobody has seen for a day are forgotten."""
    tx.run("forget_processes", process.seen_at - FORGOTTEN_AFTER_US)
    tx.run("save_process", process.name, process.doing, process.version, process.started_at, process.seen_at)


def forget_process(tx: Transaction, name: str) -> None:
    """It has ended as it should."""
    tx.run("forget_process", name)


def find_processes(tx: Transaction) -> tuple[Process, ...]:
    """All that run, or ended without a word within a day, the oldest first."""
    return tuple(Process(*row) for row in tx.all("find_processes"))


def newest_event_at(tx: Transaction, account_id: int) -> int | None:
    """When the account's newest event was written, by the clock of that time."""
    row = tx.one("newest_event_at", account_id)
    return row[0] if row else None


def set_back(tx: Transaction, account_id: int, by: int, now: int) -> int:
    """The clock was set back by so many µs: what waits for an instant waits no longer than it would have. How many."""
    return sum(
        tx.run(statement, by, now, by, now, account_id, now)
        for statement in ("set_deliveries_back", "set_imports_back", "set_duties_back")
    )
