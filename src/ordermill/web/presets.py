"""Presets of our own API: mappings that an account keeps under a name, for the next file of the same shape."""

from __future__ import annotations

from typing import Any

from ordermill.core.errors import Invalid
from ordermill.core.presets import SavedPreset, check_name
from ordermill.dialects.reading import iso
from ordermill.files import mapping, saved
from ordermill.files.sniffing import Unusable
from ordermill.store.presets import PresetLedger
from ordermill.web import import_shapes as shapes
from ordermill.web import telling
from ordermill.web.bodies import read_body
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import read_query
from ordermill.web.plans import fill_plan, read_plan, tell_plan
from ordermill.web.shapes import Listing

IN_PATH = {"name": "What the preset is called: `Night export`."}


class Presets:
    """The handlers."""

    def __init__(self, presets: PresetLedger) -> None:
        self.presets = presets

    async def list_presets(self, request: Request) -> Reply:
        """GET /presets: by name, all of them."""
        read_query(request.query(), ())
        return telling.write_page([_tell(preset) for preset in await self.presets.find_all(request.who)], None)

    async def save(self, request: Request) -> Reply:
        """PUT /presets/{name}: 201 for a new one, 200 for one that was replaced."""
        read_query(request.query(), ())
        name = check_name(request.params["name"])
        if name in mapping.presets():
            raise Invalid(
                f"{name} is a preset that comes with the program", field="name", hint="choose another name"
            )  # fmt: skip
        plan = await fill_plan(self.presets, request.who, read_plan(read_body(request, shapes.ImportPlan)))
        try:
            kept = saved.write_kept(plan)
        except Unusable as error:
            raise Invalid(error.message, hint=error.hint) from None
        made, new = await self.presets.save(request.who, name, kept)
        return telling.write(_tell(made), 201 if new else 200)

    async def drop(self, request: Request) -> Reply:
        """DELETE /presets/{name}."""
        read_query(request.query(), ())
        await self.presets.drop(request.who, check_name(request.params["name"]))
        return Reply(204)

    def calls(self) -> tuple[Call, ...]:
        """Every call with its description."""
        given: dict[str, Any] = {"tag": "Imports", "path_parameters": IN_PATH}
        write: dict[str, Any] = {**given, "scope": "orders:write", "write": True}
        return (
            Call(
                method="GET", pattern="/presets", id="listPresets", tag="Imports",
                summary="Presets of your own, by name",
                handler=self.list_presets,
                answers=(Answer(status=200, sentence="All of them.", body=Listing[shapes.SavedPreset]),),
                refuses=(422,),
            ),
            Call(
                method="PUT", pattern="/presets/{name}", id="savePreset",
                summary="Keep a mapping under a name, or replace the one of that name",
                description="The body is a plan, as an import takes it; one that names another preset is kept with "
                "what that one says. At most 200 presets an account, names of at most 80 characters without a slash.",
                handler=self.save, takes=shapes.ImportPlan,
                answers=(
                    Answer(status=201, sentence="A new preset.", body=shapes.SavedPreset),
                    Answer(status=200, sentence="The preset, replaced.", body=shapes.SavedPreset),
                ),
                refuses=(400, 409, 413, 415, 422), **write,
            ),
            Call(
                method="DELETE", pattern="/presets/{name}", id="deletePreset", summary="Forget a preset",
                description="Imports that were mapped by it stay as they are.",
                handler=self.drop, answers=(Answer(status=204, sentence="It is gone."),),
                refuses=(400, 404, 409, 422), **write,
            ),
        )  # fmt: skip


def _tell(preset: SavedPreset) -> shapes.SavedPreset:
    return shapes.SavedPreset(
        name=preset.name,
        plan=tell_plan(saved.read_kept(preset)),
        created_at=iso(preset.created_at),
        updated_at=iso(preset.updated_at),
    )
