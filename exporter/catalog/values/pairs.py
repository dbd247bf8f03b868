"""Mappings of names to text that Compose also takes as a list: `[NAME=value]` for `{NAME: value}`."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator

from exporter.catalog.values.words import quoted


def pairs(mapping: Any, *, alone: str | None = None) -> BeforeValidator:
    """Accept a list of NAME=VALUE in place of the mapping, and booleans as text.

    Args:
        mapping: the type of the mapping, for the JSON Schema.
        alone: the value of a name without one, in either form.
    """

    def as_mapping(value: object) -> object:
        if isinstance(value, tuple):
            value = _from_list(value)
        if not isinstance(value, dict):
            return value
        return {name: alone if item is None else _plain(item) for name, item in value.items()}

    return BeforeValidator(as_mapping, json_schema_input_type=mapping | tuple[str, ...])


def _from_list(items: tuple[object, ...]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for item in items:
        # The item may hold a secret, so only its name is ever repeated.
        if not isinstance(item, str):
            raise ValueError("an item of this list is text such as NAME=value")  # noqa: TRY004 - pydantic collects ValueErrors
        name, sign, value = item.partition("=")
        if name in found:
            raise ValueError(f"{quoted(name)} is in this list twice; remove one of them")
        found[name] = value if sign else None
    return found


def _plain(value: object) -> object:
    return ("true" if value else "false") if isinstance(value, bool) else value
