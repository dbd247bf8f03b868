"""The key `volumes`: named volumes of services."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.keys.backup import BackupSchedule
from exporter.catalog.keys.compose import ComposeKeys
from exporter.catalog.values.scalars import Words


class Volume(Model):
    """A named volume."""

    description: Words = Field(default="", description="What it holds.")
    backup: BackupSchedule | None = Field(default=None, description="When it is backed up.")
    external: bool = Field(default=False, description="It already exists and is not created.")
    size: Annotated[str, Field(pattern=r"^[0-9]+[MGT]i?$")] | None = Field(
        default=None, description="Size to request from a cluster, such as 10Gi."
    )
    compose: ComposeKeys = Field(default={}, description="Further keys of it in the Compose file.")


VolumeOrEmpty = Annotated[Volume, empty_allowed(Volume)]
