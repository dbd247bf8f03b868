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

_NOT_PLAIN = re.compile(r"[\s.\[\]\"]|\A\Z")
_MAX_LISTED = 12
_MAX_ECHO = 60
_MAX_KEY = 100
MAX_SHOWN = 100
"""Problems printed for one file; run the command again after mending these."""
_MAX_COMPARED = 64
"""Characters of a name that is compared with the known ones; none of those is as long."""


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
        return printable(
            f"{place}: {self.path}: {self.sentence}" if self.path else f"{place}: {self.sentence}"
        )


class CatalogError(Exception):
    """A catalog that cannot be used. Its text is one line per problem, in the order of the file, 100 at most."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(lines)
        return "\n".join([*lines, f"and {more} more"] if more else lines)


def path_text(path: CatalogPath) -> str:
    """`services.web.probes[0].http`; a key that would be misread is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = len(part) <= _MAX_KEY and part.isprintable() and not _NOT_PLAIN.search(part)
        key = part if plain else quoted(part)
        text += f".{key}" if text else key
    return text


def quoted(value: object) -> str:
    """What a person wrote, short and on one line."""
    text = str(value)
    if len(text) > _MAX_ECHO:
        text = text[: _MAX_ECHO - 1] + "…"
    return f'"{printable(text)}"'


def printable(text: str) -> str:
    """The text with an escape for each character that does not print, or that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def nearest(found: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like the one found, whatever its case; none when nothing is near."""
    if len(found) > _MAX_COMPARED:
        return None
    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(found.lower(), lowered, n=1, cutoff=cutoff)
    return lowered[near[0]] if near else None


def shown(value: object) -> str:
    """What was found, short: text in quotes, other scalars bare, containers by kind."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = str(value)
        return text if len(text) <= _MAX_ECHO else text[: _MAX_ECHO - 1] + "…"
    return kind(value)


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
