"""The key `network_mode`: whose network a container uses, in place of networks of its own."""

from __future__ import annotations

import re
from typing import Annotated

from exporter.catalog.values.scalars import text_schema, value_type
from exporter.catalog.values.words import shown

_MODE = re.compile(r"none|host|bridge|(?:service|container):[A-Za-z0-9][A-Za-z0-9_.-]*")
SERVICE, CONTAINER = "service:", "container:"
HOST = "host"


def parse_network_mode(value: object) -> str:
    """Parse the mode of a container's network."""
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a network mode; write host, none, bridge, service:NAME or container:NAME"
        )
    return value


NetworkMode = Annotated[
    str,
    *value_type(
        parse_network_mode,
        text_schema(r"^(none|host|bridge|(service|container):[A-Za-z0-9][A-Za-z0-9_.-]*)$", "host"),
        "network mode",
    ),
]
