"""The key `prometheus`: Prometheus in the generated stack."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Duration, LabelName, Size, Text


class Prometheus(Model):
    """Prometheus in the generated stack."""

    scrape_interval: Duration = Field(
        default=15.0,
        description="Time between two scrapes of the exporter.",
        json_schema_extra={"default": "15s"},
    )
    retention: Duration = Field(
        default=1296000.0, description="How long series are kept.", json_schema_extra={"default": "15d"}
    )
    retention_size: Size | None = Field(default=None, description="How large they may grow.")
    version: Text | None = Field(default=None, description="The image's tag in the generated stack.")
    external_labels: dict[LabelName, Text] = Field(
        default={}, description="Labels of everything it sends elsewhere."
    )
