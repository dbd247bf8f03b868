"""The key `pipeline`: continuous integration and delivery."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.values.names import Label
from exporter.catalog.values.scalars import Text


class Pipeline(Model):
    """Continuous integration and delivery."""

    provider: Literal["github"] = Field(default="github", description="Provider to generate a workflow for.")
    branches: dict[Text, Label] = Field(
        default={}, description="Branches, and the environment that each is deployed to."
    )
    pull_requests: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("main",), description="Branches whose pull requests are checked."
    )
    checks: Annotated[tuple[Literal["tests", "lint", "security"], ...], one_or_many(Text)] = Field(
        default=("tests", "lint", "security"), description="Checks to run before images are built."
    )
    platforms: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("linux/amd64",), description="Platforms to build images for."
    )
