"""Variables of Compose in a project: where they are used, and which of them have no known value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.imports.compose.expressions import ExpressionError, Variable, parse, variables
from exporter.imports.project import Note, SourceError, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.catalog.reading.problems import Problem
    from exporter.imports.project import ModelPath, Place, Value

_MAX_NAMED = 12
_NEED_VALUE = ("", ":?", "?")


@dataclass(frozen=True, slots=True)
class Use:
    """One variable in one value of the model."""

    variable: Variable
    path: ModelPath
    place: Place


def uses(tree: Value) -> list[Use]:
    """Return each use of a variable, once for values that aliases share.

    Raises:
        SourceError: a `$` that Compose refuses.
    """
    found: list[Use] = []
    problems: list[Problem] = []
    for path, value in _texts(tree):
        assert isinstance(value.content, str)  # noqa: S101 - as `_texts` says
        try:
            found += [Use(variable, path, value.place) for variable in variables(parse(value.content))]
        except ExpressionError as error:
            problems.append(problem(str(error), value.place, path))
    if problems:
        raise SourceError(problems)
    return found


def unset(found: Iterable[Use]) -> Note | None:
    """Return a note about the variables without a default that no `.env` defines."""
    names = {
        use.variable.name
        for use in found
        if use.variable.operator in _NEED_VALUE and use.variable.name not in use.place.source.variables
    }
    if not names:
        return None
    listed = ", ".join(sorted(names)[:_MAX_NAMED]) + (", …" if len(names) > _MAX_NAMED else "")
    return Note(f"no .env file defines {listed}; set them in the shell, otherwise they are empty")


def _texts(tree: Value) -> Iterator[tuple[ModelPath, Value]]:
    """Yield the texts of the model in the order of the files."""
    seen: set[int] = set()
    waiting: list[tuple[ModelPath, Value]] = [((), tree)]
    while waiting:
        path, value = waiting.pop()
        content = value.content
        if isinstance(content, str):
            if "$" in content:
                yield path, value
        elif isinstance(content, dict | list) and id(content) not in seen:
            seen.add(id(content))
            parts: list[tuple[str | int, Value]] = list(
                content.items() if isinstance(content, dict) else enumerate(content)
            )
            waiting += [((*path, part), child) for part, child in reversed(parts)]
