"""The key `defaults`: values for all services that do not set their own."""

from __future__ import annotations

from pydantic import Field

from exporter.catalog.base import Model
from exporter.catalog.keys.container.alerts import Alerts
from exporter.catalog.keys.container.healthcheck import HealthCheck
from exporter.catalog.keys.container.logging import LogRotation
from exporter.catalog.keys.container.resources import Resources
from exporter.catalog.keys.container.restart import RestartPolicy
from exporter.catalog.keys.container.slo import Slo, SloOrShort
from exporter.catalog.keys.probes.times import ProbeTimes
from exporter.catalog.values.scalars import Duration, Label, Words


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
