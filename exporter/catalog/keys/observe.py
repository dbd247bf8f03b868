"""The key `observe`: what runs already, and who else runs it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import EngineName


class Observe(Model):
    """Existing Compose projects and networks that are watched, and never changed."""

    projects: Annotated[tuple[EngineName, ...], one_or_many(EngineName)] = Field(
        default=(),
        description="Existing Compose projects and Swarm stacks whose containers are the catalog's services of the "
        "same name; in addition to the project's name, and that name followed by - and the environment.",
    )
    networks: Annotated[tuple[EngineName, ...], one_or_many(EngineName)] = Field(
        default=(),
        description="Existing networks that the monitoring stack joins, by the engine's names, such as shop_default.",
    )
