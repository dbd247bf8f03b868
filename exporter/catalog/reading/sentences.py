"""One plain sentence for each kind of error that pydantic finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

from exporter.catalog.base import Model
from exporter.catalog.keys.environments import NOT_OVERLAID, Environment
from exporter.catalog.reading.from_compose import called_here
from exporter.catalog.reading.shorthand import forms_at
from exporter.catalog.values.words import kind, nearest, quoted, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from exporter.catalog.reading.problems import CatalogPath

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
_WITH_SHORT_FORMS = frozenset({"dict_type", "model_type"})
_SCALARS = frozenset({"int_type", "bool_type", "float_type"})
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}
_SURE = 0.8
_QUOTED = re.compile(r"'([^']*)'")


def sentence(error: ErrorDetails, root: type[Model], path: CatalogPath, *, hint: bool = True) -> str:
    """Return what is wrong, for a person. Input is repeated only where it cannot be a secret.

    `hint`: also look for the nearest known key.
    """
    code = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if code == "value_error":
        return str(context["error"])
    if code == "extra_forbidden":
        if not hint:
            return "unknown key"
        return f"unknown key; {_key_suggestion(str(path[-1]), root, path[:-1], error['input'])}"
    if code == "missing":
        return f'needs "{error["loc"][-1]}"'
    found = error["input"]
    if code in _EXPECTED:
        # Text in place of a mapping or a list may be a secret in the wrong place; text in place of a number is not.
        value = (
            f" {shown(found)}"
            if isinstance(found, int | float) or (code in _SCALARS and isinstance(found, str))
            else ""
        )
        forms = [_EXPECTED[code], *(forms_at(root, path) if code in _WITH_SHORT_FORMS else ())]
        expected = f"{', '.join(forms[:-1])} or {forms[-1]}" if len(forms) > 1 else forms[0]
        return f"expected {expected}, found {kind(found)}{value}"
    if code == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        return f"{shown(found)} is not allowed here; {suggestion(str(found), allowed)}"
    if code in _BOUNDS:
        key, words = _BOUNDS[code]
        return f"{shown(found)} is not allowed here; it must be {words} {context[key]}"
    if code == "string_pattern_mismatch":
        return f"{shown(found)} is not allowed here; it must match {context['pattern']}"
    return "is not a value that is allowed here"


def _key_suggestion(found: str, root: type[Model], path: CatalogPath, value: object) -> str:
    """Return what a key of Compose is called here; or the nearest known key there, or else one step below:
    `probe.timeout` for a service's `timeuot`.
    """
    places: list[Any] = [root]
    for part in path:
        places = [inner for place in places for inner in _below(place, part)]
    models = [item for place in places for item in _items(place) if _is_model(item)]
    known = [key for model in models for key in _keys(model)]
    if Environment in places:
        models.append(root)
        known += [key for key in _keys(root) if key not in NOT_OVERLAID]
    if answer := next(filter(None, (called_here(model, found, value) for model in models)), None):
        return answer
    if not nearest(found, known):
        below = {inner: f"{key}.{inner}" for key in reversed(known) for inner in _inner_keys(places, key)}
        deeper = nearest(found, below, _SURE)
        if deeper:
            return f"did you mean {quoted(below[deeper])}?"
    return suggestion(found, known)


def _items(place: Any) -> Iterable[Any]:
    """Yield a place, or what a list of items holds, since one item can be written without a list."""
    return _places(get_args(place)[0]) if get_origin(place) is tuple else (place,)


def _inner_keys(places: list[Any], key: str) -> list[str]:
    models = [inner for place in places for inner in _below(place, key) if _is_model(inner)]
    return [inner for model in models for inner in _keys(model)]


def _keys(model: type[Model]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(place: Any, part: str | int) -> Iterable[Any]:
    """Yield models, mappings and lists that can be one step below a place."""
    if not _is_model(place):
        inner = get_args(place)
        if get_origin(place) is tuple and not isinstance(part, int):
            # One item is written where a list could be.
            for item in _places(inner[0]):
                yield from _below(item, part)
            return
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
