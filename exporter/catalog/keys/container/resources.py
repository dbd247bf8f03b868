"""The key `resources`: limits of one container."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Size, value_type
from exporter.catalog.values.words import shown


class Resources(Model):
    """Limits of one container."""

    cpu: (
        Annotated[
            Decimal,
            *value_type(
                lambda value: _parse_cpu(value), {"type": "number", "exclusiveMinimum": 0}, "number of cores"
            ),
        ]
        | None
    ) = Field(default=None, description="Cores, such as 0.5.")
    memory: Size | None = Field(default=None, description="Memory.")
    processes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Number of processes and threads."
    )


def _parse_cpu(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 4096:
        return Decimal(str(value))
    raise ValueError(f"{shown(value)} is not a number of cores; write one such as 0.5 or 2")
