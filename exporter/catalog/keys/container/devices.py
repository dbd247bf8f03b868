"""The keys `devices` and `gpus`: hardware of the host that the container uses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.texts import Interpolated

Devices = Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)]


class Gpus(Model):
    """A request for graphics processors."""

    driver: Interpolated | None = Field(default=None, description="The driver, such as nvidia.")
    count: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None, description="How many, or all; default: all if device_ids names none."
    )
    device_ids: tuple[Interpolated, ...] = Field(default=(), description="Which ones.")
    capabilities: tuple[Interpolated, ...] = Field(
        default=(), description="Capabilities that they must have; default: gpu."
    )
    options: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool])] = Field(
        default={}, description="Options of the driver."
    )


def _shorthand(value: object) -> object:
    return ({"count": "all"},) if value == "all" else value


GpuRequests = Annotated[
    tuple[Gpus, ...], BeforeValidator(_shorthand, json_schema_input_type=tuple[Gpus, ...] | Literal["all"])
]
