"""The key `defaults`: values for all services that do not set their own."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.keys.container.alerts import Alerts
from exporter.catalog.keys.container.healthcheck import CheckTimes
from exporter.catalog.keys.container.logging import LogRotation
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.container.restart import RestartPolicy
from exporter.catalog.keys.container.slo import Slo, SloOrShort
from exporter.catalog.values.names import Label
from exporter.catalog.values.scalars import Duration, Words


class DefaultTimes(Model):
    """Default interval and timeout of probes."""

    interval: Duration = Field(default=15.0, description="Time between two checks.")
    timeout: Duration = Field(default=5.0, description="Time limit of one check, at most the interval.")


class Defaults(Model):
    """Defaults for all services."""

    probe: DefaultTimes = Field(default=DefaultTimes(), description="Interval and timeout of probes.")
    metrics_interval: Duration = Field(
        default=30.0,
        description="Time between two scrapes of a service's own metrics.",
    )
    resources: Resources = Field(default=Resources(), description="Limits of each container.")
    slo: SloOrShort = Field(default=Slo(), description="Objectives.")
    alerts: Alerts = Field(default={}, description="Changes to the built-in alerts.")
    runbooks: Words | None = Field(
        default=None, description="URL of the runbooks; {alert} and {service} are filled in."
    )
    owner: Label | None = Field(default=None, description="Default owner.")
    restart: RestartPolicy = Field(default="unless-stopped", description="When containers are restarted.")
    healthcheck: CheckTimes = Field(default=CheckTimes(), description="Health check of the containers.")
    logging: LogRotation = Field(default=LogRotation(), description="Rotation of container logs.")
