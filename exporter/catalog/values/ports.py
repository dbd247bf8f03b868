"""Published ports as Compose writes them: `127.0.0.1:8080-8090:80-90/udp`, with variables anywhere."""

from __future__ import annotations

import re
from typing import Annotated

from exporter.catalog.values.references import MAY_REFER
from exporter.catalog.values.scalars import value_type
from exporter.catalog.values.texts import parse_interpolated, without_variables
from exporter.catalog.values.variables import fields
from exporter.catalog.values.words import shown

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_MOST = 65535
PROTOCOLS = ("tcp", "udp", "sctp")
HOW = "write 80, 8080:80, 127.0.0.1:8080:80, 8080-8090:80-90 or 53:53/udp"

Range = tuple[int, int]
"""First and last port."""


def parse_port_text(value: object) -> str:
    """Return a port or a range of ports, as it was written; variables are allowed."""
    text = parse_interpolated(value)
    known = without_variables(text)
    if known is not None and port_range(known) is None:
        raise ValueError(
            f"{shown(text)} is not a port or a range of ports from 1 to {_MOST}, such as 80 or 8080-8090"
        )
    return text


def port_range(text: str) -> Range | None:
    """Return the range in this text; None if it is not one."""
    match = _RANGE.fullmatch(text)
    if not match:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (first, last) if 0 < first <= last <= _MOST else None


def split_port(text: str) -> dict[str, str]:
    """Return the long form of a published port.

    Raises:
        ValueError: it has another form.
    """
    numbers, *rest = fields(text, "/", brackets=True)
    parts, protocol = fields(numbers, brackets=True), "/".join(rest) if rest else "tcp"
    if len(parts) > 3 or not parts[-1] or (len(parts) == 2 and not parts[0]):
        raise ValueError(f"{shown(text)} does not publish a port; {HOW}")
    if protocol not in PROTOCOLS:
        raise ValueError(f"{shown(text)}: the protocol is one of {', '.join(PROTOCOLS)}")
    long = {"target": parts[-1], "protocol": protocol}
    if len(parts) > 1 and parts[-2]:
        long["published"] = parts[-2]
    if len(parts) > 2 and parts[0]:
        long["host_ip"] = parts[0].removeprefix("[").removesuffix("]")
    return long


PortText = Annotated[
    str,
    *value_type(
        parse_port_text,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST},
                {"type": "string", "examples": ["8080-8090"]},
            ]
        },
        "port or range",
    ),
    MAY_REFER,
]
