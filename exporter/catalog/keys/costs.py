"""The key `costs`: prices, for the report."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Text, value_type
from exporter.catalog.values.words import shown


class Costs(Model):
    """Prices, for the report."""

    currency: Text = Field(default="USD", description="The currency.")
    cpu_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of one core for an hour.")
    memory_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of 1 GiB for an hour.")


def _parse_price(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return Decimal(str(value))
    raise ValueError(f"{shown(value)} is not a price; write a number such as 0.04")
