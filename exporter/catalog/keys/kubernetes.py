"""The key `kubernetes`: settings of generated Kubernetes files."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.names import Label
from exporter.catalog.values.scalars import Text


class Kubernetes(Model):
    """Settings of generated Kubernetes files."""

    namespace: Label | None = Field(
        default=None, description="The namespace; default: the project and environment."
    )
    ingress_class: Text = Field(
        default="nginx", description="Ingress class, which selects the ingress controller."
    )
    storage_class: Text | None = Field(
        default=None, description="Storage class of volumes; default: the cluster's."
    )
