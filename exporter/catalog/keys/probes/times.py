"""The keys `interval` and `timeout` of probes."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Duration


class ProbeTimes(Model):
    """Interval and timeout of probes."""

    interval: Duration | None = Field(default=None, description="Time between two checks.")
    timeout: Duration | None = Field(
        default=None, description="Time limit of one check, at most the interval."
    )
