"""Presets of an account's own in the ledger: saved under a name, replaced under the same one, found, dropped."""

from __future__ import annotations

from collections.abc import Callable

from ordermill.core.batch import Sender
from ordermill.core.errors import Conflict, NotFound
from ordermill.core.order import Mode
from ordermill.core.presets import PRESETS_MAX, SavedPreset
from ordermill.store.engine import Row, Transaction
from ordermill.store.lanes import Lanes


class PresetLedger:
    """Each verb is one transaction on a lane or a reader. A live sender meets the presets of both modes."""

    def __init__(self, lanes: Lanes, clock: Callable[[], int]) -> None:
        self.lanes = lanes
        self.clock = clock

    async def find_all(self, sender: Sender) -> tuple[SavedPreset, ...]:
        """By name; in this order on every engine, whatever its collation."""
        found = await self.lanes.read(lambda tx: tx.all("find_presets", sender.account_id, sender.mode))
        return tuple(sorted(map(_preset, found), key=lambda preset: (preset.name.casefold(), preset.name)))

    async def find(self, sender: Sender, name: str) -> SavedPreset | None:
        row = await self.lanes.read(lambda tx: tx.one("find_preset", sender.account_id, sender.mode, name))
        return _preset(row) if row else None

    async def save(self, sender: Sender, name: str, plan: str) -> tuple[SavedPreset, bool]:
        """The preset as it is now, and whether it is a new one.

        Raises Conflict when the account has too many, and in test mode for the name of a live one. Two that are saved
        at the same instant may both be the last one.
        """
        now = self.clock()

        def verb(tx: Transaction) -> tuple[SavedPreset, bool]:
            row = tx.one("find_preset", sender.account_id, sender.mode, name)
            if row is None and _count(tx, sender) >= PRESETS_MAX:
                raise Conflict(
                    f"this account has {PRESETS_MAX} presets, which is as many as are kept",
                    field="name",
                    hint="delete one, or replace one by saving under its name",
                )
            if tx.run("save_preset", sender.account_id, name, sender.mode, plan, now, now) != 1:
                raise Conflict("a live preset has this name", field="name", hint="choose another name")
            created_at = now if row is None else _preset(row).created_at
            made = SavedPreset(name=name, plan=plan, mode=sender.mode, created_at=created_at, updated_at=now)
            return made, row is None

        return await self.lanes.write(verb)

    async def drop(self, sender: Sender, name: str) -> None:
        """Raises NotFound. What was imported by it stays as it is."""
        dropped = await self.lanes.write(lambda tx: tx.run("drop_preset", sender.account_id, sender.mode, name))
        if dropped != 1:
            raise NotFound("there is no such preset")


def _count(tx: Transaction, sender: Sender) -> int:
    row = tx.one("count_presets", sender.account_id)
    return int(row[0]) if row else 0


def _preset(row: Row) -> SavedPreset:
    name, mode, plan, created_at, updated_at = row
    return SavedPreset(name=name, plan=plan, mode=Mode(mode), created_at=created_at, updated_at=updated_at)
