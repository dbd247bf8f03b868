"""The key `depends_on`: services and stores that must be there first."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.names import ContainerName

Condition = Literal["started", "healthy", "completed"]
_Compose = Literal["service_started", "service_healthy", "service_completed_successfully"]
_CONDITIONS: dict[str, Condition] = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
"""Compose's names of the conditions."""


def _condition(value: object) -> object:
    return _CONDITIONS.get(value, value) if isinstance(value, str) else value


class Dependency(Model):
    """Another service or store that this one needs."""

    condition: Annotated[
        Condition | None, BeforeValidator(_condition, json_schema_input_type=Condition | _Compose | None)
    ] = Field(
        default=None,
        description="State that it must reach before this one starts; Compose's service_healthy and so on are "
        "accepted; default: healthy if the catalog has a health check for it, else started.",
    )
    optional: bool = Field(
        default=False,
        description="This one works without it, so a failure there does not explain a failure here, "
        "and nothing waits until it is healthy.",
    )
    required: bool = Field(default=True, description="Compose's name: `required: false` is `optional: true`.")
    restart: bool = Field(
        default=False, description="Restart this one after Compose has changed the other; needs Compose 2."
    )

    @property
    def needed(self) -> bool:
        """True if this one does not work without it."""
        return self.required and not self.optional

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if {"optional", "required"} <= self.model_fields_set and self.optional == self.required:
            raise ValueError("optional and required contradict each other; remove one of them")
        return self


def _shorthand(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {
            name: {} if item is None else {"condition": item} if isinstance(item, str) else item
            for name, item in value.items()
        }
    return value


Dependencies = Annotated[
    dict[ContainerName, Dependency],
    BeforeValidator(
        _shorthand,
        json_schema_input_type=ContainerName
        | tuple[ContainerName, ...]
        | dict[ContainerName, Dependency | Condition | _Compose | None],
    ),
]
