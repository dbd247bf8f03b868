"""The key `infrastructure`: the machine that generated infrastructure code creates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.scalars import Size, Text


class Infrastructure(Model):
    """The machine that generated infrastructure code creates."""

    provider: Literal["aws"] = Field(default="aws", description="Cloud provider.")
    region: Text = Field(default="eu-central-1", description="The region.")
    machine: Text = Field(default="t3.medium", description="Type of machine.")
    count: Annotated[int, Field(ge=1)] = Field(default=1, description="Number of machines.")
    disk: Size = Field(default=40 * 1024**3, description="Size of the disk.")
    allow_ssh_from: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Networks that may connect by SSH, such as 203.0.113.0/24."
    )
