"""Keys that services and stores share: one container, its limits and objectives, and its probes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exporter.catalog.base import Model, one_or_many
from exporter.catalog.keys.container.alerts import Alerts
from exporter.catalog.keys.container.hardening import Capability, Hardening
from exporter.catalog.keys.container.healthcheck import HealthCheck
from exporter.catalog.keys.container.logs import LogsOrShort
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.container.restart import RestartPolicy
from exporter.catalog.keys.container.slo import Slo, SloOrShort
from exporter.catalog.keys.probes.probe import Probe
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.values.commands import Command
from exporter.catalog.values.names import EnvironmentName, Label, SecretName
from exporter.catalog.values.network import AddressTemplate, Port
from exporter.catalog.values.references import VariableValue
from exporter.catalog.values.scalars import Duration, Words
from exporter.catalog.values.texts import Interpolated


class Container(Model):
    """Keys that services and stores share: one container, and how it is watched."""

    description: Words = Field(default="", description="What it does, for people.")
    owner: Label | None = Field(default=None, description="Who receives its alerts: a name in owners.")
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
    environment: dict[EnvironmentName, VariableValue] = Field(
        default={},
        description="Environment variables; values may hold references. {secret: NAME} sets the path of its file as "
        "VARIABLE_FILE, {secret: NAME, as: variable} the value itself.",
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
    command: Command = Field(
        default=(),
        description="Command in place of the image's: words, or text that is split as Compose does.",
    )
    entrypoint: Command | None = Field(
        default=None, description="Entry point in place of the image's; empty: none."
    )
    hardening: Hardening | None = Field(
        default=None,
        description="strict: no root, no capability, a read-only root file system. image: the image's own user and "
        "file system, and the capabilities that entry points of public images need. off: the engine's defaults. "
        "Default: strict for stores and for what build.runtime builds, else image.",
    )
    capabilities: Annotated[tuple[Capability, ...], one_or_many(Capability)] = Field(
        default=(), description="Capabilities of Linux that it needs besides, such as NET_ADMIN."
    )
    stop_grace: Duration | None = Field(default=None, description="Time to stop before it is killed.")

    @property
    def listen_port(self) -> int | None:
        """Return the port inside its container."""
        return self.port

    @property
    def deployed(self) -> bool:
        """True if it is deployed, not only watched because somebody else runs it."""
        return True

    @property
    def hardened_as(self) -> Hardening:
        """Return its kind of hardening, the default included."""
        return self.hardening or "strict"

    @property
    def published_port(self) -> int | None:
        """Return its port on the host, if ports are published; None if it is not deployed."""
        return (self.host_port or self.listen_port) if self.deployed else None
