"""All mistakes in the forms of a project at once, each with its file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError
from exporter.imports.compose.forms.resources import file_resource, resource
from exporter.imports.compose.forms.service import read
from exporter.imports.project import SourceError, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.imports.project import ModelPath, Project


def check_forms(project: Project) -> None:
    """Check every service, volume, network, secret and config.

    Raises:
        SourceError: some are in no form that Compose accepts.
    """
    problems = [
        problem(error.sentence, project.place((*path, *error.path)), (*path, *error.path))
        for path, error in _errors(project.model)
    ]
    if problems:
        raise SourceError(problems)


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
