"""A catalog that is being made: its keys, comments on them, and a row about each key of the source."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.expressions import has_variable
from exporter.imports.mapping.values import catalog_text, hidden_in_default, literal, only_variable
from exporter.imports.masking import holds_secret, masked, masked_words, secret_name
from exporter.imports.project import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.imports.project import ModelPath, Place, Project


_KEY = 2
"""Where a path has the key of a service."""
_COMMANDS = frozenset({"command", "entrypoint", "healthcheck"})


class Outcome(StrEnum):
    """The outcome for a key of the source."""

    CARRIED = "carried"
    CHANGED = "changed"
    SECRET = "secret"  # noqa: S105 - the name of an outcome
    PASSED = "passed"
    """Under the catalog's `compose:`."""
    OWNING = "for owning"
    """Not needed to watch; carried with --own."""
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Row:
    """One key of the source, and what became of it. No row holds a value."""

    outcome: Outcome
    path: ModelPath
    place: Place
    sentence: str = ""


@dataclass(slots=True)
class Draft:
    """Collects one catalog. `target`: the folder that its relative paths start from."""

    project: Project
    own: bool
    target: Path
    rows: dict[Row, None] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    """Values of variables that are secrets, and the variables' names: a command may repeat them."""
    comments: dict[ModelPath, str] = field(default_factory=dict)
    """Comments by the path in the catalog."""

    def row(self, outcome: Outcome, path: ModelPath, sentence: str = "") -> None:
        self.rows[Row(outcome, path, self.project.place(path), sentence)] = None

    def plain(self, path: ModelPath) -> Any:
        """Return the value of the source on a path."""
        value = self.project.value(path)
        return None if value is None else plain(value)

    def secret(self, path: ModelPath, name: str, *, variable: str | None = None) -> str:
        """Return the name of a secret of the catalog, whose value was written at `path` or is in a variable."""
        known = secret_name(name).lower()
        if variable:
            self.secrets.setdefault(known, {"env": variable})
            self.row(Outcome.CHANGED, path, f"is read from the variable {variable}")
        else:
            self.secrets.setdefault(known, {})
            self.comments.setdefault(
                ("secrets", known), f"its value is written in {self.project.place(path)}"
            )
            self.row(Outcome.SECRET, path, f"its value was not copied; put it into ./secrets/{known}")
        return known

    def converted(self, value: Any, path: ModelPath) -> Any:
        """Return a value of the source as the catalog writes it: `$` in its way, and no secret."""
        if isinstance(value, dict):
            return {
                key: self.named(key, inner, (*path, key))
                if isinstance(inner, str)
                else self.converted(inner, (*path, key))
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple) and value and all(isinstance(word, str) for word in value):
            # The value of an option may be the next word.
            return [self.text(word, path) for word in masked_words(value, self._reference(path))]
        if isinstance(value, list | tuple):
            return [self.converted(inner, (*path, index)) for index, inner in enumerate(value)]
        return self.text(value, path) if isinstance(value, str) else value

    def text(self, value: str, path: ModelPath) -> str:
        """Return one text as the catalog writes it: if a default of a variable holds a secret, as a variable."""
        reference = self._reference(path)
        hidden = masked(value, reference)
        if hidden_in_default(hidden):
            return reference("_".join(part for part in path[2:3] if isinstance(part, str)))
        return self._written(hidden, path)

    def named(self, name: str, value: str, path: ModelPath) -> str:
        """Return the text of a label, an option or an argument as the catalog writes it."""
        return self._secret_of(name, value, path) or self.text(value, path)

    def passed(self, value: Any, path: ModelPath) -> Any:
        """Return a value that is passed through: as it is written, except for secrets."""
        if isinstance(value, dict):
            return {
                key: self._secret_of(key, inner, (*path, key)) or masked(inner, self._reference((*path, key)))
                if isinstance(inner, str)
                else self.passed(inner, (*path, key))
                for key, inner in value.items()
            }
        if isinstance(value, list | tuple) and value and all(isinstance(word, str) for word in value):
            return masked_words(value, self._reference(path))
        if isinstance(value, list | tuple):
            return [self.passed(inner, (*path, index)) for index, inner in enumerate(value)]
        return masked(value, self._reference(path)) if isinstance(value, str) else value

    def _secret_of(self, name: str, value: str, path: ModelPath) -> str:
        """Return a reference in place of a value that is a secret by its name; empty if it is none."""
        if not holds_secret(name, literal(value)):
            return ""
        variable = only_variable(value)
        if not variable:
            return self._reference(path)(secret_name(name))
        self.row(Outcome.SECRET, path, f"the default of {variable} was not copied; set the variable")
        return f"${{{variable}}}"

    def _reference(self, path: ModelPath) -> Callable[[str], str]:
        def reference(name: str) -> str:
            variable = secret_name(str(path[1]) if len(path) > 1 else "", name)
            self.row(Outcome.SECRET, path, f"its value was not copied; set the variable {variable}")
            return f"${{{variable}}}"

        return reference

    def _written(self, value: str, path: ModelPath) -> str:
        if len(path) > _KEY and path[_KEY] in _COMMANDS:
            for known, name in self.known.items():
                if known in value:
                    value = value.replace(known, self._reference(path)(name))
        text, left = catalog_text(value)
        for name, why in left:
            self.row(Outcome.CHANGED, path, f"{why} of the variable {name} is left out; set it")
        return text

    def file(self, text: str, path: ModelPath) -> str:
        """Return a path as the catalog finds it, which starts from another folder than the source's file."""
        folder = self.project.place(path).source.folder
        if not text.startswith(".") or folder is None or has_variable(text.partition("/")[0]):
            return self.text(text, path)
        moved = os.path.relpath(Path(os.path.abspath(folder)) / text, os.path.abspath(self.target))  # noqa: PTH100 - links stay, as Compose has it
        return self.text(moved if moved.startswith(".") else f"./{moved}", path)
