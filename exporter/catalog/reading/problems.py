"""Mistakes in a catalog: their places and sentences, and the error that holds them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.values.words import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable


CatalogPath = tuple[str | int, ...]
"""Keys and list indexes from the root of the catalog."""


Finding = tuple[CatalogPath, str]
"""A place and a sentence."""


_NOT_PLAIN = re.compile(r"[\s.\[\]\"]|\A\Z")
_MAX_KEY = 100
MAX_SHOWN = 100
"""Problems printed for one file; run the command again after fixing these."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` and `column` count from 1; 0 if the mistake has no place in the text."""

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
    """A catalog that cannot be used. Its text is one line per problem, in the order of the file, at most 100."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(lines)
        return "\n".join([*lines, f"and {more} more"] if more else lines)


def path_text(path: CatalogPath) -> str:
    """Return a path as text: `services.web.probes[0].http`; a key that would be misread is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        plain = len(part) <= _MAX_KEY and part.isprintable() and not _NOT_PLAIN.search(part)
        key = part if plain else quoted(part)
        text += f".{key}" if text else key
    return text
