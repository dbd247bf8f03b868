"""The key `slo`: service level objectives."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Duration, Percentage, duration_text


class Latency(Model):
    """A latency objective: this share of requests must be faster than this duration."""

    under: Duration = Field(description="The duration.")
    for_: Percentage = Field(
        default=Decimal(99),
        alias="for",
        description="The share of requests.",
    )


def _latency_shorthand(value: object) -> object:
    return {"under": value} if isinstance(value, str) else value


DEFAULT_PERIOD = 30 * 86400.0
"""Seconds; used if neither the objective nor defaults sets a period."""

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
    period: Duration | None = Field(
        default=None,
        description=f"The window of the error budget; default: {duration_text(DEFAULT_PERIOD)}.",
    )

    @model_validator(mode="after")
    def _some_budget(self) -> Self:
        if self.availability == _ALWAYS or (self.latency and self.latency.for_ == _ALWAYS):
            raise ValueError("an objective of 100% leaves no error budget; write less, such as 99.99%")
        return self


def _slo_shorthand(value: object) -> object:
    return {"availability": value} if isinstance(value, str) else value


SloOrShort = Annotated[Slo, BeforeValidator(_slo_shorthand, json_schema_input_type=Slo | Percentage)]
