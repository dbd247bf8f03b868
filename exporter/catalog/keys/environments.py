"""The key `environments`: how each environment differs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.values.network import AddressTemplate
from exporter.catalog.values.scalars import Duration, Text, Words


class Verify(Model):
    """Verification of a deploy."""

    deadline: Duration = Field(
        default=120.0,
        description="Time until everything must be healthy.",
    )


NOT_OVERLAID = frozenset({"project", "environments"})
"""Keys of the catalog that are the same in every environment."""


class Environment(Model):
    """One environment. It can also set any other key of the catalog, which overrides the catalog's value."""

    description: Words = Field(default="", description="What it is for.")
    address: AddressTemplate = Field(
        default="{service}:{port}",
        description="Address at which the daemon finds each service and store; "
        "{service}, {port}, {project} and {environment} are filled in.",
    )
    docker_host: Annotated[str, Field(pattern=r"^(unix|ssh|tcp|npipe)://")] | None = Field(
        default=None, description="Engine to deploy to; default: the local one."
    )
    protected: bool = Field(default=False, description="Ask for approval before a deploy, and back up first.")
    publish: Literal["all", "edge"] | None = Field(
        default=None,
        description="Ports to publish on the host: of every service, or only of the gateway; "
        "default: all if address is on localhost, else edge.",
    )
    mount_sources: bool = Field(
        default=False,
        description="Mount the sources of services with build.runtime: python into their containers.",
    )
    tag: Text | None = Field(default=None, description="Tag of built images; default: the commit.")
    verify: Verify = Field(default=Verify(), description="Verification of a deploy.")

    @property
    def publishes_all(self) -> bool:
        """True if each service's port is published on the host."""
        if self.publish:
            return self.publish == "all"
        return self.address.startswith(("localhost", "127.", "[::1]"))


EnvironmentOrEmpty = Annotated[Environment, empty_allowed(Environment)]
