"""Files of a project: Compose's own search, COMPOSE_FILE, and the project's name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import Problem
from exporter.catalog.values.words import printable, quoted
from exporter.imports.compose.dotenv import OWN_VARIABLES, DotEnv, read_dot_env
from exporter.imports.compose.expressions import by_default, has_variable
from exporter.imports.project import Note, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from exporter.imports.project import Value

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""File names that Compose looks for, the first one that exists wins."""
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""The same for the file that is laid over it, whatever the name of the first."""

_NOT_NAME = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Settings:
    """Compose's own variables, from the process or the `.env`, and the names that the `.env` defines."""

    own: dict[str, str]
    names: frozenset[str]
    notes: tuple[Note, ...]


def settings(folders: Iterable[Path], environment: Mapping[str, str]) -> Settings:
    """Read the `.env` of each folder; the first one wins, and the environment before all."""
    own: dict[str, str] = {}
    names: set[str] = set()
    notes: list[Note] = []
    for folder in dict.fromkeys(folders):
        found = dot_env(folder / ".env", notes)
        names |= found.names
        own = {**found.own, **own}
        notes += [
            Note(f"{folder / '.env'}: {name} refers to other variables and is ignored")
            for name in sorted(found.unresolved)
        ]
    own |= {name: environment[name] for name in OWN_VARIABLES if environment.get(name)}
    return Settings(own, frozenset(names), tuple(notes))


def dot_env(file: Path, notes: list[Note]) -> DotEnv:
    """Return what is known of a `.env`; nothing, and a note, where it cannot be read."""
    try:
        return read_dot_env(file) or DotEnv()
    except OSError as error:
        notes.append(Note(f"{file} was not read: {error.strerror}"))
        return DotEnv()


def main_files(folder: Path, own: Mapping[str, str], notes: list[Note]) -> list[Path]:
    """Return the files of a folder in the order in which they are merged.

    Raises:
        SourceError: there is none.
    """
    listed = own.get("COMPOSE_FILE")
    if listed:
        separator = own.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [folder / name for name in listed.split(separator) if name]
    found = [name for name in NAMES if (folder / name).exists()]
    if not found:
        sentence = f"there is no Compose file here; Compose looks for {', '.join(NAMES)}"
        raise SourceError([Problem(str(folder), 0, 0, "", sentence)])
    laid_over = [name for name in OVERRIDES if (folder / name).exists()]
    for chosen, *others in (found, laid_over or [""]):
        if others:
            notes.append(
                Note(f"{folder}: only {chosen} was read, not {', '.join(others)}; Compose does the same")
            )
    return [folder / name for name in found[:1] + laid_over[:1]]


def project_name(
    given: str | None, own: Mapping[str, str], written: Sequence[Value], folder: Path, notes: list[Note]
) -> tuple[str, str]:
    """Return the project's name and what gave it. `written`: the key `name` of each file, in order.

    Raises:
        SourceError: nothing gives a name that Compose takes.
    """
    for name, origin in ((given, "argument"), (own.get("COMPOSE_PROJECT_NAME"), "COMPOSE_PROJECT_NAME")):
        if name:
            if normalised(name) != name:
                sentence = (
                    f"{quoted(name)} is not a project name; use lower-case letters, digits, - and _, "
                    "and begin with a letter or digit"
                )
                raise SourceError([Problem(origin, 0, 0, "", sentence)])
            return name, origin
    for value in reversed(written):
        text = value.content if isinstance(value.content, str) else ""
        if has_variable(text):
            notes.append(Note("the project's name depends on a variable", ("name",), value.place))
            text = by_default(text) or ""
        if normalised(text):
            return normalised(text), "file"
    name = normalised(folder.name)
    if not name:
        sentence = (
            f"{printable(folder.name)!r} cannot be turned into a project name; set the key name in the file"
        )
        raise SourceError([Problem(str(folder), 0, 0, "", sentence)])
    return name, "folder"


def normalised(name: str) -> str:
    """Return a name as Compose makes it of a folder's: `My App_1.2` is `myapp_12`."""
    return _NOT_NAME.sub("", name.lower()).lstrip("_-")
