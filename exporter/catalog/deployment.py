"""Everything around the services: the daemon itself, secrets, gateway, pipeline, maintenance, environments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, model_validator

from exporter.catalog.alerts import Alerts
from exporter.catalog.base import Model, empty_allowed, one_or_many
from exporter.catalog.http_probe import Port
from exporter.catalog.probes import ProbeTimes
from exporter.catalog.problems import suggestion
from exporter.catalog.services import HealthCheck, LogRotation, Resources, RestartPolicy, Slo, SloOrShort
from exporter.catalog.values import (
    AddressTemplate,
    Duration,
    EnvironmentName,
    Host,
    Label,
    Listen,
    Size,
    Text,
    Url,
    UrlPath,
    shown,
    value_type,
)


class Containers(Model):
    """How containers are watched."""

    source: Literal["auto", "cgroup", "api", "off"] = Field(
        default="auto",
        description="Where readings come from: cgroup files, the engine's API, or the better of both.",
    )
    interval: Duration = Field(
        default=10.0, description="Time between two readings.", json_schema_extra={"default": "10s"}
    )
    strangers: bool = Field(
        default=True, description="Whether containers that the catalog does not name are watched too."
    )
    docker: Text | None = Field(
        default=None,
        description="The engine's address, such as unix:///var/run/docker.sock; default: DOCKER_HOST, then the usual socket.",
    )
    cgroup: str | None = Field(
        default=None, description="Where the host's cgroup files are mounted; default: found."
    )
    proc: str | None = Field(default=None, description="Where the host's /proc is mounted; default: /proc.")
    labels: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Container labels that become labels of series, beside those of Compose."
    )


def _containers_shorthand(value: object) -> object:
    if value is False:
        return {"source": "off"}
    return {"source": value} if isinstance(value, str) else value


class Exporter(Model):
    """The daemon."""

    listen: Listen = Field(
        default=("0.0.0.0", 9877),
        description="Address and port of its own web server.",
        json_schema_extra={"default": "0.0.0.0:9877"},
    )
    alertmanagers: Annotated[tuple[Url, ...], one_or_many(Url)] = Field(
        default=(), description="Alertmanagers that Prometheus sends alerts to."
    )
    containers: Annotated[
        Containers,
        BeforeValidator(
            _containers_shorthand, json_schema_input_type=Containers | Literal["auto", "cgroup", "api", "off"]
        ),
    ] = Field(default=Containers(), description="How containers are watched; a plain source is short for it.")
    image: Text | None = Field(default=None, description="The daemon's image in the generated stack.")


class Prometheus(Model):
    """Prometheus in the generated stack."""

    scrape_interval: Duration = Field(
        default=15.0,
        description="Time between two scrapes of the exporter.",
        json_schema_extra={"default": "15s"},
    )
    retention: Duration = Field(
        default=1296000.0, description="How long series are kept.", json_schema_extra={"default": "15d"}
    )
    retention_size: Size | None = Field(default=None, description="How large they may grow.")
    version: Text | None = Field(default=None, description="The image's tag in the generated stack.")
    external_labels: dict[str, Text] = Field(
        default={}, description="Labels of everything it sends elsewhere."
    )


class Grafana(Model):
    """Grafana in the generated stack, and links to it."""

    url: Url | None = Field(default=None, description="Where people open it; used in links of alerts.")
    version: Text | None = Field(default=None, description="The image's tag in the generated stack.")
    datasource: Text = Field(default="prometheus", description="uid of the Prometheus data source.")


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
    runbooks: str | None = Field(
        default=None, description="URL of the runbooks; {alert} and {service} are filled in."
    )
    owner: Label | None = Field(default=None, description="Who hears of what has no owner.")
    restart: RestartPolicy = Field(default="unless-stopped", description="When containers are started again.")
    healthcheck: HealthCheck = Field(default=HealthCheck(), description="The containers' own health check.")
    logging: LogRotation = Field(default=LogRotation(), description="Rotation of container logs.")


class SecretSource(Model):
    """Where one secret comes from. With none of file, env and generate: the file ./secrets/NAME."""

    description: str = Field(default="", description="What it opens.")
    file: str | None = Field(default=None, description="The file, relative to the catalog.")
    env: EnvironmentName | None = Field(default=None, description="The environment variable.")
    generate: Annotated[int, Field(ge=16, le=4096)] | None = Field(
        default=None, description="So many random characters, written to ./secrets/NAME once."
    )
    rotate: Duration | None = Field(default=None, description="An older value is due for a new one.")

    @model_validator(mode="after")
    def _one_source(self) -> SecretSource:
        if self.env and (self.file or self.generate):
            raise ValueError("a secret comes from one place; env excludes file and generate")
        return self


def _secret_shorthand(value: object) -> object:
    """A literal in the place of a source is a secret in the wrong place: it is never repeated."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(
            "a secret cannot stand in the catalog; write where it comes from: {file: PATH}, {env: NAME} or {generate: 32}"
        )
    return value


