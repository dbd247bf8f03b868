"""The key `logging`: where a container's log goes, and its rotation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.values.pairs import pairs
from exporter.catalog.values.scalars import Size
from exporter.catalog.values.texts import Interpolated


class LogRotation(Model):
    """Rotation of a container's log."""

    max_size: Size = Field(default=10 * 1024 * 1024, description="Size of one file.")
    max_files: Annotated[int, Field(ge=1)] = Field(default=3, description="Number of files to keep.")


class LogDriver(Model):
    """The engine's driver of a container's log, in place of files with rotation."""

    driver: Interpolated = Field(
        default="json-file", description="The driver, such as json-file or journald."
    )
    options: Annotated[dict[str, Interpolated], pairs(dict[str, Interpolated | bool | None], alone="")] = (
        Field(default={}, description="The driver's options, such as max-size.")
    )
