"""What a service and a store share: one container, its limits and objectives, and what watches it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.alerts import Alerts
from exporter.catalog.base import Model, one_or_many
from exporter.catalog.http_probe import Port
from exporter.catalog.network import AddressTemplate
from exporter.catalog.probes import Probe, ProbeTimes
from exporter.catalog.problems import shown
from exporter.catalog.references import Template
from exporter.catalog.texts import Interpolated
from exporter.catalog.values import (
    Duration,
    EnvironmentName,
    Label,
    Percentage,
    Regex,
    SecretName,
    Size,
    Words,
    value_type,
)


class Resources(Model):
    """What one container may use."""

    cpu: (
        Annotated[
            Decimal,
            *value_type(
                lambda value: _parse_cpu(value), {"type": "number", "exclusiveMinimum": 0}, "number of cores"
            ),
        ]
        | None
    ) = Field(default=None, description="Cores, such as 0.5.")
    memory: Size | None = Field(default=None, description="Memory.")
    processes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Processes and threads at once."
    )


def _parse_cpu(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 4096:
        return Decimal(str(value))
    raise ValueError(f"{shown(value)} is not a number of cores; write one such as 0.5 or 2")


class Latency(Model):
    """An objective of speed: this share of requests is faster than this."""

    under: Duration = Field(description="The duration.")
    for_: Percentage = Field(
        default=Decimal(99),
        alias="for",
        description="The share of requests.",
        json_schema_extra={"default": "99%"},
    )


def _latency_shorthand(value: object) -> object:
    return {"under": value} if isinstance(value, str) else value


_ALWAYS = Decimal(100)


class Slo(Model):
    """Service level objectives."""

    availability: Percentage | None = Field(
        default=None, description="Share of probes and requests that succeed."
    )
    latency: (
        Annotated[Latency, BeforeValidator(_latency_shorthand, json_schema_input_type=Latency | Duration)]
        | None
    ) = Field(default=None, description="Share of requests that are fast; a plain duration means 99%.")
    period: Duration | None = Field(default=None, description="The window of the error budget; default: 30d.")

    @model_validator(mode="after")
    def _some_budget(self) -> Self:
        if self.availability == _ALWAYS or (self.latency and self.latency.for_ == _ALWAYS):
            raise ValueError("an objective of 100% leaves no error budget; write less, such as 99.99%")
        return self


def _slo_shorthand(value: object) -> object:
    return {"availability": value} if isinstance(value, str) else value


SloOrShort = Annotated[Slo, BeforeValidator(_slo_shorthand, json_schema_input_type=Slo | Percentage)]


class Logs(Model):
    """What is counted in the container's log. Nothing of the text itself is exported."""

    patterns: dict[SecretName, Regex] = Field(
        default={}, description="Names and the regular expressions of lines to count."
    )
    levels: bool = Field(default=True, description="Whether lines of the usual error levels are counted too.")
    max_line: Size = Field(
        default=16 * 1024, description="Longer lines are cut.", json_schema_extra={"default": "16Ki"}
    )


def _logs_shorthand(value: object) -> object:
    if value is True or value == "on":
        return {}
    return None if value is False or value == "off" else value


LogsOrShort = Annotated[
    Logs | None,
    BeforeValidator(_logs_shorthand, json_schema_input_type=Logs | bool | Literal["on", "off"] | None),
]


class HealthCheck(Model):
    """How often the container engine asks the health probe."""

    interval: Duration = Field(
        default=30.0, description="Time between two checks.", json_schema_extra={"default": "30s"}
    )
    timeout: Duration = Field(
        default=10.0, description="Time that one check may take.", json_schema_extra={"default": "10s"}
    )
    retries: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Failures in a row until the container is unhealthy."
    )
    start_period: Duration = Field(
        default=30.0,
        description="Time to start, in which failures do not count.",
        json_schema_extra={"default": "30s"},
    )


class LogRotation(Model):
    """How large a container's log grows."""

    max_size: Size = Field(
        default=10 * 1024 * 1024, description="Size of one file.", json_schema_extra={"default": "10Mi"}
    )
    max_files: Annotated[int, Field(ge=1)] = Field(default=3, description="Files that are kept.")


RestartPolicy = Literal["no", "always", "on-failure", "unless-stopped"]

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
