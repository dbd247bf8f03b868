"""Meaning of a key of Compose in the catalog: the same key, another one, a key below `compose:`, or not supported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.compose.specification import keys
from exporter.catalog.compose.words import MODELS, WORDS, Renamed, Unsupported, below

if TYPE_CHECKING:
    from exporter.catalog.base import Model


@dataclass(frozen=True, slots=True)
class Same:
    """A key of the catalog with the same name and meaning."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A key that the catalog passes through. `how`: what to write."""

    how: str


Meaning = Same | Renamed | Passed | Unsupported


def meaning(section: str, key: str, own: frozenset[str] | set[str]) -> Meaning:
    """Return what a key of a section is here. `own`: the keys that the catalog has there."""
    listed = WORDS[section].get(key)
    if listed is not None:
        return listed
    return Same() if key in own else Passed(below(section, key))


def called_here(model: type[Model], key: str, value: object) -> str | None:
    """Return the end of a sentence about a key that the model does not have; None if Compose has no such key there.

    `value`: what is written after it; of a mapping, each known key is explained.
    """
    section = MODELS.get(model.__name__)
    if section is None or key not in keys(section):
        return None
    if key in WORDS and isinstance(value, dict):
        inner = [(f"{key}.{name}", meaning(key, name, frozenset())) for name in value if name in keys(key)]
        if inner:
            return "; ".join(_sentence(name, found) for name, found in inner)
    return _sentence(key, meaning(section, key, frozenset()))


def _sentence(key: str, found: Meaning) -> str:
    match found:
        case Renamed(where, note):
            return f"{key} is called {where} here{f' ({note})' if note else ''}"
        case Unsupported(why):
            return f"{key} is not supported: {why}"
        case Passed(how):
            return f"write {key} as {how}"
        case Same():
            return f"{key} is the same here"
