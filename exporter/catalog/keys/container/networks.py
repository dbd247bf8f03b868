"""The key `networks` of a service or store: the networks that it is on, and its names and addresses there."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import ContainerName
from exporter.catalog.values.texts import Interpolated, without_variables
from exporter.catalog.values.words import shown


def _checked_address(text: str) -> str:
    known = without_variables(text)
    try:
        if known is not None:
            ipaddress.ip_address(known)
    except ValueError:
        raise ValueError(f"{shown(text)} is not an IP address") from None
    return text


IpAddress = Annotated[Interpolated, AfterValidator(_checked_address)]


class Attachment(Model):
    """A network that the container is on."""

    aliases: Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)] = Field(
        default=(), description="Further names of the container on this network."
    )
    ipv4_address: IpAddress | None = Field(default=None, description="Fixed IPv4 address.")
    ipv6_address: IpAddress | None = Field(default=None, description="Fixed IPv6 address.")
    link_local_ips: tuple[IpAddress, ...] = Field(default=(), description="Link-local addresses.")
    priority: int | None = Field(
        default=None, description="The network with the highest number is connected first."
    )
    mac_address: Interpolated | None = Field(default=None, description="MAC address; needs Compose 2.")
    gw_priority: int | None = Field(
        default=None,
        description="The network with the highest number is the default gateway; needs Compose 2.",
    )
    interface_name: Interpolated | None = Field(
        default=None, description="Name of the interface in the container; needs Compose 2."
    )
    driver_opts: dict[str, Interpolated] = Field(
        default={}, description="Options of the network's driver; needs Compose 2."
    )

    @property
    def fixed(self) -> str | None:
        """Return the key that only one container can have; None without one."""
        keys = ("ipv4_address", "ipv6_address", "mac_address")
        return next((key for key in keys if getattr(self, key)), None)


def _shorthand(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if item is None else item for name, item in value.items()}
    return value


Attachments = Annotated[
    dict[ContainerName, Attachment],
    BeforeValidator(
        _shorthand,
        json_schema_input_type=ContainerName
        | tuple[ContainerName, ...]
        | dict[ContainerName, Attachment | None],
    ),
]
