"""The load balancer at the edge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.network import Host, Port, UrlPath
from exporter.catalog.values.scalars import Duration, Label, Size, Words
from exporter.catalog.values.texts import Interpolated


class GatewayTls(Model):
    """TLS at the edge."""

    certificate: Words = Field(description="File of the certificate chain, on the host.")
    key: Words = Field(description="File of its key, on the host.")
    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="The lowest TLS version that is accepted."
    )
    redirect: bool = Field(default=True, description="Whether plain HTTP is sent to HTTPS.")


class Route(Model):
    """Where requests below one path go."""

    service: Label = Field(description="The service.")
    strip: bool = Field(default=False, description="Whether the path's prefix is taken off.")
    websocket: bool = Field(default=False, description="Whether connections may be upgraded.")
    read_timeout: Duration | None = Field(
        default=None, description="Time to wait for an answer; default: the gateway's."
    )
    max_body: Size | None = Field(default=None, description="Largest request; default: the gateway's.")


def _route_shorthand(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


class GatewayTimeouts(Model):
    """How long the gateway waits for a service."""

    connect: Duration = Field(
        default=5.0, description="For a connection.", json_schema_extra={"default": "5s"}
    )
    read: Duration = Field(default=60.0, description="For an answer.", json_schema_extra={"default": "60s"})
    send: Duration = Field(
        default=60.0, description="For a request to go out.", json_schema_extra={"default": "60s"}
    )


class Gateway(Model):
    """The load balancer at the edge."""

    host: Host = Field(description="The public host name.")
    aliases: Annotated[tuple[Host, ...], one_or_many(Host)] = Field(
        default=(), description="Further host names."
    )
    image: Interpolated | None = Field(default=None, description="nginx's image; default: a pinned one.")
    http_port: Port = Field(default=80, description="Port of plain HTTP on the host.")
    https_port: Port = Field(default=443, description="Port of HTTPS on the host.")
    tls: GatewayTls | None = Field(default=None, description="TLS; default: plain HTTP only.")
    balance: Literal["round_robin", "least_conn", "ip_hash"] = Field(
        default="round_robin", description="How requests are spread over replicas."
    )
    routes: dict[
        UrlPath, Annotated[Route, BeforeValidator(_route_shorthand, json_schema_input_type=Route | Label)]
    ] = Field(default={}, description="Paths and the service that answers below each; the longest path wins.")
    timeouts: GatewayTimeouts = Field(
        default=GatewayTimeouts(), description="How long it waits for a service."
    )
    max_fails: Annotated[int, Field(ge=0)] = Field(
        default=3, description="Failures until a replica is left out."
    )
    fail_timeout: Duration = Field(
        default=30.0, description="How long it is left out.", json_schema_extra={"default": "30s"}
    )
    max_body: Size = Field(
        default=10 * 1024 * 1024, description="Largest request.", json_schema_extra={"default": "10Mi"}
    )
