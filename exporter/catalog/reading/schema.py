"""JSON Schema of a catalog, for completion and checks in editors.

The values that an environment overrides are part of a catalog: the same definitions, with no required keys, and null
to remove a value. They are derived here, so the models define everything once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from exporter.catalog.base import Model
from exporter.catalog.catalog import Catalog
from exporter.catalog.compose.specification import EXTENSION
from exporter.catalog.reading.environments import OVERLAY_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

_DEFINITIONS = "#/$defs/"
_OVERLAY = "Overlay"
_WHOLE = frozenset({"required", "default", "minProperties"})
"""Keywords for a whole mapping, which do not apply to a part of one in an overlay."""


class _Generator(GenerateJsonSchema):
    """Generator without titles made of key names and defaults made of whole sections, which help no editor."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        default = schema.get("default")
        if default is None or default in ((), {}, "") or isinstance(default, Model | tuple):
            return self.generate_inner(schema["schema"])
        as_text = _serializer(schema)
        if as_text is not None:
            return {**self.generate_inner(schema["schema"]), "default": as_text(default)}
        return super().default_schema(schema)


def _serializer(schema: Any) -> Callable[[Any], str] | None:
    """Return the function that writes a value as text, such as 15s in place of 15.0, if its type has one."""
    while schema:
        written = schema.get("serialization", {})
        if written.get("type") == "function-plain":
            function: Callable[[Any], str] = written["function"]
            return function
        schema = schema.get("schema")
    return None


def model_schema() -> dict[str, Any]:
    """Return the schema of the models, in which an environment holds only its own settings."""
    schema = Catalog.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    _close_mappings(schema)
    return schema


def _close_mappings(schema: Any) -> None:
    """Allow no other keys in mappings whose keys have a pattern."""
    for inner in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        _close_mappings(inner)
    if isinstance(schema, dict) and "patternProperties" in schema:
        schema["additionalProperties"] = False


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file as it is written, shorthand included."""
    schema = model_schema()
    definitions: dict[str, Any] = schema["$defs"]
    overlays = {f"{_OVERLAY}{name}": _overlay(definition) for name, definition in definitions.items()}
    environment = definitions["Environment"]["properties"]
    for key in sorted(OVERLAY_KEYS):
        environment[key] = _nullable(_overlay(schema["properties"][key]))
    definitions.update(overlays)
    _drop_unused(schema)
    for definition in (schema, *definitions.values()):
        if definition.get("additionalProperties") is False and "properties" in definition:
            definition["patternProperties"] = {f"^{EXTENSION}": {}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the schema as JSON text."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _overlay(schema: Any) -> Any:
    """Return the same schema for part of a mapping: references lead to overlays, and no key is required."""
    if isinstance(schema, list):
        return [_overlay(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _overlay(value) for key, value in schema.items() if key not in _WHOLE}
    if isinstance(copy.get("$ref"), str):
        copy["$ref"] = copy["$ref"].replace(_DEFINITIONS, _DEFINITIONS + _OVERLAY)
    for key in ("properties", "patternProperties"):
        if isinstance(copy.get(key), dict):
            copy[key] = {name: _nullable(value) for name, value in copy[key].items()}
    if isinstance(copy.get("additionalProperties"), dict):
        copy["additionalProperties"] = _nullable(copy["additionalProperties"])
    return copy


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _drop_unused(schema: dict[str, Any]) -> None:
    definitions = schema["$defs"]
    used: set[str] = set()
    waiting = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        for name in _referenced(waiting.pop()) - used:
            used.add(name)
            waiting.append(definitions[name])
    for name in definitions.keys() - used:
        del definitions[name]


def _referenced(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in _referenced(item)}
    if not isinstance(schema, dict):
        return set()
    names = {name for value in schema.values() for name in _referenced(value)}
    reference = schema.get("$ref")
    return names | {reference.removeprefix(_DEFINITIONS)} if isinstance(reference, str) else names
