"""Everything around the services: the daemon itself, secrets, gateway, pipeline, maintenance, environments."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.alerts import Alerts
from exporter.catalog.base import Model, empty_allowed
from exporter.catalog.containers import HealthCheck, LogRotation, Resources, RestartPolicy, Slo, SloOrShort
from exporter.catalog.network import AddressTemplate
from exporter.catalog.probes import ProbeTimes
from exporter.catalog.values import Duration, EnvironmentName, Label, Text, Words


class Defaults(Model):
    """What holds for every service that does not say otherwise."""

    probe: ProbeTimes = Field(default=ProbeTimes(), description="Interval (15s) and timeout (5s) of probes.")
    metrics_interval: Duration = Field(
        default=30.0,
        description="Time between two scrapes of a service's own metrics.",
        json_schema_extra={"default": "30s"},
    )
    resources: Resources = Field(default=Resources(), description="Limits of each container.")
    slo: SloOrShort = Field(default=Slo(), description="Objectives.")
    alerts: Alerts = Field(default={}, description="Alerts that differ from the built-in table.")
    runbooks: Words | None = Field(
        default=None, description="URL of the runbooks; {alert} and {service} are filled in."
    )
    owner: Label | None = Field(default=None, description="Who hears of what has no owner.")
    restart: RestartPolicy = Field(default="unless-stopped", description="When containers are started again.")
    healthcheck: HealthCheck = Field(default=HealthCheck(), description="The containers' own health check.")
    logging: LogRotation = Field(default=LogRotation(), description="Rotation of container logs.")


class SecretSource(Model):
    """Where one secret comes from. With none of file, env and generate: the file ./secrets/NAME."""

    description: Words = Field(default="", description="What it opens.")
    file: Words | None = Field(default=None, description="The file, relative to the catalog.")
    env: EnvironmentName | None = Field(default=None, description="The environment variable.")
    generate: Annotated[int, Field(ge=16, le=4096)] | None = Field(
        default=None, description="So many random characters, written to ./secrets/NAME once."
    )
    rotate: Duration | None = Field(default=None, description="An older value is due for a new one.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.env and (self.file or self.generate):
            raise ValueError("a secret comes from one place; env excludes file and generate")
        return self


def _secret_shorthand(value: object) -> object:
    """A literal in the place of a source is a secret in the wrong place: it is never repeated."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors
            "a secret cannot stand in the catalog; "
            "write where it comes from: {file: PATH}, {env: NAME} or {generate: 32}"
        )
    return value


SecretSourceOrEmpty = Annotated[
    SecretSource, BeforeValidator(_secret_shorthand, json_schema_input_type=SecretSource | None)
]


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
