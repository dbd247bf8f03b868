"""What the daemon needs of a catalog: plain frozen values, no pydantic, cheap to pickle, compare and keep.

The catalog's models are a person's text made true; a `Plan` is that text made flat for one environment. The
daemon's process never imports the models: a short-lived child loads the catalog and hands over a plan, so a
reload of thousands of services neither stalls a probe nor leaves the models' memory behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporter.catalog.specs import ProbeSpec, TlsSpec


@dataclass(frozen=True, slots=True)
class Target:
    """One probe of one service: what to ask, how often, and the labels of its series."""

    service: str
    probe: str
    target: str
    """The label: the URL, `host:port` or name that is asked. Never holds a credential."""
    interval: float
    """Seconds."""
    timeout: float
    """Seconds, never more than `interval`."""
    spec: ProbeSpec

    @property
    def key(self) -> tuple[str, str]:
        """Unique in a plan."""
        return self.service, self.probe


@dataclass(frozen=True, slots=True)
class LogsPlan:
    """What is counted in a service's log: names and regular expressions, matched against each line."""

    patterns: tuple[tuple[str, str], ...]
    max_line: int
    """Bytes of a line that are looked at."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Docker engine's Unix socket, or its host and port, with TLS where there is a `tls`."""

    shown: str
    """The address, for people."""
    socket: str | None = None
    host: str = ""
    port: int = 0
    tls: TlsSpec | None = None


@dataclass(frozen=True, slots=True)
class ContainersPlan:
    """How containers are watched.

    `docker`: the address of the engine as the catalog has it; none means DOCKER_HOST, the context, or the usual
    socket. `endpoint`: the engine that this led to, once it was looked for. `cgroup`, `proc`: where the host's files
    are mounted; none of `cgroup` means where this process sees them. `projects`: Compose projects and Swarm stacks
    whose services are the catalog's. `labels`: names of container labels that become labels of series beside those of
    Compose and Swarm.
    """

    source: Literal["auto", "cgroup", "api", "off"] = "auto"
    interval: float = 10.0
    strangers: bool = True
    docker: str | None = None
    endpoint: Endpoint | None = None
    cgroup: str | None = None
    proc: str | None = None
    projects: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """A volume, and the folder at which the daemon sees it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class BackupsPlan:
    """Whose backups are watched: names of stores and volumes, and the folder of their markers."""

    folder: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What the status page says of a service or store beside its probes."""

    name: str
    kind: Literal["service", "store"]
    description: str = ""
    owner: str | None = None
    depends_on: tuple[str, ...] = ()
    runbook: str | None = None
    deployed: bool = True
    """False of a service with neither build nor image: somebody else's, watched and not deployed."""
    port: int | None = None
    metrics_path: str | None = None
    metrics_target: str | None = None
    """host:port at which Prometheus finds the service's own metrics; none where it has none."""
    metrics_scheme: Literal["http", "https"] = "http"
    metrics_interval: float | None = None
    """Seconds."""
    replicas: int = 1
    wanted: int | None = None
    """How many of its containers must run on the engine; None of what is not deployed, of a job, and of a file."""
    ends: bool = False
    """True of a job: its container is done when it has ended with 0."""
    logs: LogsPlan | None = None


@dataclass(frozen=True, slots=True)
class WebPlan:
    """How the daemon's own web server answers. `hosts`: names beside the usual ones. `reload`: whether over HTTP.
    `configured`: whether the catalog asks for TLS or a login, which a web configuration file holds."""

    hosts: tuple[str, ...] = ()
    reload: bool = True
    configured: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the daemon runs on."""

    project: str
    environment: str
    listen_host: str
    listen_port: int
    services: tuple[ServicePlan, ...]
    targets: tuple[Target, ...]
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds, that SLOs ask of `probe_latency_seconds` beside the default ones."""
    containers: ContainersPlan = field(default_factory=ContainersPlan)
    volumes: tuple[VolumePlan, ...] = ()
    backups: BackupsPlan | None = None
    web: WebPlan = field(default_factory=WebPlan)
    deploys: str | None = None
    """The file of the environment's deploys, which deploys add to."""
