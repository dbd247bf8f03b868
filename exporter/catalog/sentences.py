"""One plain sentence for each kind of error that pydantic finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

from exporter.catalog.base import Model
from exporter.catalog.problems import suggestion
from exporter.catalog.values import kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from exporter.catalog.problems import CatalogPath

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}
_QUOTED = re.compile(r"'([^']*)'")


def sentence(error: ErrorDetails, root: type[Model], path: CatalogPath) -> str:
    """What is wrong, for a person. Text that was found is repeated only where no secret can stand."""
    code = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if code == "value_error":
        return str(context["error"])
    if code == "extra_forbidden":
        return f"unknown key; {suggestion(str(path[-1]), _keys_at(root, path[:-1]))}"
    if code == "missing":
        return f'needs "{error["loc"][-1]}"'
    found = error["input"]
    if code in _EXPECTED:
        value = f" {shown(found)}" if isinstance(found, int | float) else ""
        return f"expected {_EXPECTED[code]}, found {kind(found)}{value}"
    if code == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        return f"{shown(found)} is not allowed here; {suggestion(str(found), allowed)}"
    if code in _BOUNDS:
        key, words = _BOUNDS[code]
        return f"{shown(found)} is not allowed here; it must be {words} {context[key]}"
    if code == "string_pattern_mismatch":
        return f"{shown(found)} is not allowed here; it must match {context['pattern']}"
    return "is not a value that is allowed here"


def _keys_at(root: type[Model], path: CatalogPath) -> list[str]:
    """The keys that the model at this path knows."""
    places: list[Any] = [root]
    for part in path:
        places = [inner for place in places for inner in _below(place, part)]
    models = [place for place in places if _is_model(place)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _below(place: Any, part: str | int) -> Iterable[Any]:
    """Models, mappings and lists that can stand one step below a place."""
    if not _is_model(place):
        inner = get_args(place)
        yield from _places(inner[-1] if get_origin(place) is dict else inner[0])
        return
    for name, field in place.model_fields.items():
        if part == (field.alias or name):
            yield from _places(field.annotation)


def _places(annotation: Any) -> Iterable[Any]:
    if _is_model(annotation) or get_origin(annotation) in (dict, tuple):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _places(inner)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)
