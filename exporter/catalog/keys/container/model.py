"""Keys that services and stores share: one container, its limits and objectives, and its probes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.container.alerts import Alerts
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
from exporter.catalog.values.texts import Interpolated

Command = Annotated[tuple[Interpolated, ...], one_or_many(Interpolated)]


class Container(Model):
    """Keys that a service and a store share: one container and what watches it."""

    description: Words = Field(default="", description="What it does, for people.")
    owner: Label | None = Field(default=None, description="Who hears of its alerts: a name in owners.")
    image: Interpolated | None = Field(
        default=None, description="The image to run; with build, the name of what is built."
    )
    port: Port | None = Field(default=None, description="The port it listens on.")
    host_port: Port | None = Field(
        default=None, description="The port on the host where ports are published; default: port."
    )
    address: AddressTemplate | None = Field(
        default=None, description="Where the daemon finds it; default: the environment's address."
    )
    probes: tuple[Probe, ...] = Field(default=(), description="Checks beside or in place of health.")
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
        default=None, description="When it is started again; default: defaults.restart."
    )
    healthcheck: HealthCheck | None = Field(
        default=None, description="The container's own health check; default: defaults.healthcheck."
    )
    slo: SloOrShort = Field(
        default=Slo(), description="Objectives; a plain percentage is short for availability."
    )
    alerts: Alerts = Field(default={}, description="Alerts that differ here; off switches one off.")
    runbook: Words | None = Field(default=None, description="URL of the page that helps the person on call.")
    logs: LogsOrShort = Field(
        default=None, description="What is counted in its log; on for the usual error levels."
    )
    labels: dict[str, Interpolated] = Field(default={}, description="Labels of the container.")
    command: Command = Field(default=(), description="Replaces the image's command.")
    stop_grace: Duration | None = Field(default=None, description="Time to end before it is killed.")

    @property
    def listen_port(self) -> int | None:
        """The port inside its container."""
        return self.port

    @property
    def deployed(self) -> bool:
        """False of what somebody else runs: watched and not deployed."""
        return True

    @property
    def published_port(self) -> int | None:
        """Its port on the host, where ports are published; none of what is not deployed."""
        return (self.host_port or self.listen_port) if self.deployed else None
