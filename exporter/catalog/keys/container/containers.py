"""The key `containers` of a service or store: which containers are its own, if somebody else runs them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.values.names import EngineName


class WatchedContainers(Model):
    """Containers that somebody else runs: a Compose service's, or one by its name."""

    service: EngineName | None = Field(
        default=None, description="The service in its Compose project; default: the name in the catalog."
    )
    project: EngineName | None = Field(
        default=None, description="Its Compose project or Swarm stack; default: those of observe.projects."
    )
    name: EngineName | None = Field(
        default=None, description="The name of one container, in place of service and project."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.name and (self.service or self.project):
            raise ValueError("name is that of one container and cannot be combined with service or project")
        if not (self.name or self.service or self.project):
            raise AbsenceError("is empty; write service, project or name")
        return self


def _shorthand(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


ContainersOrShort = Annotated[
    WatchedContainers, BeforeValidator(_shorthand, json_schema_input_type=WatchedContainers | EngineName)
]
