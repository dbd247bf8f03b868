"""Probes of gRPC servers and of WebSockets as they are written, and the address that they share with TCP."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.http_probe import BasicAuth, Port, Tls, check_place, http_shorthand
from exporter.catalog.network import Address, HeaderName, Host, IpProtocol, UrlPath
from exporter.catalog.problems import shown
from exporter.catalog.references import MAY_REFER, Secret, Template, TextTemplate
from exporter.catalog.texts import PathText, parse_url_text
from exporter.catalog.values import Regex, Text, text_schema, value_type


def tls_shorthand(value: object) -> object:
    """`tls: true` is TLS with the defaults, `tls: off` is none."""
    if value is True:
        return {}
    return None if value is False or value == "off" else value


TlsOrOff = Annotated[
    Tls | None, BeforeValidator(tls_shorthand, json_schema_input_type=Tls | bool | Literal["off"] | None)
]


class AddressedProbe(Model):
    """What a probe of one port has: where the port is."""

    address: Address | None = Field(default=None, description="host:port; default: the service's address.")
    host: Host | None = Field(default=None, description="The host; default: the service's.")
    port: Port | None = Field(default=None, description="The port; default: the service's.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.address is not None and (self.host is not None or self.port is not None):
            raise ValueError("address is whole; take host and port out")
        return self


def address_shorthand(value: object) -> object:
    """`true` is the service's own port; a number is a port, text is host:port."""
    if value is True:
        return {}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    return value if isinstance(value, dict) else {"address": value}


_METADATA_KEY = re.compile(r"[0-9A-Za-z_.-]+")
_OWN_METADATA = frozenset(
    {"connection", "content-length", "content-type", "host", "keep-alive", "proxy-connection", "te"}
    | {"transfer-encoding", "upgrade", "user-agent"}
)
"""What belongs to the call itself, or what HTTP/2 forbids."""


def _parse_metadata_key(value: object) -> str:
    if not isinstance(value, str) or not _METADATA_KEY.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a metadata key; use letters, digits, hyphens, dots and _")
    if value.lower() in _OWN_METADATA or value.lower().startswith("grpc-"):
        raise ValueError(f"metadata cannot hold {shown(value)}, which gRPC writes itself")
    return value


MetadataKey = Annotated[
    str, *value_type(_parse_metadata_key, text_schema(r"^[0-9A-Za-z_.-]+$", "authorization"), "metadata key")
]


def _printable(template: TextTemplate) -> TextTemplate:
    if not all(" " <= character <= "~" for character in template.literal or ""):
        raise ValueError(
            "metadata cannot hold line breaks and what is not ASCII; write such a value as base64, "
            "under a key that ends in -bin"
        )
    return template


MetadataValue = Annotated[Template, AfterValidator(_printable)]


class GrpcProbe(AddressedProbe):
    """One call of the standard health service, `grpc.health.v1.Health/Check`."""

    service: Text = Field(
        default="",
        description="The gRPC service asked about, such as shop.Orders; default: the whole server.",
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default={},
        description="Metadata of the call; values may hold references. That of a key in -bin is base64.",
    )
    tls: TlsOrOff = Field(default=None, description="TLS (true for the defaults); default: none.")
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )


GrpcProbeOrShort = Annotated[
    GrpcProbe | None,
    BeforeValidator(address_shorthand, json_schema_input_type=GrpcProbe | int | str | Literal[True] | None),
]


def _parse_websocket_url(value: object) -> str:
    url = parse_url_text(value, ("ws", "wss"))
    if "#" in url:
        raise ValueError(f"{shown(url)} is not a URL of a WebSocket; take the fragment out")
    return url


WebSocketUrl = Annotated[
    str,
    *value_type(_parse_websocket_url, text_schema(r"^[Ww][Ss][Ss]?://", "wss://example.com/events"), "URL"),
    MAY_REFER,
]


def _not_of_handshake(name: str) -> str:
    if name.lower() in ("connection", "upgrade") or name.lower().startswith("sec-websocket-"):
        instead = "; write subprotocols" if name.lower() == "sec-websocket-protocol" else ""
        raise ValueError(f"headers cannot hold {shown(name)}, which the handshake writes itself{instead}")
    return name


HandshakeHeader = Annotated[HeaderName, AfterValidator(_not_of_handshake)]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _parse_subprotocol(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a subprotocol; write a name such as graphql-transport-ws")
    return value


Subprotocol = Annotated[
    str,
    *value_type(
        _parse_subprotocol,
        text_schema(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "graphql-transport-ws"),
        "subprotocol",
    ),
]


class WebSocketProbe(Model):
    """One WebSocket handshake, and perhaps one message each way."""

    url: WebSocketUrl | None = Field(
        default=None, description="The whole URL; default: scheme, address of the service, and path."
    )
    path: PathText = Field(
        default="/", description="The path, perhaps with a query, at the service's address."
    )
    scheme: Literal["ws", "wss"] = Field(default="ws", description="With path: the URL's scheme.")
    port: Port | None = Field(default=None, description="With path: the port; default: the service's.")
    headers: dict[HandshakeHeader, Template] = Field(
        default={}, description="Headers of the handshake; values may hold references."
    )
    subprotocols: Annotated[tuple[Subprotocol, ...], one_or_many(Subprotocol)] = Field(
        default=(), description="Subprotocols to offer; the server must choose one of them."
    )
    send: Template | None = Field(
        default=None, description="A text message sent after the handshake; may hold references."
    )
    expect: Regex | None = Field(
        default=None, description="Wait for a text message that matches; others are passed over."
    )
    tls: Tls = Field(default=Tls(), description="TLS of a wss URL.")
    basic_auth: BasicAuth | None = Field(default=None, description="Basic authentication.")
    bearer_token: Secret | None = Field(default=None, description="A bearer token, by reference.")
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        check_place(self, self.url)
        return self


WebSocketProbeOrShort = Annotated[
    WebSocketProbe | None,
    BeforeValidator(http_shorthand, json_schema_input_type=WebSocketProbe | UrlPath | WebSocketUrl | None),
]
