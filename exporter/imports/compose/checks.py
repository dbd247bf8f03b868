"""Finds all mistakes in the forms of a project at once, each with its file and line, and env files that are missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import has_variable
from exporter.imports.compose.forms.base import FormError
from exporter.imports.compose.forms.grants import env_files
from exporter.imports.compose.forms.resources import file_resource, resource
from exporter.imports.compose.forms.service import read
from exporter.imports.project import Note, SourceError, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.imports.project import ModelPath, Project


def check_forms(project: Project) -> None:
    """Check every service, volume, network, secret and config.

    Raises:
        SourceError: Compose rejects the form of one of them.
    """
    problems = [
        problem(error.sentence, project.place((*path, *error.path)), (*path, *error.path))
        for path, error in _errors(project.model)
    ]
    if problems:
        raise SourceError(problems)


def missing_env_files(project: Project) -> Iterator[Note]:
    """Yield a note for each env file that a service requires and that is not there."""
    for name, value in project.model["services"].items():
        for entry in env_files(value.get("env_file")):
            path = ("services", name, "env_file", *entry.path)
            place = project.place(path)
            if entry.required is not True or has_variable(entry.file):
                continue
            file = os.path.join(place.source.folder or "", os.path.expanduser(entry.file))  # noqa: PTH111, PTH118 - as in `references`
            if not os.path.exists(file):  # noqa: PTH110 - as in `loading`
                yield Note(
                    f"there is no file {quoted(entry.file)}; Compose does not start without it", path, place
                )


def _errors(model: dict[str, Any]) -> Iterator[tuple[ModelPath, FormError]]:
    volumes = model.get("volumes") or {}
    for name, value in (model.get("services") or {}).items():
        for error in read(name, value, volumes)[1]:
            yield ("services", name), error
    for section, form in _RESOURCES.items():
        for name, value in (model.get(section) or {}).items():
            try:
                form(name, value)
            except FormError as error:
                yield (section, name), error


_RESOURCES: dict[str, Callable[[str, Any], object]] = {
    "configs": file_resource,
    "networks": resource,
    "secrets": file_resource,
    "volumes": resource,
}
