"""The keys `ulimits` and `sysctls`: limits and parameters of the kernel for a container."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.texts import Interpolated

_Limit = Annotated[int, Field(ge=-1)]


class Ulimit(Model):
    """A limit of one kind; -1 is unlimited."""

    soft: _Limit = Field(description="The limit that applies.")
    hard: _Limit = Field(description="The limit up to which a process may raise it.")

    @model_validator(mode="after")
    def _soft_is_lower(self) -> Self:
        if self.hard != -1 and not -1 < self.soft <= self.hard:
            raise ValueError(f"soft ({self.soft}) is more than hard ({self.hard})")
        return self


def _shorthand(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"soft": value, "hard": value}
    return value


Ulimits = dict[str, Annotated[Ulimit, BeforeValidator(_shorthand, json_schema_input_type=Ulimit | int)]]
Sysctls = Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool])]
