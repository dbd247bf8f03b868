"""The key `prometheus`: Prometheus in the generated stack."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.names import LabelName
from exporter.catalog.values.scalars import Duration, Size, Text


class Prometheus(Model):
    """Prometheus in the generated stack."""

    scrape_interval: Duration = Field(
        default=15.0,
        description="Time between two scrapes of the exporter.",
    )
    retention: Duration = Field(default=1296000.0, description="How long series are kept.")
    retention_size: Size | None = Field(default=None, description="Maximum disk space for series.")
    version: Text | None = Field(default=None, description="Image tag in the generated stack.")
    external_labels: dict[LabelName, Text] = Field(
        default={}, description="Labels that are added to everything that it sends to other systems."
    )
