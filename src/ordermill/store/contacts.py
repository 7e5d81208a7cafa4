"""Whose an order is: its identifiers looked up, those that are new written down. The SQL stands in intake.sql.

On PostgreSQL new identifiers are committed at once. Within the settlement, two batches in which the same new buyer
occurs would wait for one another from here to the end, and of four lanes one worked (docs/performance.md). A
settlement that fails after this leaves a contact without orders, which the next order of that buyer is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from ordermill.store.engine import Collided, Row, Transaction

Identifiers = tuple[tuple[str, str], ...]
TRIES = 10


def resolve_contacts(
    tx: Transaction, account_id: int, mode: int, written: Sequence[tuple[int, Identifiers]]
) -> dict[int, int]:
    """Item id -> contact id, for orders given as (item id, identifiers). Raises Collided.

    The strongest identifier that is known decides; those that are not known yet become the same contact's.
    """
    wanted = list({pair: None for _, identifiers in written for pair in identifiers})
    if not wanted:
        return {}
    scope = (account_id, mode)
    for _ in range(TRIES):
        known: dict[tuple[str, str], int] = {
            (kind, value): contact_id for kind, value, contact_id in tx.all_of("find_contacts", scope, wanted)
        }
        strangers = min(len(wanted) - len(known), len(written))  # at most: a number that is not used leaves a gap
        next_id = tx.reserve(account_id, "contact", strangers) if strangers else 0
        contacts, fresh = _assign(written, known, next_id)
        if not fresh or tx.run_aside("save_contacts", scope, sorted(fresh)):
            return contacts
    raise Collided("save_contacts")


def _assign(
    written: Sequence[tuple[int, Identifiers]], known: dict[tuple[str, str], int], next_id: int
) -> tuple[dict[int, int], list[Row]]:
    """The contact of each order, and the rows of identifiers that are new. `known` is brought up to date."""
    contacts: dict[int, int] = {}
    fresh: list[Row] = []
    for number, identifiers in written:
        contact_id = None
        for pair in identifiers:
            if (contact_id := known.get(pair)) is not None:
                break
        if contact_id is None:
            contact_id = next_id
            next_id += 1
        contacts[number] = contact_id
        for pair in identifiers:
            if pair not in known:
                known[pair] = contact_id
                fresh.append((*pair, contact_id))
    return contacts, fresh
