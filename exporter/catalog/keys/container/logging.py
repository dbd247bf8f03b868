"""The key `logging`: rotation of a container's log."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import (
    Size,
)


class LogRotation(Model):
    """How large a container's log grows."""

    max_size: Size = Field(
        default=10 * 1024 * 1024, description="Size of one file.", json_schema_extra={"default": "10Mi"}
    )
    max_files: Annotated[int, Field(ge=1)] = Field(default=3, description="Files that are kept.")