SecretSourceOrEmpty = Annotated[
    SecretSource, BeforeValidator(_secret_shorthand, json_schema_input_type=SecretSource | None)
]


class GatewayTls(Model):
    """TLS at the edge."""

    certificate: str = Field(description="File of the certificate chain, on the host.")
    key: str = Field(description="File of its key, on the host.")
    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="The lowest TLS version that is accepted."
    )
    redirect: bool = Field(default=True, description="Whether plain HTTP is sent to HTTPS.")


class Route(Model):
    """Where requests below one path go."""

    service: Label = Field(description="The service.")
    strip: bool = Field(default=False, description="Whether the path's prefix is taken off.")
    websocket: bool = Field(default=False, description="Whether connections may be upgraded.")
    read_timeout: Duration | None = Field(
        default=None, description="Time to wait for an answer; default: the gateway's."
    )
    max_body: Size | None = Field(default=None, description="Largest request; default: the gateway's.")


def _route_shorthand(value: object) -> object:
    return {"service": value} if isinstance(value, str) else value


class GatewayTimeouts(Model):
    """How long the gateway waits for a service."""

    connect: Duration = Field(
        default=5.0, description="For a connection.", json_schema_extra={"default": "5s"}
    )
    read: Duration = Field(default=60.0, description="For an answer.", json_schema_extra={"default": "60s"})
    send: Duration = Field(
        default=60.0, description="For a request to go out.", json_schema_extra={"default": "60s"}
    )


class Gateway(Model):
    """The load balancer at the edge."""

    host: Host = Field(description="The public host name.")
    aliases: Annotated[tuple[Host, ...], one_or_many(Host)] = Field(
        default=(), description="Further host names."
    )
    image: str | None = Field(default=None, description="nginx's image; default: a pinned one.")
    http_port: Port = Field(default=80, description="Port of plain HTTP on the host.")
    https_port: Port = Field(default=443, description="Port of HTTPS on the host.")
    tls: GatewayTls | None = Field(default=None, description="TLS; default: plain HTTP only.")
    balance: Literal["round_robin", "least_conn", "ip_hash"] = Field(
        default="round_robin", description="How requests are spread over replicas."
    )
    routes: dict[
        UrlPath, Annotated[Route, BeforeValidator(_route_shorthand, json_schema_input_type=Route | Label)]
    ] = Field(default={}, description="Paths and the service that answers below each; the longest path wins.")
    timeouts: GatewayTimeouts = Field(
        default=GatewayTimeouts(), description="How long it waits for a service."
    )
    max_fails: Annotated[int, Field(ge=0)] = Field(
        default=3, description="Failures until a replica is left out."
    )
    fail_timeout: Duration = Field(
        default=30.0, description="How long it is left out.", json_schema_extra={"default": "30s"}
    )
    max_body: Size = Field(
        default=10 * 1024 * 1024, description="Largest request.", json_schema_extra={"default": "10Mi"}
    )


