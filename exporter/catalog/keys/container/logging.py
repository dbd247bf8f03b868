"""The key `logging`: rotation of a container's log."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.scalars import Size


class LogRotation(Model):
    """Rotation of a container's log."""

    max_size: Size = Field(default=10 * 1024 * 1024, description="Size of one file.")
    max_files: Annotated[int, Field(ge=1)] = Field(default=3, description="Number of files to keep.")
