"""Keys that probes of one port share: its address, and TLS."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.base import Model
from exporter.catalog.keys.probes.tls import Tls
from exporter.catalog.values.network import Address, Host, Port


def tls_shorthand(value: object) -> object:
    """Return the long form: `tls: true` is TLS with the defaults, `tls: off` is no TLS."""
    if value is True:
        return {}
    return None if value is False or value == "off" else value


TlsOrOff = Annotated[
    Tls | None, BeforeValidator(tls_shorthand, json_schema_input_type=Tls | bool | Literal["off"] | None)
]


class AddressedProbe(Model):
    """Keys that probes of one port share: where the port is."""

    address: Address | None = Field(default=None, description="host:port; default: the service's address.")
    host: Host | None = Field(default=None, description="The host; default: the service's.")
    port: Port | None = Field(default=None, description="The port; default: the service's.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.address is not None and (self.host is not None or self.port is not None):
            raise ValueError("address already has the host and port; remove host and port")
        return self


def address_shorthand(value: object) -> object:
    """Return the long form: `true` is the service's own port, a number is a port, text is host:port."""
    if value is True:
        return {}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    return value if isinstance(value, dict) else {"address": value}