class Pipeline(Model):
    """Continuous integration and delivery."""

    provider: Literal["github"] = Field(default="github", description="Whose workflow is written.")
    branches: dict[Text, Label] = Field(
        default={}, description="Branches, and the environment that each is deployed to."
    )
    pull_requests: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("main",), description="Branches whose pull requests are checked."
    )
    checks: Annotated[tuple[Literal["tests", "lint", "security"], ...], one_or_many(Text)] = Field(
        default=("tests", "lint", "security"), description="What is run before images are built."
    )
    platforms: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=("linux/amd64",), description="Platforms that images are built for."
    )


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHEN = re.compile(
    r"(?:([A-Za-z,-]+)\s+)?([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])"
)


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week. `days` count from Monday (0); `start` and `end` are minutes of the day, `end` after
    `start` and at most 1440, or before it for a window that ends on the next day.
    """

    days: tuple[int, ...]
    start: int
    end: int


def _parse_window(value: object) -> Window:
    match = _WHEN.fullmatch(value) if isinstance(value, str) else None
    days = _parse_days(match[1]) if match else None
    if not match or days is None:
        raise ValueError(
            f"{shown(value)} is not a time of the week; write days and hours, such as Sun 02:00-04:00 or Mon-Fri 22:00-23:30"
        )
    start, end = int(match[2]) * 60 + int(match[3]), int(match[4]) * 60 + int(match[5])
    if start == end or end > 1440:
        raise ValueError(
            f"{shown(value)} is not a time of the week; it must end after it begins, and by 24:00"
        )
    return Window(days, start, end)


def _parse_days(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return tuple(range(7))
    days: set[int] = set()
    for part in text.lower().split(","):
        names = [name[:3] for name in part.split("-")]
        if len(names) > 2 or any(name not in _DAYS for name in names):
            return None
        first, last = _DAYS.index(names[0]), _DAYS.index(names[-1])
        days.update(day % 7 for day in range(first, last + 1 if last >= first else last + 8))
    return tuple(sorted(days))


def _parse_timezone(value: object) -> str:
    if not isinstance(value, str) or value not in available_timezones():
        raise ValueError(
            f"{shown(value)} is not a time zone; {suggestion(str(value), sorted(available_timezones()))}"
        )
    return value


class Maintenance(Model):
    """A time in which nobody is woken."""

    name: Label = Field(description="What it is called.")
    when: Annotated[
        Window,
        *value_type(_parse_window, {"type": "string", "examples": ["Sun 02:00-04:00"]}, "time of the week"),
    ] = Field(description="Days and hours, such as Sun 02:00-04:00; without days, every day.")
    timezone: Annotated[
        str,
        *value_type(_parse_timezone, {"type": "string", "examples": ["UTC", "Europe/Berlin"]}, "time zone"),
    ] = Field(default="UTC", description="The time zone of the hours.")
    services: Annotated[tuple[Label, ...], one_or_many(Label)] = Field(
        default=(), description="Only these services and stores; default: all."
    )


class Kubernetes(Model):
    """What generated Kubernetes files say beside the services."""

    namespace: Label | None = Field(
        default=None, description="The namespace; default: the project and environment."
    )
    ingress_class: Text = Field(default="nginx", description="The ingress controller.")
    storage_class: Text | None = Field(
        default=None, description="The class of volumes; default: the cluster's."
    )


class Infrastructure(Model):
    """The machine that generated infrastructure code asks for."""

    provider: Literal["aws"] = Field(default="aws", description="The cloud.")
    region: Text = Field(default="eu-central-1", description="The region.")
    machine: Text = Field(default="t3.medium", description="The type of machine.")
    count: Annotated[int, Field(ge=1)] = Field(default=1, description="How many machines.")
    disk: Size = Field(
        default=40 * 1024**3, description="Size of the disk.", json_schema_extra={"default": "40Gi"}
    )
    allow_ssh_from: Annotated[tuple[Text, ...], one_or_many(Text)] = Field(
        default=(), description="Networks that may connect by SSH, such as 203.0.113.0/24."
    )


class Costs(Model):
    """Prices, for the report."""

    currency: Text = Field(default="USD", description="The currency.")
    cpu_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of one core for an hour.")
    memory_hour: Annotated[
        Decimal, *value_type(lambda value: _parse_price(value), {"type": "number", "minimum": 0}, "price")
    ] = Field(description="Price of 1 GiB for an hour.")


def _parse_price(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return Decimal(str(value))
    raise ValueError(f"{shown(value)} is not a price; write a number such as 0.04")


class Verify(Model):
    """How a deploy is judged."""

    deadline: Duration = Field(
        default=120.0,
        description="Time until everything must be healthy.",
        json_schema_extra={"default": "2m"},
    )


class Environment(Model):
    """One environment: how it differs. Any other key of the catalog lays its values over it."""

    description: str = Field(default="", description="What it is for.")
    address: AddressTemplate = Field(
        default="{service}:{port}",
        description="Where the daemon finds each service and store; {service}, {port}, {project} and {environment} are filled in.",
    )
    docker_host: Annotated[str, Field(pattern=r"^(unix|ssh|tcp|npipe)://")] | None = Field(
        default=None, description="The engine that is deployed to; default: the local one."
    )
    protected: bool = Field(default=False, description="Whether deploys ask for approval, and back up first.")
    publish: Literal["all", "edge"] | None = Field(
        default=None,
        description="Ports opened on the host: of every service, or of the gateway alone; default: all where address is on localhost, else edge.",
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
