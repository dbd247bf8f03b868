"""The key `configs` of a service or store: the `configs` of the catalog that are files in the container."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import ContainerName
from exporter.catalog.values.texts import Interpolated


class ConfigFile(Model):
    """A file of configuration in the container."""

    source: ContainerName = Field(description="A name in configs.")
    target: Interpolated | None = Field(
        default=None, description="The absolute path of the file; default: / and the name."
    )

    @property
    def path(self) -> str:
        """Return its path in the container."""
        return self.target or f"/{self.source}"


def _shorthand(value: object) -> object:
    return {"source": value} if isinstance(value, str) else value


_OneOrShort = Annotated[ConfigFile, BeforeValidator(_shorthand, json_schema_input_type=ConfigFile | str)]
ConfigFiles = Annotated[tuple[_OneOrShort, ...], one_or_many(ConfigFile | str)]
