"""Mappings that may be lists of `KEY=value`: environment, labels, build arguments, sysctls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError, items_of, text_of
from exporter.imports.compose.scalars import container_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.imports.project import ModelPath


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry. `path` leads from the key's value to it."""

    name: str
    value: str | None
    """As the container gets it, with variables unresolved. None: a variable of this name is passed on, if it is set."""
    path: ModelPath


def pairs(value: Any) -> tuple[Pair, ...]:
    """Return the entries in the order of the file; of equal names the last one counts.

    Raises:
        FormError: it is neither a list nor a mapping of single values.
    """
    if isinstance(value, str):
        return _distinct([_entry(value, ())])
    if isinstance(value, dict):
        return tuple(Pair(name, _text(inner, (name,)), (name,)) for name, inner in value.items())
    return _distinct([_entry(text_of(item, path), path) for path, item in items_of(value)])


def _entry(text: str, path: ModelPath) -> Pair:
    name, equals, value = text.partition("=")
    if name != name.rstrip():
        raise FormError("remove the space before =; Compose rejects it", path)
    return Pair(name, value if equals else None, path)


def _text(value: Any, path: ModelPath) -> str | None:
    return None if value is None else container_text(text_of(value, path))


def _distinct(entries: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple({entry.name: entry for entry in entries}.values())
