"""The key `tcp` of a probe: a connection, optionally with a conversation."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.keys.probes.addressed import AddressedProbe, TlsOrOff
from exporter.catalog.values.network import IpProtocol  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.references import Template
from exporter.catalog.values.scalars import Regex


class TcpExchange(Model):
    """One step of a conversation: wait for a line, then send one, then optionally start TLS."""

    expect: Regex | None = Field(default=None, description="Wait for a line that matches.")
    send: Template | None = Field(default=None, description="Then send this line; may hold references.")
    starttls: bool = Field(default=False, description="Then start TLS.")

    @model_validator(mode="after")
    def _some_step(self) -> Self:
        if not self.model_fields_set:
            raise AbsenceError("needs expect, send or starttls")
        return self


class TcpProbe(AddressedProbe):
    """One TCP connection."""

    tls: TlsOrOff = Field(
        default=None, description="TLS from the start (true for the defaults), or after STARTTLS."
    )
    starttls: Literal["smtp"] | None = Field(
        default=None, description="The protocol whose STARTTLS comes before TLS."
    )
    exchanges: tuple[TcpExchange, ...] = Field(
        default=(), description="Lines to expect and to send, in order."
    )
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )

    @model_validator(mode="after")
    def _one_starttls(self) -> Self:
        if sum(step.starttls for step in self.exchanges) + (self.starttls is not None) > 1:
            raise ValueError("starttls can be written only once; servers do not support TLS inside TLS")
        return self
