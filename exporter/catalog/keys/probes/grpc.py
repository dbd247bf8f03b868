"""The key `grpc` of a probe: a call of the standard health service."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.catalog.keys.probes.addressed import AddressedProbe, TlsOrOff, address_shorthand
from exporter.catalog.values.network import IpProtocol  # noqa: TC001 - pydantic reads it at run time
from exporter.catalog.values.references import Template, TextTemplate
from exporter.catalog.values.scalars import Text, text_schema, value_type
from exporter.catalog.values.words import shown

_METADATA_KEY = re.compile(r"[0-9A-Za-z_.-]+")
_OWN_METADATA = frozenset(
    {"connection", "content-length", "content-type", "host", "keep-alive", "proxy-connection", "te"}
    | {"transfer-encoding", "upgrade", "user-agent"}
)
"""Keys that belong to the call itself, or that HTTP/2 forbids."""


def _parse_metadata_key(value: object) -> str:
    if not isinstance(value, str) or not _METADATA_KEY.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a metadata key; use letters, digits, hyphens, dots and _")
    if value.lower() in _OWN_METADATA or value.lower().startswith("grpc-"):
        raise ValueError(f"metadata cannot hold {shown(value)}, which gRPC sets itself")
    return value


MetadataKey = Annotated[
    str, *value_type(_parse_metadata_key, text_schema(r"^[0-9A-Za-z_.-]+$", "authorization"), "metadata key")
]


def _printable(template: TextTemplate) -> TextTemplate:
    if not all(" " <= character <= "~" for character in template.literal or ""):
        raise ValueError(
            "metadata can hold only ASCII without line breaks; write any other value as base64, "
            "under a key that ends in -bin"
        )
    return template


MetadataValue = Annotated[Template, AfterValidator(_printable)]


class GrpcProbe(AddressedProbe):
    """One call of the standard health service, `grpc.health.v1.Health/Check`."""

    service: Text = Field(
        default="",
        description="gRPC service to check, such as shop.Orders; default: the whole server.",
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default={},
        description="Metadata of the call; values may hold references. The value of a key that ends in -bin is base64.",
    )
    tls: TlsOrOff = Field(default=None, description="TLS (true for the defaults); default: none.")
    ip: IpProtocol = Field(
        default="any", description="Address family: one only, one first, or whichever answers first."
    )


GrpcProbeOrShort = Annotated[
    GrpcProbe | None,
    BeforeValidator(address_shorthand, json_schema_input_type=GrpcProbe | int | str | Literal[True] | None),
]
