"""`depends_on` and `links`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import has_variable
from exporter.imports.compose.forms.base import FormError, flag, mapping_of, optional, texts_of

if TYPE_CHECKING:
    from exporter.imports.project import ModelPath

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
CONDITIONS = (STARTED, HEALTHY, COMPLETED)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A service that is started before."""

    service: str
    path: ModelPath
    condition: str = STARTED
    required: bool | str = True
    restart: bool | str = False


@dataclass(frozen=True, slots=True)
class Link:
    """One of `links`: a dependency with another name for it."""

    service: str
    alias: str
    path: ModelPath


def dependencies(value: Any) -> tuple[Dependency, ...]:
    """Return what a service depends on.

    Raises:
        FormError: a condition is unknown, or an entry has another form.
    """
    if not isinstance(value, dict):
        return tuple(Dependency(name, (index,)) for index, name in enumerate(texts_of(value)))
    found = []
    for name, entry in value.items():
        options = mapping_of(entry, (name,))
        condition = optional(options, "condition", (name,)) or STARTED
        if condition not in CONDITIONS and not has_variable(condition):
            sentence = f"{quoted(condition)} is not a condition; known: {', '.join(CONDITIONS)}"
            raise FormError(sentence, (name, "condition"))
        required, restart = flag(options, "required", True), flag(options, "restart", False)
        found.append(
            Dependency(name, (name,), condition, True if required is None else required, restart or False)
        )
    return tuple(found)


def links(value: Any) -> tuple[Link, ...]:
    """Return the links of a service."""
    found = []
    for index, text in enumerate(texts_of(value)):
        service, _, alias = text.partition(":")
        found.append(Link(service, alias or service, (index,)))
    return tuple(found)
