"""Words of messages: input, shown short and safe, and the nearest known name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_MAX_LISTED = 12
_MAX_ECHO = 60
_MAX_COMPARED = 64
"""Limit of a name that is compared with the known names; they are all shorter."""


def quoted(value: object) -> str:
    """Return what a person wrote in quotes, short and on one line."""
    text = str(value)
    if len(text) > _MAX_ECHO:
        text = text[: _MAX_ECHO - 1] + "…"
    return f'"{printable(text)}"'


def printable(text: str) -> str:
    """Return the text with an escape for each character that does not print or that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def nearest(found: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to the one found, ignoring case; None if no name is similar."""
    if len(found) > _MAX_COMPARED:
        return None
    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(found.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[near[0]] if near else None


def shown(value: object) -> str:
    """Return what was found, short: text in quotes, other scalars bare, containers by kind."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = str(value)
        return text if len(text) <= _MAX_ECHO else text[: _MAX_ECHO - 1] + "…"
    return kind(value)


def kind(value: object) -> str:
    """Return the kind of a value, in YAML's words."""
    names = {str: "text", bool: "a boolean", type(None): "nothing", dict: "a mapping", tuple: "a list"}
    return names.get(type(value), "a number")


def suggestion(found: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the nearest known name, or else the known names."""
    names = list(known)
    near = nearest(found, names)
    if near:
        return f"did you mean {quoted(near)}?"
    if not names:
        return "there is none"
    listed = ", ".join(names[:_MAX_LISTED])
    return f"known: {listed}, …" if len(names) > _MAX_LISTED else f"known: {listed}"
