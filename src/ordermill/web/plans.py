"""Plans of imports between our API's form and files' own, and filled from a preset of the account's own."""

from __future__ import annotations

import msgspec

from ordermill.core.batch import Sender
from ordermill.core.errors import Invalid
from ordermill.core.presets import SavedPreset
from ordermill.files import saved
from ordermill.files.mapping import Plan
from ordermill.files.sniffing import Unusable
from ordermill.store.presets import PresetLedger
from ordermill.web import import_shapes as shapes


def read_plan(asked: shapes.ImportPlan) -> Plan:
    values = {name: getattr(asked, name) for name in asked.__struct_fields__}
    values["contract"] = asked.contract or ""
    return Plan(**values)


def tell_plan(plan: Plan) -> shapes.ImportPlan:
    values = {name: getattr(plan, name) for name in plan.__struct_fields__}
    values["contract"] = plan.contract or None
    return shapes.ImportPlan(**values)


def read_preset(told: shapes.SavedPreset) -> SavedPreset:
    """What another server told of a preset."""
    return SavedPreset(name=told.name, plan=msgspec.json.encode(read_plan(told.plan)).decode())


async def fill_plan(ledger: PresetLedger, who: Sender, plan: Plan) -> Plan:
    """The plan with what the account's own preset says that it names. Raises Invalid for a preset that nobody knows."""
    if not plan.preset or plan.preset_applied:
        return plan
    try:
        found = saved.find_named(plan.preset, await ledger.find_all(who))
    except Unusable as error:
        raise Invalid(error.message, field="preset", hint=error.hint) from None
    return plan if found is None else saved.fill(plan, found)
