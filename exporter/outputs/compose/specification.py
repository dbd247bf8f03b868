"""A check of what is passed through, by the JSON Schema of the Compose specification.

jsonschema is imported here only, by commands that read a catalog with `compose:`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.compose.specification import SECTIONS, TOP, keys, keys_of, schema
from exporter.catalog.compose.words import OWNED, WORDS, Unsupported
from exporter.catalog.values.words import kind, shown, suggestion
from exporter.outputs.compose.merging import without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.exceptions import ValidationError

    from exporter.catalog.reading.problems import CatalogPath, Finding

_FORMS = {
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_ALTERNATIVES = ("oneOf", "anyOf")
_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
_INNER = ("build", "deploy", "healthcheck")
"""Sections inside a service."""
_NAMED = {
    "services": "service",
    "volumes": "volume",
    "networks": "network",
    "secrets": "secret",
    "configs": "config",
}
"""Mappings of the top level from names to a section."""


def mistakes(section: str, passed: dict[str, Any]) -> Iterator[Finding]:
    """Yield what the specification does not allow in a section, and what the catalog does not pass through.

    Paths begin below `compose:`. Nulls remove keys, so they are not checked.
    """
    yield from _refused(section, passed, ())
    from jsonschema import Draft202012Validator

    whole = schema()
    pointer = "".join(f"/{part}" for part in SECTIONS[section])
    check = Draft202012Validator({"$ref": f"#{pointer}", "$defs": whole["$defs"]} if pointer else whole)
    for error in check.iter_errors(without_nulls(passed)):
        yield from _in_words(error)


def _refused(section: str, passed: dict[str, Any], path: CatalogPath) -> Iterator[Finding]:
    for key, value in passed.items():
        word = WORDS[section].get(key)
        if isinstance(word, Unsupported):
            yield (*path, key), f"is not supported: {word.why}"
        elif owner := OWNED.get(section, {}).get(key):
            yield (*path, key), f"cannot be changed here; write the catalog's own key {owner}"
        elif section == "service" and key in _INNER and isinstance(value, dict):
            yield from _refused(key, value, (*path, key))
        elif section == TOP and key in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from _refused(_NAMED[key], inner if isinstance(inner, dict) else {}, (*path, key, name))


def _in_words(error: ValidationError) -> Iterator[Finding]:
    """Yield what is wrong, as precisely as the schema tells."""
    path = tuple(error.absolute_path)
    found: Any = error.instance
    wanted: Any = error.validator_value
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties" if isinstance(found, dict):
            yield from _unknown(error, path)
        case "oneOf" | "anyOf":
            yield from _alternatives(error, path)
        case "type":
            yield path, _expected(wanted if isinstance(wanted, list) else [wanted], found)
        case "required":
            missing = ", ".join(f'"{key}"' for key in wanted if key not in found)
            yield path, f"needs {missing}"
        case "enum":
            words = suggestion(str(found), map(str, wanted)) if isinstance(found, str) else ""
            yield path, f"{shown(found)} is not allowed here{f'; {words}' if words else ''}"
        case "uniqueItems":
            yield path, "holds the same item twice; remove one of them"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            yield path, f"{shown(found)} is not allowed here; it must be {_BOUNDS[error.validator]} {wanted}"
        case _:
            meaning = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
            yield path, f"is not what Compose takes here{f': {meaning}' if meaning else ''}"


def _unknown(error: ValidationError, path: CatalogPath) -> Iterator[Finding]:
    # A mistake in one key makes all keys of a service unevaluated, so they are compared with the known ones.
    service = error.validator == "unevaluatedProperties"
    definition: Any = error.schema
    written: Any = error.instance
    known = list(keys("service")) if service else keys_of(definition)
    patterns = definition.get("patternProperties", {})
    named = [pattern for pattern in patterns if not pattern.startswith("^x-")]
    for key in written:
        if key in known or key.startswith("x-") or (named and not service and _matches(named, key)):
            continue
        if known:
            yield (*path, key), f"is not a key of Compose; {suggestion(key, known)}"
        else:
            yield (*path, key), f"is not a name that Compose takes; it must match {named[0]}"


def _matches(patterns: list[str], key: str) -> bool:
    return any(re.search(pattern, key) for pattern in patterns)


def _alternatives(error: ValidationError, path: CatalogPath) -> Iterator[Finding]:
    """Yield the mistakes in the one form that is of the right kind; without one, all forms."""
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    near = [
        inner
        for inner in branches.values()
        if not any(each.validator == "type" and not each.path for each in inner)
    ]
    if len(near) == 1:
        for inner in near[0]:
            yield from _in_words(inner)
        return
    forms: list[Any] = [
        form
        for inner in branches.values()
        for each in inner
        if each.validator == "type" and not each.path
        for form in (
            each.validator_value if isinstance(each.validator_value, list) else [each.validator_value]
        )
    ]
    yield path, _expected(forms, error.instance) if forms else "has no form that Compose takes here"


def _expected(forms: list[str], found: object) -> str:
    # Null removes a key here, so it is never what to write.
    words = list(dict.fromkeys(_FORMS[form] for form in forms if form != "null"))
    text = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    return f"Compose takes {text} here, found {kind(tuple(found) if isinstance(found, list) else found)}"
