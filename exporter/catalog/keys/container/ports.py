"""The key `ports`: ports of the host that lead to the container."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.ports import PortText, Range, port_range, split_port
from exporter.catalog.values.texts import Interpolated, without_variables


class PublishedPort(Model):
    """A port, or a range of ports, of the container on the host."""

    target: PortText = Field(description="The port or range in the container.")
    published: PortText | None = Field(
        default=None,
        description="The port or range on the host; default: a free port that the engine chooses.",
    )
    host_ip: Interpolated | None = Field(default=None, description="Address of the host; default: all.")
    protocol: Literal["tcp", "udp", "sctp"] = Field(default="tcp", description="The protocol.")
    mode: Literal["host", "ingress"] | None = Field(default=None, description="Swarm: how it is published.")
    name: Interpolated | None = Field(default=None, description="Name, for people; needs Compose 2.")
    app_protocol: Interpolated | None = Field(
        default=None, description="The protocol inside, such as http; needs Compose 2."
    )

    @property
    def inside(self) -> Range | None:
        """Return the range in the container; None if a variable decides."""
        return _range(self.target)

    @property
    def outside(self) -> Range | None:
        """Return the range on the host; None if the engine or a variable decides."""
        return _range(self.published) if self.published else None

    def host_port(self, port: int) -> int | None:
        """Return the port on the host that leads to this TCP port; None if none does, or it is not known."""
        inside, outside = self.inside, self.outside
        if self.protocol != "tcp" or not inside or not outside or not inside[0] <= port <= inside[1]:
            return None
        fixed = outside[1] - outside[0] == inside[1] - inside[0]
        return outside[0] + port - inside[0] if fixed else None

    @model_validator(mode="after")
    def _ranges_fit(self) -> Self:
        inside, outside = self.inside, self.outside
        if not inside or not outside:
            return self
        wanted, there = inside[1] - inside[0] + 1, outside[1] - outside[0] + 1
        # For one port, the engine takes a free one of the host's range.
        if wanted not in (1, there):
            raise ValueError(
                f"{self.published} has {there} {_ports(there)} and {self.target} has {wanted}; "
                "both ranges must have the same size"
            )
        return self


def _ports(count: int) -> str:
    return "port" if count == 1 else "ports"


def _range(text: str) -> Range | None:
    known = without_variables(text)
    return port_range(known) if known else None


def _shorthand(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"target": value}
    return split_port(value) if isinstance(value, str) else value


PublishedPortOrShort = Annotated[
    PublishedPort, BeforeValidator(_shorthand, json_schema_input_type=PublishedPort | str | int)
]
PublishedPorts = Annotated[tuple[PublishedPortOrShort, ...], one_or_many(PublishedPort | str | int)]
