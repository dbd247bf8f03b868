"""The key `volumes`: named volumes of services and stores."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.keys.backup import BackupSchedule
from exporter.catalog.keys.compose import ComposeKeys
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.scalars import Words
from exporter.catalog.values.texts import Interpolated


class Volume(Model):
    """A named volume."""

    description: Words = Field(default="", description="What it holds.")
    backup: BackupSchedule | None = Field(default=None, description="When it is backed up.")
    name: Interpolated | None = Field(
        default=None,
        description="Its name on the engine; default: the Compose project's name, _ and this name. "
        "Environments on one host share a volume with a name.",
    )
    external: bool = Field(default=False, description="It already exists and is not created.")
    driver: Interpolated | None = Field(default=None, description="The driver; default: local.")
    driver_opts: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool])] = Field(
        default={}, description="Options of the driver, such as those of an NFS mount."
    )
    labels: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool | None], alone="")] = (
        Field(default={}, description="Labels of the volume.")
    )
    size: Annotated[str, Field(pattern=r"^[0-9]+[MGT]i?$")] | None = Field(
        default=None, description="Size to request from a cluster, such as 10Gi."
    )
    compose: ComposeKeys = Field(default={}, description="Further keys of it in the Compose file.")

    @model_validator(mode="after")
    def _external_is_not_made(self) -> Self:
        making = sorted({"driver", "driver_opts", "labels"} & self.model_fields_set)
        if self.external and making:
            raise ValueError(
                f"an external volume is used as it is; remove {' and '.join(making)}, or external"
            )
        return self


VolumeOrEmpty = Annotated[Volume, empty_allowed(Volume)]
