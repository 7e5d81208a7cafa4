"""What every engine keeps of presets: one account's own, one of each name, not without end."""

from __future__ import annotations

import pytest
from ledgers import START, Clock, sender

from ordermill.core.errors import Conflict, NotFound
from ordermill.core.order import Mode
from ordermill.core.presets import PRESETS_MAX
from ordermill.store.ledger import Ledger
from ordermill.store.presets import PresetLedger

pytestmark = pytest.mark.anyio


@pytest.fixture
def presets(ledger: Ledger, clock: Clock) -> PresetLedger:
    return PresetLedger(ledger.lanes, clock)


async def test_a_preset_is_saved_replaced_and_dropped(presets: PresetLedger, clock: Clock) -> None:
    who = sender()
    made, new = await presets.save(who, "Night “export” – Zürich", '{"source":"erp"}')
    assert (made.created_at, made.updated_at, new) == (START, START, True)
    clock.advance(60)
    again, new = await presets.save(who, made.name, '{"source":"shop"}')
    assert (again.created_at, again.updated_at, new) == (START, START + 60_000_000, False)
    assert await presets.find_all(who) == (again,)
    assert await presets.find(who, made.name) == again
    await presets.drop(who, made.name)
    assert await presets.find(who, made.name) is None
    with pytest.raises(NotFound):
        await presets.drop(who, made.name)


async def test_presets_come_by_name_and_names_differ_by_their_letters(presets: PresetLedger) -> None:
    who = sender()
    for name in ("b", "a", "B", "Ä", "10"):
        await presets.save(who, name, "{}")
    assert [preset.name for preset in await presets.find_all(who)] == ["10", "a", "B", "b", "Ä"]


async def test_an_account_finds_changes_and_drops_its_own_only(presets: PresetLedger) -> None:
    who, other = sender(), sender()
    mine, _ = await presets.save(who, "Night", '{"source":"mine"}')
    assert await presets.find(other, "Night") is None
    assert await presets.find_all(other) == ()
    with pytest.raises(NotFound):
        await presets.drop(other, "Night")
    _, new = await presets.save(other, "Night", '{"source":"theirs"}')
    assert new
    await presets.drop(other, "Night")
    assert await presets.find_all(who) == (mine,)


async def test_an_account_with_too_many_replaces_and_drops_but_adds_none(presets: PresetLedger) -> None:
    who = sender()
    for number in range(PRESETS_MAX):
        await presets.save(who, f"preset {number}", "{}")
    with pytest.raises(Conflict, match="as many as are kept"):
        await presets.save(who, "one more", "{}")
    assert not (await presets.save(who, "preset 7", '{"source":"x"}'))[1]
    await presets.drop(who, "preset 8")
    assert (await presets.save(who, "one more", "{}"))[1]
    assert (await presets.save(sender(), "of somebody else", "{}"))[1]


async def test_live_finds_what_was_tried_in_test_mode_and_test_finds_and_changes_nothing_of_live(
    presets: PresetLedger,
) -> None:
    live = sender()
    test = sender(live.account_id, Mode.TEST)
    mine, _ = await presets.save(live, "live", '{"source":"live"}')
    tried, _ = await presets.save(test, "tried", '{"source":"tried"}')
    assert await presets.find_all(live) == (mine, tried)
    assert await presets.find_all(test) == (tried,)
    assert await presets.find(test, "live") is None
    with pytest.raises(NotFound):
        await presets.drop(test, "live")
    with pytest.raises(Conflict, match="a live preset has this name"):
        await presets.save(test, "live", "{}")
    assert await presets.find(live, "live") == mine
    taken, new = await presets.save(live, "tried", '{"source":"taken over"}')
    assert (taken.mode, taken.created_at, new) == (Mode.LIVE, tried.created_at, False)
    assert await presets.find_all(test) == ()
