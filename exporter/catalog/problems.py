"""What is wrong with a catalog: one sentence each, with the place it was found and the nearest right name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CatalogPath = tuple[str | int, ...]
"""Keys and list indexes from the root of the catalog."""

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"]+\Z")
_MAX_LISTED = 12
_MAX_ECHO = 60


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` and `column` count from 1; 0 where the mistake has no place in the text."""

    file: str
    line: int
    column: int
    path: str
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.sentence}" if self.path else f"{place}: {self.sentence}"


class CatalogError(Exception):
    """A catalog that cannot be used. Its text is one line a problem, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def path_text(path: CatalogPath) -> str:
    """`services.web.probes[0].http`; a key that would be misread is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        key = part if _PLAIN_KEY.match(part) else quoted(part)
        text += f".{key}" if text else key
    return text


def quoted(value: object) -> str:
    """What a person wrote, short and on one line."""
    text = str(value)
    if len(text) > _MAX_ECHO:
        text = text[: _MAX_ECHO - 1] + "…"
    return (
        '"'
        + "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
        + '"'
    )


def nearest(found: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like the one found, whatever its case; none when nothing is near."""
    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(found.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[near[0]] if near else None


def shown(value: object) -> str:
    """What was found, short: text in quotes, other scalars bare, containers by kind."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else kind(value)


def kind(value: object) -> str:
    """What sort of value it is, in YAML's words."""
    names = {str: "text", bool: "a boolean", type(None): "nothing", dict: "a mapping", tuple: "a list"}
    return names.get(type(value), "a number")


def suggestion(found: str, known: Iterable[str]) -> str:
    """The end of a sentence: the nearest known name, or else what there is to choose from."""
    names = list(known)
    near = nearest(found, names)
    if near:
        return f"did you mean {quoted(near)}?"
    if not names:
        return "there is none"
    listed = ", ".join(names[:_MAX_LISTED])
    return f"known: {listed}, …" if len(names) > _MAX_LISTED else f"known: {listed}"
