"""The key `grafana`: Grafana in the generated stack."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.network import Url
from exporter.catalog.values.scalars import Text


class Grafana(Model):
    """Grafana in the generated stack, and links to it."""

    url: Url | None = Field(default=None, description="URL at which people open it; used in links of alerts.")
    version: Text | None = Field(default=None, description="Image tag in the generated stack.")
    datasource: Text = Field(default="prometheus", description="uid of the Prometheus data source.")
