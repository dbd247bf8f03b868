"""Mappings of names to text that Compose also takes as a list: `[NAME=value]` for `{NAME: value}`."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator

from exporter.catalog.values.words import quoted


def pairs(mapping: Any, *, alone: str | None = None, separators: str = "=") -> BeforeValidator:
    """Accept a list of NAME=VALUE in place of the mapping, and booleans as text.

    Args:
        mapping: the type of the mapping, for the JSON Schema.
        alone: the value of a name without one, in either form.
        separators: the characters that can end a name; the first of them in the text does.
    """

    def as_mapping(value: object) -> object:
        if isinstance(value, tuple):
            value = _from_list(value, separators)
        if not isinstance(value, dict):
            return value
        return {name: alone if item is None else _plain(item) for name, item in value.items()}

    return BeforeValidator(as_mapping, json_schema_input_type=mapping | tuple[str, ...])


def _from_list(items: tuple[object, ...], separators: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for item in items:
        # The item may hold a secret, so only its name is ever repeated.
        if not isinstance(item, str):
            raise ValueError(f"an item of this list is text such as NAME{separators[0]}value")  # noqa: TRY004 - pydantic collects ValueErrors
        at = min((index for sign in separators if (index := item.find(sign)) >= 0), default=-1)
        name, value = (item, None) if at < 0 else (item[:at], item[at + 1 :])
        if name in found:
            raise ValueError(f"{quoted(name)} is in this list twice; remove one of them")
        found[name] = value
    return found


def _plain(value: object) -> object:
    return ("true" if value else "false") if isinstance(value, bool) else value
