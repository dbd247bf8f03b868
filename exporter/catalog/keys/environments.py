"""The key `environments`: how each environment differs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.values.network import AddressTemplate
from exporter.catalog.values.scalars import Duration, Text, Words


class Verify(Model):
    """How a deploy is judged."""

    deadline: Duration = Field(
        default=120.0,
        description="Time until everything must be healthy.",
        json_schema_extra={"default": "2m"},
    )


NOT_OVERLAID = frozenset({"project", "environments"})
"""Keys of the catalog that are the same in every environment."""


class Environment(Model):
    """One environment: how it differs. Any other key of the catalog lays its values over it."""

    description: Words = Field(default="", description="What it is for.")
    address: AddressTemplate = Field(
        default="{service}:{port}",
        description="Where the daemon finds each service and store; "
        "{service}, {port}, {project} and {environment} are filled in.",
    )
    docker_host: Annotated[str, Field(pattern=r"^(unix|ssh|tcp|npipe)://")] | None = Field(
        default=None, description="The engine that is deployed to; default: the local one."
    )
    protected: bool = Field(default=False, description="Whether deploys ask for approval, and back up first.")
    publish: Literal["all", "edge"] | None = Field(
        default=None,
        description="Ports opened on the host: of every service, or of the gateway alone; "
        "default: all where address is on localhost, else edge.",
    )
    mount_sources: bool = Field(
        default=False, description="Whether the sources of built services are mounted into their containers."
    )
    tag: Text | None = Field(
        default=None, description="The tag of images that are built here; default: the commit."
    )
    verify: Verify = Field(default=Verify(), description="How a deploy is judged.")

    @property
    def publishes_all(self) -> bool:
        """Whether each service's port is opened on the host."""
        if self.publish:
            return self.publish == "all"
        return self.address.startswith(("localhost", "127.", "[::1]"))


EnvironmentOrEmpty = Annotated[Environment, empty_allowed(Environment)]
