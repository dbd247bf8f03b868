"""The key `websocket` of a probe: a handshake, optionally with one message each way."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.probes.http import BasicAuth, check_place, http_shorthand
from exporter.catalog.keys.probes.tls import Tls
from exporter.catalog.values.network import HeaderName, IpProtocol, Port, UrlPath
from exporter.catalog.values.references import MAY_REFER, Secret, Template
from exporter.catalog.values.scalars import Regex, text_schema, value_type
from exporter.catalog.values.texts import PathText, parse_url_text
from exporter.catalog.values.words import shown


def _parse_websocket_url(value: object) -> str:
    url = parse_url_text(value, ("ws", "wss"))
    if "#" in url:
        raise ValueError(f"{shown(url)} is not a WebSocket URL; remove the fragment")
    return url


WebSocketUrl = Annotated[
    str,
    *value_type(_parse_websocket_url, text_schema(r"^[Ww][Ss][Ss]?://", "wss://example.com/events"), "URL"),
    MAY_REFER,
]


def _not_of_handshake(name: str) -> str:
    if name.lower() in ("connection", "upgrade") or name.lower().startswith("sec-websocket-"):
        instead = "; use subprotocols" if name.lower() == "sec-websocket-protocol" else ""
        raise ValueError(f"headers cannot hold {shown(name)}, which the handshake sets itself{instead}")
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
    """One WebSocket handshake, optionally with one message each way."""

    url: WebSocketUrl | None = Field(
        default=None, description="The whole URL; default: scheme, address of the service, and path."
    )
    path: PathText = Field(
        default="/", description="Path, optionally with a query, at the service's address."
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
        default=None, description="Wait for a text message that matches; others are ignored."
    )
    tls: Tls = Field(default=Tls(), description="TLS settings of a wss URL.")
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
