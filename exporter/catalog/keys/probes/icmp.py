"""The key `icmp` of a probe: one echo request."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.network import Host, IpProtocol


class IcmpProbe(Model):
    """One echo request."""

    host: Host | None = Field(default=None, description="The host; default: the service's.")
    payload: Annotated[int, Field(ge=0, le=65507)] = Field(default=56, description="Bytes of payload.")
    ttl: Annotated[int, Field(ge=1, le=255)] = Field(
        default=64, description="Maximum number of hops of the request."
    )
    ip: IpProtocol = Field(default="any", description="Address family.")


def icmp_shorthand(value: object) -> object:
    return {} if value is True else {"host": value} if isinstance(value, str) else value
