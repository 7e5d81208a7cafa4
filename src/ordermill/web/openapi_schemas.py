"""JSON Schemas of msgspec types, with names a generated client can live with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Schema = dict[str, Any]
AT = "#/components/schemas/"
# (component, field) -> the field's schema; (component, "") -> members that are put into the component itself.
Patches = Mapping[tuple[str, str], Schema]


class Schemas:
    """Every component of one document. `renames`: struct name -> component name. `patches`: what a type cannot say."""

    def __init__(self, types: Iterable[Any], renames: Mapping[str, str], patches: Patches) -> None:
        wanted = list(dict.fromkeys(kind for kind in types if not isinstance(kind, dict)))
        found, components = msgspec.json.schema_components(wanted, ref_template=AT + "{name}")
        self._names = {name: _readable(name, renames) for name in components}
        self._found = {kind: self._tidy(schema) for kind, schema in zip(wanted, found, strict=True)}
        self.components: dict[str, Schema] = {}
        for name, schema in components.items():
            tidy = self._tidy(schema)
            tidy["title"] = self._names[name]
            self.components[self._names[name]] = tidy
        for (name, field), patch in patches.items():
            self._patch(name, field, patch)
        self.components = dict(sorted(self.components.items()))

    def of(self, kind: Any) -> Schema:
        """The schema of a type that was named at the start, or of what is a schema already."""
        return kind if isinstance(kind, dict) else self._found[kind]

    def _patch(self, name: str, field: str, patch: Schema) -> None:
        component = self.components[name]
        if not field:
            component.update(patch)
            return
        if field not in component["properties"]:
            raise KeyError(f"{name} has no {field}")
        component["properties"][field] = patch

    def _tidy(self, schema: Any) -> Any:
        """Readable references, one number instead of two, no `default: null` for what may be left out."""
        if isinstance(schema, list):
            return [self._tidy(entry) for entry in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(AT)
            return {**schema, "$ref": AT + self._names[name]}
        if schema.get("format") == "decimal":  # on the wire decimals are numbers, with every digit
            return {"type": "number"}
        tidy = {key: self._tidy(value) for key, value in schema.items() if not (key == "default" and value is None)}
        if tidy.get("required") == []:
            del tidy["required"]
        if "anyOf" in tidy:
            tidy = _one_number(tidy)
        if "enum" in tidy and all(isinstance(value, str) for value in tidy["enum"]):
            tidy["type"] = "string"
        return tidy


def _one_number(schema: Schema) -> Schema:
    """`integer or number` is a number."""
    kinds = [entry.get("type") for entry in schema["anyOf"]]
    if "integer" not in kinds or "number" not in kinds:
        return schema
    left = [entry for entry in schema["anyOf"] if entry.get("type") != "integer"]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}


def _readable(name: str, renames: Mapping[str, str]) -> str:
    """`Listing_Batch_` -> `ListingOfBatch`; a generic struct over a number is named like the struct."""
    outer, inner, rest = name.partition("_")
    if inner and not rest.isidentifier():
        return renames.get(outer, outer)
    plain = f"{outer}Of{rest.strip('_')}" if inner else outer
    return renames.get(plain, plain)
