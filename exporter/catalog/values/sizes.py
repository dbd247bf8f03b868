"""Sizes as Compose writes them: `64m`, `1gb`, in units of 1024."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer

from exporter.catalog.values.scalars import size_text, value_type
from exporter.catalog.values.words import shown

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?(?:([kmgt])i?)?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_byte_size(value: object) -> int:
    """Parse a size into bytes. As in Compose, `1k`, `1kb` and `1Ki` are all 1024."""
    whole = isinstance(value, str | int) and not isinstance(value, bool)
    match = _SIZE.fullmatch(str(value)) if whole else None
    size = Decimal(match[1]) * 1024 ** _POWERS[(match[2] or "").lower()] if match else Decimal(0)
    if not 0 < size < 2**63 or size != int(size):
        raise ValueError(f"{shown(value)} is not a size; write a number and a unit, such as 64m or 1gb")
    return int(size)


ByteSize = Annotated[
    int,
    *value_type(
        parse_byte_size,
        {
            "type": ["string", "integer"],
            "pattern": r"^[0-9]+(\.[0-9]+)? ?([kKmMgGtT][iI]?)?[bB]?$",
            "examples": ["64m", "1gb"],
            "minimum": 1,
        },
        "size",
    ),
    PlainSerializer(size_text, when_used="json"),
]
"""Bytes."""
