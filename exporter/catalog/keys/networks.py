"""The key `networks`: networks of the application besides the generated ones, and networks that exist."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.keys.compose import ComposeKeys
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.scalars import Words
from exporter.catalog.values.texts import Interpolated

DEFAULT = "default"
"""Compose's name of the network of services that name none: here the network of all services."""
GENERATED = ("edge", "internal", "stores")
"""Networks of the generated Compose file, which services can name and the catalog cannot define."""


class Range(Model):
    """A range of addresses of a network."""

    subnet: Interpolated | None = Field(default=None, description="The subnet, such as 172.28.0.0/16.")
    ip_range: Interpolated | None = Field(default=None, description="Range of containers' addresses.")
    gateway: Interpolated | None = Field(default=None, description="The gateway's address.")
    aux_addresses: dict[str, Interpolated] = Field(default={}, description="Further reserved addresses.")


class Ipam(Model):
    """Addresses of a network."""

    driver: Interpolated | None = Field(default=None, description="The driver of addresses.")
    config: tuple[Range, ...] = Field(default=(), description="Its ranges.")
    options: dict[str, Interpolated] = Field(default={}, description="Options of the driver.")


class Network(Model):
    """A network."""

    description: Words = Field(default="", description="What it is for.")
    name: Interpolated | None = Field(
        default=None,
        description="Its name on the engine; default: the Compose project's name, _ and this name.",
    )
    external: bool = Field(default=False, description="It already exists and is not created.")
    internal: bool = Field(default=False, description="It has no access to the outside.")
    attachable: bool = Field(default=False, description="Swarm: other containers can join it.")
    enable_ipv6: bool = Field(default=False, description="Give containers IPv6 addresses.")
    driver: Interpolated | None = Field(default=None, description="The driver, such as bridge or macvlan.")
    driver_opts: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool])] = Field(
        default={}, description="Options of the driver."
    )
    ipam: Ipam = Field(default=Ipam(), description="Its addresses.")
    labels: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool | None], alone="")] = (
        Field(default={}, description="Labels of the network.")
    )
    compose: ComposeKeys = Field(default={}, description="Further keys of it in the Compose file.")

    @model_validator(mode="after")
    def _external_has_a_name_alone(self) -> Self:
        further = sorted(self.model_fields_set - {"description", "name", "external"})
        if self.external and further:
            raise ValueError(
                f"an external network is used as it is; remove {' and '.join(further)}, or external"
            )
        return self


NetworkOrEmpty = Annotated[Network, empty_allowed(Network)]
