"""A ledger of any size is searched for a person in slices."""

from __future__ import annotations

import msgspec
import pytest
from ledgers import order, put, put_one, sender

from ordermill.core.erasing import Person
from ordermill.store import erasing
from ordermill.store.ledger import Ledger

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("slice_", [1, 2, 3, 1_000])
async def test_every_slice_is_searched(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, slice_: int) -> None:
    monkeypatch.setattr(erasing, "SLICE", slice_)
    who, other = sender(), sender()
    noted = [
        msgspec.structs.replace(order(f"O{number}"), document=f'{{"note":"{name}@example.com"}}')
        for number, name in enumerate(("ann", "joann", "ANN", "bob", "ann"))
    ]
    await put(ledger, who, *noted[:3])
    await put(ledger, other, *noted)
    for one in noted[3:]:
        await put_one(ledger, who, one)
    assert (await ledger.erase(who, Person("email", "ann@example.com"), lambda _: "{}")).orders == 3
    assert (await ledger.erase(who, Person("email", "ann@example.com"), lambda _: "{}")).orders == 0
    assert (await ledger.erase(other, Person("email", "ann@example.com"), lambda _: "{}")).orders == 3
