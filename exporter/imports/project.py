"""A foreign application as its reader found it: one Compose model in which every value knows where it was written.

`read_project` of `imports/compose/reading.py` makes it from files. Nothing in it is resolved: `${VAR:-default}` is
text, an env file is a path, and the only values that were taken from a `.env` are those of Compose's own variables.
A `$` of the container itself is `$$`, as in a Compose file: sources without variables have to double it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.problems import MAX_SHOWN, CatalogPath, Problem, path_text
from exporter.catalog.values.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Scalar = str | int | float | bool | None
"""What Compose makes of a scalar: `222:22` is text, `017` is 15, `no` is text."""

ModelPath = CatalogPath
"""Keys and list indexes from the root of the model: ("services", "web", "ports", 0)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one object of an engine, that values come from."""

    name: str
    """As a person knows it: the path as it was given, or "container web-1"."""
    role: str = "main"
    """main, override, include, extends or engine."""
    file: Path | None = None
    folder: Path | None = None
    """The folder that relative paths of its values start from."""
    variables: frozenset[str] = frozenset()
    """Names that the `.env` of its values defines. Their values were not kept."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place where something was written. `line` and `column` count from 1; 0 where there are no lines."""

    source: Source
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return printable(f"{self.source.name}:{self.line}" if self.line else self.source.name)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the model and its place. For the value of a key, the place is that of the key."""

    content: dict[str, Value] | list[Value] | Scalar
    place: Place
    tag: str | None = None
    """`!reset` or `!override`, until files are merged."""

    def child(self, part: str | int) -> Value | None:
        """Return the value of a key or at an index, if there is one."""
        if isinstance(self.content, dict):
            return self.content.get(str(part))
        if isinstance(self.content, list) and isinstance(part, int) and 0 <= part < len(self.content):
            return self.content[part]
        return None


@dataclass(frozen=True, slots=True)
class Note:
    """Information for a person that is not a mistake."""

    sentence: str
    path: ModelPath = ()
    place: Place | None = None

    def __str__(self) -> str:
        """Return one line without control characters: place, path in the model, sentence."""
        parts = (str(self.place) if self.place else "", path_text(self.path), self.sentence)
        return printable(": ".join(part for part in parts if part))


@dataclass(frozen=True)
class Project:
    """An application: its name, where it was read, and its Compose model."""

    name: str
    """The real name by Compose's rule, which is no DNS label: `my_app`."""
    name_from: str
    """What gave the name: argument, COMPOSE_PROJECT_NAME, file, folder or engine."""
    folder: Path
    sources: tuple[Source, ...]
    """In the order in which they were read."""
    tree: Value
    profiles: tuple[str, ...] = ()
    """Profiles that COMPOSE_PROFILES turns on. Services of all profiles are in the model."""
    notes: tuple[Note, ...] = ()

    @cached_property
    def model(self) -> dict[str, Any]:
        """Return the merged model as dicts, lists and scalars. Aliases share what they point to: do not change it."""
        found: dict[str, Any] = plain(self.tree)
        return found

    def value(self, path: ModelPath) -> Value | None:
        """Return the value on a path, if it is there."""
        value: Value | None = self.tree
        for part in path:
            if value is None:
                return None
            value = value.child(part)
        return value

    def place(self, path: ModelPath) -> Place:
        """Return where the value on a path was written, or the nearest value above it."""
        value = self.tree
        for part in path:
            inner = value.child(part)
            if inner is None:
                break
            value = inner
        return value.place


class SourceError(Exception):
    """Sources that cannot be used. Its text is one line per problem, at most 100."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [str(each) for each in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(lines)
        return "\n".join([*lines, f"and {more} more"] if more else lines)


def problem(sentence: str, place: Place, path: ModelPath = ()) -> Problem:
    """Return a mistake at a place, in the form in which mistakes of a catalog are shown."""
    return Problem(place.source.name, place.line, place.column, path_text(path), sentence)


def mistake(sentence: str, place: Place, path: ModelPath = ()) -> SourceError:
    """Return the error of one mistake."""
    return SourceError([problem(sentence, place, path)])


def plain(value: Value) -> Any:
    """Return a value as dicts, lists and scalars. What the tree shares, the result shares."""
    made: dict[int, Any] = {}

    def build(content: dict[str, Value] | list[Value] | Scalar) -> Any:
        if not isinstance(content, dict | list):
            return content
        if id(content) not in made:
            made[id(content)] = (
                {key: build(inner.content) for key, inner in content.items()}
                if isinstance(content, dict)
                else [build(inner.content) for inner in content]
            )
        return made[id(content)]

    return build(value.content)


def placed(content: Any, place: Place) -> Value:
    """Return plain data as a tree whose values all have one place, for sources that have no lines."""
    if isinstance(content, dict):
        return Value({str(key): placed(inner, place) for key, inner in content.items()}, place)
    if isinstance(content, list | tuple):
        return Value([placed(inner, place) for inner in content], place)
    return Value(content, place)
