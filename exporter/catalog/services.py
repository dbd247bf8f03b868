"""Services and what belongs to one: image, resources, scaling, objectives, metrics, logs, mounts."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.alerts import Alerts
from exporter.catalog.base import Model, one_or_many
from exporter.catalog.http_probe import Port
from exporter.catalog.probes import HealthOrShort, Probe, ProbeTimes
from exporter.catalog.references import parse_template
from exporter.catalog.values import (
    AddressTemplate,
    Duration,
    EnvironmentName,
    Label,
    Percentage,
    Regex,
    SecretName,
    Size,
    Text,
    UrlPath,
    shown,
    value_type,
)


class Build(Model):
    """How the service's image is built."""

    context: str = Field(default=".", description="Folder of the sources, relative to the catalog.")
    runtime: Literal["python", "node"] | None = Field(
        default=None, description="The recipe of a generated Dockerfile."
    )
    dockerfile: str | None = Field(
        default=None, description="A Dockerfile of your own, relative to the context."
    )
    target: str | None = Field(default=None, description="The stage to build.")
    arguments: dict[EnvironmentName, Text] = Field(default={}, description="Build arguments; never secrets.")
    base: str | None = Field(
        default=None, description="The base image of a generated Dockerfile; default: the recipe's."
    )
    entry: str | None = Field(
        default=None,
        description="What a generated Dockerfile starts, such as main:app; default: the recipe's.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Build:
        if self.runtime and self.dockerfile:
            raise ValueError(
                "runtime and dockerfile exclude each other; a Dockerfile of your own needs no recipe"
            )
        return self


def _build_shorthand(value: object) -> object:
    return {"context": value} if isinstance(value, str) else value


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


class Scale(Model):
    """How many replicas an autoscaler may run, and what it aims at."""

    min: Annotated[int, Field(ge=1)] = Field(default=1, description="At least so many.")
    max: Annotated[int, Field(ge=1)] = Field(description="At most so many.")
    cpu: Percentage | None = Field(default=None, description="Target use of the CPU request.")
    memory: Percentage | None = Field(default=None, description="Target use of the memory request.")

    @model_validator(mode="after")
    def _range(self) -> Scale:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is more than max ({self.max})")
        return self


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


def _slo_shorthand(value: object) -> object:
    return {"availability": value} if isinstance(value, str) else value


SloOrShort = Annotated[Slo, BeforeValidator(_slo_shorthand, json_schema_input_type=Slo | Percentage)]


class Metrics(Model):
    """The service's own Prometheus metrics."""

    path: UrlPath = Field(default="/metrics", description="Where they are served.")
    port: Port | None = Field(default=None, description="The port; default: the service's.")
    interval: Duration | None = Field(
        default=None, description="Time between two scrapes; default: defaults.metrics_interval."
    )
    requests: str = Field(default="http_requests_total", description="The counter of requests.")
    durations: str = Field(
        default="http_request_duration_seconds", description="The histogram of request durations."
    )
    status_label: str = Field(
        default="status", description="The label of the counter that holds the status code."
    )


def _metrics_shorthand(value: object) -> object:
    if value is True:
        return {}
    if value is False or value == "off":
        return None
    return {"path": value} if isinstance(value, str) else value


class Dependency(Model):
    """Another service or store that this one needs."""

    condition: Literal["started", "healthy", "completed"] = Field(
        default="healthy", description="What must hold before this one starts."
    )
    optional: bool = Field(
        default=False, description="Whether this one works without it, so its failure explains nothing here."
    )


def _dependencies_shorthand(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {
            name: {} if item is None else {"condition": item} if isinstance(item, str) else item
            for name, item in value.items()
        }
    return value


Dependencies = Annotated[
    dict[Label, Dependency],
    BeforeValidator(
        _dependencies_shorthand,
        json_schema_input_type=Label
        | tuple[Label, ...]
        | dict[str, Dependency | Literal["started", "healthy", "completed"] | None],
    ),
]


class Mount(Model):
    """A volume or a folder of the host inside the container."""

    source: str = Field(description="A name in volumes, or a path that begins with . or /.")
    target: Annotated[str, Field(pattern="^/")] = Field(description="The absolute path inside the container.")
    read_only: bool = Field(default=False, description="Whether the container may only read it.")

    @property
    def volume(self) -> str | None:
        """The volume's name; none of a folder of the host."""
        return None if self.source.startswith((".", "/", "~")) else self.source


def _mount_shorthand(value: object) -> object:
    """`source:target` or `source:target:ro`."""
    if not isinstance(value, str):
        return value
    source, _, rest = value.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise ValueError(
            f"{shown(value)} is not a mount; write name:/path or ./folder:/path, with :ro for read-only"
        )
    return {"source": source, "target": target, "read_only": mode == "ro"}


MountOrShort = Annotated[Mount, BeforeValidator(_mount_shorthand, json_schema_input_type=Mount | str)]

_URL_WITH_PASSWORD = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s@:]*:([^/?#\s@]+)@")


def _parse_variable(value: object) -> object:
    """The value of an environment variable; a password inside a URL must be a reference."""
    if isinstance(value, str):
        match = _URL_WITH_PASSWORD.search(value)
        if match and "${" not in match[1]:
            raise ValueError(
                "a URL cannot hold a password; write ${NAME} in its place, or mount it as a secret"
            )
    return parse_template(value)


Variable = Annotated[
    Any,
    *value_type(_parse_variable, {"type": ["string", "number", "object"]}, "text, perhaps with references"),
]


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
Command = Annotated[tuple[Text, ...], one_or_many(Text)]


class Container(Model):
    """Keys that a service and a store share: one container and what watches it."""

    description: str = Field(default="", description="What it does, for people.")
    owner: Label | None = Field(default=None, description="Who hears of its alerts: a name in owners.")
    image: str | None = Field(
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
    environment: dict[EnvironmentName, Variable] = Field(
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
    runbook: str | None = Field(default=None, description="URL of a page for whoever is woken.")
    logs: LogsOrShort = Field(
        default=None, description="What is counted in its log; on for the usual error levels."
    )
    labels: dict[str, Text] = Field(default={}, description="Labels of the container.")
    command: Command = Field(default=(), description="Replaces the image's command.")
    stop_grace: Duration | None = Field(default=None, description="Time to end before it is killed.")


class Service(Container):
    """One service."""

    build: Annotated[Build, BeforeValidator(_build_shorthand, json_schema_input_type=Build | str)] | None = (
        Field(
            default=None,
            description="How its image is built; a plain folder is short for context. Neither build nor image: watched and not deployed.",
        )
    )
    health: HealthOrShort | None = Field(
        default=None, description="The HTTP probe named health; a plain path or URL is short for it."
    )
    metrics: Annotated[
        Metrics | None,
        BeforeValidator(
            _metrics_shorthand, json_schema_input_type=Metrics | UrlPath | bool | Literal["off"] | None
        ),
    ] = Field(default=None, description="Its own Prometheus metrics; a plain path is short for it.")
    depends_on: Dependencies = Field(
        default={}, description="Services and stores it needs: a name, a list, or a mapping with conditions."
    )
    volumes: Annotated[tuple[MountOrShort, ...], one_or_many(Mount | str)] = Field(
        default=(), description="Mounts, such as data:/app/data."
    )
    public: bool = Field(default=False, description="Whether it is on the edge network, behind the gateway.")
    replicas: Annotated[int, Field(ge=0)] = Field(default=1, description="How many containers run.")
    scale: Scale | None = Field(default=None, description="Automatic scaling, where the platform has it.")
    user: Text | None = Field(default=None, description="The user inside the container.")
    read_only: bool = Field(
        default=True, description="Whether the container's root file system is read-only."
    )
    writable: Annotated[tuple[str, ...], one_or_many(str)] = Field(
        default=("/tmp",), description="Folders that stay writable, in memory."
    )

    @property
    def published_port(self) -> int | None:
        """Its port on the host, where ports are published; none of what is not deployed."""
        return (self.host_port or self.port) if self.deployed else None

    @property
    def deployed(self) -> bool:
        """False of somebody else's service: watched and not deployed."""
        return bool(self.build or self.image)

    @model_validator(mode="after")
    def _watched(self) -> Service:
        if self.port is None and self.health is None and not self.probes and not self.deployed:
            raise ValueError(
                "nothing to watch or to deploy; give it an image, a build, a port, health or probes"
            )
        return self
