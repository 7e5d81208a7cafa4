"""Plans of imports between our API's form and files' own, and filled from a preset of the account's own."""

from __future__ import annotations

from ordermill.core.batch import Sender
from ordermill.core.errors import Invalid
from ordermill.files import saved
from ordermill.files.mapping import Plan, presets
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


async def fill_plan(ledger: PresetLedger, who: Sender, plan: Plan) -> Plan:
    """The plan with what the account's own preset says that it names. Raises Invalid for a preset that nobody knows."""
    if not plan.preset or plan.preset_applied:
        return plan
    found = await ledger.find(who, plan.preset)
    if found is not None:
        return saved.fill(plan, found)
    if plan.preset not in presets():
        own = [preset.name for preset in await ledger.find_all(who)]
        raise Invalid(
            f"there is no preset {plan.preset[:100]!r}",
            field="preset",
            hint=f"there are {', '.join([*own[:20], *presets()])}",
        )
    return plan
