"""The key `healthcheck`: how often the engine runs the container's health check."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import (
    Duration,
)


class HealthCheck(Model):
    """How often the container engine asks the health probe."""

    interval: Duration = Field(
        default=30.0, description="Time between two checks.", json_schema_extra={"default": "30s"}
    )
    timeout: Duration = Field(
        default=10.0, description="Time that one check may take.", json_schema_extra={"default": "10s"}
    )
    retries: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Failures in a row until the container is unhealthy."
    )
    start_period: Duration = Field(
        default=30.0,
        description="Time to start, in which failures do not count.",
        json_schema_extra={"default": "30s"},
    )
