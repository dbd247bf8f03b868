"""The key `compose`: keys of Compose that the catalog does not have, passed through as they are written.

Texts are Compose's own: it fills in `$NAME` and `${NAME}`, and `$$` is a `$`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from exporter.catalog.values.references import MAY_REFER
from exporter.catalog.values.words import kind


def _keys(value: object) -> dict[str, Any]:
    """Return the mapping as a program reads it from JSON: no numbers that remember how they were written."""
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping of Compose's keys, found {kind(value)}")  # noqa: TRY004 - pydantic collects ValueErrors
    return {key: _plain(item) for key, item in value.items()}


def _plain(value: object) -> Any:
    # The parser limits the depth.
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("Compose has no such number; write it in quotes if it is text")
        return float(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


ComposeKeys = Annotated[
    dict[str, Any],
    PlainValidator(_keys),
    WithJsonSchema({"type": "object", "title": "keys of Compose"}),
    MAY_REFER,
]
