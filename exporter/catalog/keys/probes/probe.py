"""The key `probes`: one check of a service, with one protocol."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.keys.probes.addressed import address_shorthand
from exporter.catalog.keys.probes.dns import DnsProbe, dns_shorthand
from exporter.catalog.keys.probes.grpc import GrpcProbe, GrpcProbeOrShort
from exporter.catalog.keys.probes.http import HttpProbe, HttpProbeOrShort
from exporter.catalog.keys.probes.icmp import IcmpProbe, icmp_shorthand
from exporter.catalog.keys.probes.tcp import TcpProbe
from exporter.catalog.keys.probes.websocket import WebSocketProbe, WebSocketProbeOrShort
from exporter.catalog.values.names import Label
from exporter.catalog.values.scalars import Duration

PROTOCOLS = ("http", "tcp", "dns", "icmp", "grpc", "websocket")

ProtocolProbe = HttpProbe | TcpProbe | DnsProbe | IcmpProbe | GrpcProbe | WebSocketProbe


class Probe(Model):
    """One check of a service, with exactly one protocol."""

    name: Label = Field(description="The name of the probe, unique in its service.")
    http: HttpProbeOrShort | None = Field(
        default=None, description="An HTTP request; a plain path or URL is short for it."
    )
    tcp: Annotated[
        TcpProbe | None,
        BeforeValidator(
            address_shorthand, json_schema_input_type=TcpProbe | int | str | Literal[True] | None
        ),
    ] = Field(
        default=None,
        description="A TCP connection; a port, host:port, or true for the service's own port is short for it.",
    )
    dns: Annotated[
        DnsProbe | None, BeforeValidator(dns_shorthand, json_schema_input_type=DnsProbe | str | None)
    ] = Field(default=None, description="A DNS question; a plain name is short for it.")
    icmp: Annotated[
        IcmpProbe | None,
        BeforeValidator(icmp_shorthand, json_schema_input_type=IcmpProbe | str | Literal[True] | None),
    ] = Field(
        default=None, description="An echo request; a host, or true for the service's own, is short for it."
    )
    grpc: GrpcProbeOrShort = Field(
        default=None,
        description="A call of gRPC's standard health service; a port, host:port, or true for the service's own "
        "port is short for it.",
    )
    websocket: WebSocketProbeOrShort = Field(
        default=None, description="A WebSocket handshake; a plain path or URL is short for it."
    )
    interval: Duration | None = Field(
        default=None, description="Time between two checks; default: the service's."
    )
    timeout: Duration | None = Field(
        default=None, description="Time limit of one check; default: the service's."
    )

    @model_validator(mode="after")
    def _one_protocol(self) -> Self:
        written = [name for name in PROTOCOLS if getattr(self, name) is not None]
        if len(written) != 1:
            found = f"found {' and '.join(written)}" if written else "found none"
            error = ValueError if written else AbsenceError
            raise error(f"needs exactly one of {', '.join(PROTOCOLS)}; {found}")
        return self

    @property
    def protocol(self) -> str:
        """Return the protocol's key."""
        return next(name for name in PROTOCOLS if getattr(self, name) is not None)

    @property
    def spec(self) -> ProtocolProbe:
        """Return the value of the protocol's key."""
        spec: ProtocolProbe = getattr(self, self.protocol)
        return spec
