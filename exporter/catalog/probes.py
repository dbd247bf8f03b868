"""Probes as they are written: what to ask a service, and what its answer must be."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from exporter.catalog.addresses import split_address
from exporter.catalog.base import AbsenceError, Model, one_or_many
from exporter.catalog.http_probe import HttpProbe, HttpProbeOrShort, http_shorthand
from exporter.catalog.network import Host, IpProtocol, Url, UrlPath
from exporter.catalog.network_probes import (
    AddressedProbe,
    GrpcProbe,
    GrpcProbeOrShort,
    TlsOrOff,
    WebSocketProbe,
    WebSocketProbeOrShort,
    address_shorthand,
)
from exporter.catalog.references import Template
from exporter.catalog.values import Duration, Label, Regex


class TcpExchange(Model):
    """One step of a conversation: wait for a line, then send one, then perhaps start TLS."""

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
    exchanges: tuple[TcpExchange, ...] = Field(default=(), description="What is expected and sent, in order.")
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )

    @model_validator(mode="after")
    def _one_starttls(self) -> Self:
        if sum(step.starttls for step in self.exchanges) + (self.starttls is not None) > 1:
            raise ValueError("starttls can stand once; TLS inside TLS is not a thing that servers speak")
        return self


class DnsAnswers(Model):
    """What the text of the answer's records must be."""

    matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Each must match at least one record."
    )
    not_matches: Annotated[tuple[Regex, ...], one_or_many(Regex)] = Field(
        default=(), description="Each must match no record."
    )


def _answers_shorthand(value: object) -> object:
    return value if isinstance(value, dict) else {"matches": value}


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _parse_server(value: object) -> str:
    split_address(value)
    return str(value)


Rcode = Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "NOTAUTH"]


class DnsProbe(Model):
    """One DNS question and what its answer must be."""

    name: Host = Field(description="The name that is asked for.")
    type: Annotated[
        str,
        Field(pattern=r"^[A-Z][A-Z0-9]{0,15}$"),
        BeforeValidator(
            _upper, json_schema_input_type=Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9]{0,15}$")]
        ),
    ] = Field(default="A", description="The record type: A, AAAA, CNAME, MX, TXT and so on.")
    server: (
        Annotated[
            str, PlainValidator(_parse_server), WithJsonSchema({"type": "string", "title": "host[:port]"})
        ]
        | None
    ) = Field(
        default=None, description="The DNS server, perhaps with a port; default: the system's resolvers."
    )
    transport: Literal["udp", "tcp"] = Field(default="udp", description="How the question travels.")
    rcodes: Annotated[tuple[Rcode, ...], one_or_many(Rcode)] = Field(
        default=("NOERROR",), description="Response codes that count as success."
    )
    answers: Annotated[
        DnsAnswers,
        BeforeValidator(_answers_shorthand, json_schema_input_type=DnsAnswers | Regex | tuple[Regex, ...]),
    ] = Field(
        default=DnsAnswers(),
        description="What the records must be; a plain regular expression is short for matches.",
    )
    min_answers: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many records there must be at least; "
        "default: 1, or 0 where a response code other than NOERROR is expected.",
    )
    recursion: bool = Field(default=True, description="Whether the server is asked to resolve recursively.")
    ip: IpProtocol = Field(default="any", description="Address family of the way to the server.")


def _dns_shorthand(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class IcmpProbe(Model):
    """One echo request."""

    host: Host | None = Field(default=None, description="The host; default: the service's.")
    payload: Annotated[int, Field(ge=0, le=65507)] = Field(default=56, description="Bytes of payload.")
    ttl: Annotated[int, Field(ge=1, le=255)] = Field(
        default=64, description="Hops that the request may take."
    )
    ip: IpProtocol = Field(default="any", description="Address family.")


def _icmp_shorthand(value: object) -> object:
    return {} if value is True else {"host": value} if isinstance(value, str) else value


PROTOCOLS = ("http", "tcp", "dns", "icmp", "grpc", "websocket")

ProtocolProbe = HttpProbe | TcpProbe | DnsProbe | IcmpProbe | GrpcProbe | WebSocketProbe


class Probe(Model):
    """One check of a service. Exactly one protocol."""

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
        DnsProbe | None, BeforeValidator(_dns_shorthand, json_schema_input_type=DnsProbe | str | None)
    ] = Field(default=None, description="A DNS question; a plain name is short for it.")
    icmp: Annotated[
        IcmpProbe | None,
        BeforeValidator(_icmp_shorthand, json_schema_input_type=IcmpProbe | str | Literal[True] | None),
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
        default=None, description="Time that one check may take; default: the service's."
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
    def spec(self) -> ProtocolProbe:
        """The protocol's part."""
        spec = self.http or self.tcp or self.dns or self.icmp or self.grpc or self.websocket
        assert spec is not None  # noqa: S101 - held by the validator above
        return spec


class Health(HttpProbe):
    """The HTTP probe named health, which the container's own health check asks too."""

    interval: Duration | None = Field(
        default=None, description="Time between two checks; default: the service's."
    )
    timeout: Duration | None = Field(
        default=None, description="Time that one check may take; default: the service's."
    )


HealthOrShort = Annotated[
    Health, BeforeValidator(http_shorthand, json_schema_input_type=Health | UrlPath | Url)
]


class ProbeTimes(Model):
    """How often to check, and how long to wait."""

    interval: Duration | None = Field(default=None, description="Time between two checks.")
    timeout: Duration | None = Field(
        default=None, description="Time that one check may take, at most the interval."
    )
