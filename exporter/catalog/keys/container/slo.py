"""The key `slo`: service level objectives."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import (
    Duration,
    Percentage,
)


class Latency(Model):
    """An objective of speed: this share of requests is faster than this."""

    under: Duration = Field(description="The duration.")
    for_: Percentage = Field(
        default=Decimal(99),
        alias="for",
        description="The share of requests.",
        json_schema_extra={"default": "99%"},
    )


def _latency_shorthand(value: object) -> object:
    return {"under": value} if isinstance(value, str) else value


_ALWAYS = Decimal(100)


class Slo(Model):
    """Service level objectives."""

    availability: Percentage | None = Field(
        default=None, description="Share of probes and requests that succeed."
    )
    latency: (
        Annotated[Latency, BeforeValidator(_latency_shorthand, json_schema_input_type=Latency | Duration)]
        | None
    ) = Field(default=None, description="Share of requests that are fast; a plain duration means 99%.")
    period: Duration | None = Field(default=None, description="The window of the error budget; default: 30d.")

    @model_validator(mode="after")
    def _some_budget(self) -> Self:
        if self.availability == _ALWAYS or (self.latency and self.latency.for_ == _ALWAYS):
            raise ValueError("an objective of 100% leaves no error budget; write less, such as 99.99%")
        return self


def _slo_shorthand(value: object) -> object:
    return {"availability": value} if isinstance(value, str) else value


SloOrShort = Annotated[Slo, BeforeValidator(_slo_shorthand, json_schema_input_type=Slo | Percentage)]
