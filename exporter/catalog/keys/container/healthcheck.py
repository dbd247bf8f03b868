"""The key `healthcheck`: how often the engine runs the container's health check."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Duration


class HealthCheck(Model):
    """Health check that the container engine runs."""

    interval: Duration = Field(default=30.0, description="Time between two checks.")
    timeout: Duration = Field(default=10.0, description="Time limit of one check.")
    retries: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Consecutive failures until the container is unhealthy."
    )
    start_period: Duration = Field(
        default=30.0,
        description="Time to start, during which failures do not count.",
    )
