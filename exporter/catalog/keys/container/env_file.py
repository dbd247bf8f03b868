"""The key `env_file`: files of variables, which Compose reads and the catalog never does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.texts import Interpolated


class EnvFile(Model):
    """A file of variables."""

    path: Interpolated = Field(description="The file, relative to the catalog.")
    required: bool = Field(default=True, description="Refuse to start without it; false needs Compose 2.")
    format: Literal["raw"] | None = Field(
        default=None, description="raw: read values as they are written; needs Compose 2."
    )


def _shorthand(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


_OneOrShort = Annotated[EnvFile, BeforeValidator(_shorthand, json_schema_input_type=EnvFile | str)]

EnvFiles = Annotated[tuple[_OneOrShort, ...], one_or_many(EnvFile | str)]
