"""The key `kubernetes`: settings of generated Kubernetes files."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Label, Text


class Kubernetes(Model):
    """What generated Kubernetes files say beside the services."""

    namespace: Label | None = Field(
        default=None, description="The namespace; default: the project and environment."
    )
    ingress_class: Text = Field(default="nginx", description="The ingress controller.")
    storage_class: Text | None = Field(
        default=None, description="The class of volumes; default: the cluster's."
    )
