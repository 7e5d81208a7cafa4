"""Reading the kept sums. Engine-free; the SQL stands in figures.sql."""

from __future__ import annotations

from ordermill.core.batch import Sender
from ordermill.core.figures import Figures, Tally, TallyQuery
from ordermill.store.engine import Transaction


def find_minutes(tx: Transaction, sender: Sender, since: int, until: int) -> tuple[Tally, ...]:
    """The minutes (since 1970 UTC; `until` excluded) in which something came in; MINUTES_KEPT of them are there."""
    found = tx.all("find_tally_minutes", sender.account_id, sender.mode, since, until)
    return tuple(Tally(*map(int, row)) for row in found)


def find_figures(tx: Transaction, sender: Sender, query: TallyQuery) -> Figures:
    """The figures of the sender's account and mode."""
    asked = [
        (clause, value)
        for clause, value in (("tally.dialect", query.dialect), ("tally.key", query.key_id))
        if value is not None
    ]
    hours = tx.compose(
        "find_tally",
        [clause for clause, _ in asked],
        [sender.account_id, sender.mode, query.since_hour, query.until_hour, *(value for _, value in asked)],
        "tally.by_hour",
    )
    unfinished = tx.one("find_unfinished", sender.account_id, sender.mode)
    assert unfinished is not None
    return Figures(
        hours=tuple(Tally(*map(int, row)) for row in hours),
        orders={
            dialect: int(orders) for dialect, orders in tx.all("find_order_counts", sender.account_id, sender.mode)
        },
        unfinished_batches=int(unfinished[0]),
        oldest_unfinished_at=unfinished[1],
    )
