"""The load balancer at the edge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import ContainerName
from exporter.catalog.values.network import Host, Port, UrlPath
from exporter.catalog.values.scalars import Duration, Size, Words
from exporter.catalog.values.texts import Interpolated


class GatewayTls(Model):
    """TLS at the edge."""

    certificate: Words = Field(description="File of the certificate chain, on the host.")
    key: Words = Field(description="File of its key, on the host.")
    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="The lowest TLS version that is accepted."
    )
    redirect: bool = Field(default=True, description="Redirect plain HTTP to HTTPS.")


class Route(Model):
    """Destination of the requests below one path."""

    service: ContainerName = Field(description="The service.")
    strip: bool = Field(default=False, description="Remove the path's prefix from the request.")
    websocket: bool = Field(default=False, description="Allow connections to be upgraded.")
    read_timeout: Duration | None = Field(
        default=None, description="Time to wait for a response; default: the gateway's."
    )
    max_body: Size | None = Field(default=None, description="Largest request body; default: the gateway's.")


def _route_shorthand(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


class GatewayTimeouts(Model):
    """Timeouts of the gateway's requests to a service."""

    connect: Duration = Field(default=5.0, description="Time to connect.")
    read: Duration = Field(default=60.0, description="Time to wait for a response.")
    send: Duration = Field(default=60.0, description="Time to send a request.")


class Gateway(Model):
    """The load balancer at the edge."""

    host: Host = Field(description="The public host name.")
    aliases: Annotated[tuple[Host, ...], one_or_many(Host)] = Field(
        default=(), description="More host names."
    )
    image: Interpolated | None = Field(default=None, description="Image of nginx; default: a pinned one.")
    http_port: Port = Field(default=80, description="Port of plain HTTP on the host.")
    https_port: Port = Field(default=443, description="Port of HTTPS on the host.")
    tls: GatewayTls | None = Field(default=None, description="TLS; default: plain HTTP only.")
    balance: Literal["round_robin", "least_conn", "ip_hash"] = Field(
        default="round_robin", description="How requests are spread over replicas."
    )
    routes: dict[
        UrlPath,
        Annotated[Route, BeforeValidator(_route_shorthand, json_schema_input_type=Route | ContainerName)],
    ] = Field(default={}, description="Paths and the service that answers below each; the longest path wins.")
    timeouts: GatewayTimeouts = Field(
        default=GatewayTimeouts(), description="Timeouts of requests to a service."
    )
    max_fails: Annotated[int, Field(ge=0)] = Field(
        default=3, description="Failures until a replica is skipped."
    )
    fail_timeout: Duration = Field(default=30.0, description="How long a failed replica is skipped.")
    max_body: Size = Field(default=10 * 1024 * 1024, description="Largest request body.")
