"""The key `configs`: configuration files that containers get."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from exporter.catalog.base import AbsenceError, Model
from exporter.catalog.values.names import EnvironmentName
from exporter.catalog.values.scalars import Words
from exporter.catalog.values.texts import Interpolated


class Config(Model):
    """A file of configuration; never a secret."""

    description: Words = Field(default="", description="What it is for.")
    file: Interpolated | None = Field(default=None, description="The file, relative to the catalog.")
    content: Interpolated | None = Field(default=None, description="The text itself; needs Compose 2.")
    environment: EnvironmentName | None = Field(
        default=None, description="The variable that has the text when Compose runs; needs Compose 2."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [key for key in ("file", "content", "environment") if getattr(self, key) is not None]
        if not given:
            raise AbsenceError("a config needs file, content or environment")
        if len(given) > 1:
            raise ValueError(f"a config has one source; remove all but one of {', '.join(given)}")
        return self
