"""Keys that services and stores share: one container, its limits and objectives, and its probes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, PrivateAttr, model_validator

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.container.alerts import Alerts
from exporter.catalog.keys.container.containers import ContainersOrShort
from exporter.catalog.keys.container.healthcheck import HealthCheck
from exporter.catalog.keys.container.logs import LogsOrShort
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.container.restart import RestartPolicy
from exporter.catalog.keys.container.slo import Slo, SloOrShort
from exporter.catalog.keys.probes.probe import Probe
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.values.names import EnvironmentName, Label, SecretName
from exporter.catalog.values.network import AddressTemplate, Port
from exporter.catalog.values.references import Template
from exporter.catalog.values.scalars import Duration, Words
from exporter.catalog.values.switches import OnOff
from exporter.catalog.values.texts import Interpolated

Command = Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)]


class Container(Model):
    """Keys that services and stores share: one container, and how it is watched."""

    description: Words = Field(default="", description="What it does, for people.")
    owner: Label | None = Field(default=None, description="Who receives its alerts: a name in owners.")
    managed: OnOff | None = Field(
        default=None,
        description="off: somebody else runs it, so it is watched, and never deployed or backed up; "
        "default: the catalog's.",
    )
    containers: ContainersOrShort | None = Field(
        default=None,
        description="Which containers are its own, if somebody else runs it; a plain name is that of its Compose "
        "service. It is then managed: off.",
    )
    image: Interpolated | None = Field(
        default=None, description="Image to run; with build, the name of the built image."
    )
    port: Port | None = Field(default=None, description="The port it listens on.")
    host_port: Port | None = Field(
        default=None, description="Port on the host, if ports are published; default: port."
    )
    address: AddressTemplate | None = Field(
        default=None, description="Address at which the daemon finds it; default: the environment's address."
    )
    probes: tuple[Probe, ...] = Field(
        default=(), description="Checks in addition to health, or in place of it."
    )
    probe: ProbeTimes = Field(
        default=ProbeTimes(), description="Interval and timeout of its probes; default: defaults.probe."
    )
    environment: dict[EnvironmentName, Template] = Field(
        default={}, description="Environment variables; values may hold references."
    )
    secrets: Annotated[tuple[SecretName, ...], one_or_many(SecretName)] = Field(
        default=(), description="Names in secrets, mounted as files; NAME_FILE is set for each."
    )
    resources: Resources = Field(default=Resources(), description="Limits; default: defaults.resources.")
    restart: RestartPolicy | None = Field(
        default=None, description="When it is restarted; default: defaults.restart."
    )
    healthcheck: HealthCheck | None = Field(
        default=None, description="Health check of the container; default: defaults.healthcheck."
    )
    slo: SloOrShort = Field(
        default=Slo(), description="Objectives; a plain percentage is short for availability."
    )
    alerts: Alerts = Field(default={}, description="Changes to alerts; off disables one.")
    runbook: Words | None = Field(default=None, description="URL of the runbook, for the person on call.")
    logs: LogsOrShort = Field(
        default=None, description="Patterns to count in its log; on counts the usual error levels."
    )
    labels: dict[str, Interpolated] = Field(default={}, description="Labels of the container.")
    command: Command = Field(default=(), description="Command in place of the image's.")
    stop_grace: Duration | None = Field(default=None, description="Time to stop before it is killed.")

    _deployed: bool = PrivateAttr(default=True)

    @model_validator(mode="after")
    def _one_owner(self) -> Self:
        if self.managed and self.containers:
            raise ValueError(
                "managed: on and containers cannot be combined; containers are those of somebody else"
            )
        return self

    @property
    def listen_port(self) -> int | None:
        """Return the port inside its container."""
        return self.port

    @property
    def deployed(self) -> bool:
        """True if the catalog deploys it; False if it is only watched, because somebody else runs it."""
        return self._deployed

    @property
    def deployable(self) -> bool:
        """True if there is something to deploy."""
        return True

    def decide(self, name: str, *, managed: bool) -> None:
        """Decide if the catalog deploys it. `managed`: the default of what does not say so itself."""
        wanted = self.managed
        if wanted is None:
            wanted = managed and not self.runs_elsewhere(name)
        self._deployed = wanted and self.deployable

    def runs_elsewhere(self, name: str) -> bool:  # noqa: ARG002 - a store compares its address with its name
        """True if its own keys say that somebody else runs it."""
        return self.containers is not None

    @property
    def published_port(self) -> int | None:
        """Return its port on the host, if ports are published; None if it is not deployed."""
        return (self.host_port or self.listen_port) if self.deployed else None
