"""Plan of the daemon: plain frozen values, without pydantic, cheap to pickle, compare and keep.

A `Plan` is the catalog, flattened for one environment. The daemon's process never imports the catalog's models: a
short-lived child loads the catalog and hands over a plan, so a reload of thousands of services neither delays a probe
nor keeps the memory of the models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from exporter.catalog.planning.specs import ProbeSpec, TlsSpec


@dataclass(frozen=True, slots=True)
class Target:
    """One probe of one service: its spec, its interval, and the labels of its series."""

    service: str
    probe: str
    target: str
    """The label: the URL, `host:port` or name that is probed. Never holds a credential."""
    interval: float
    """Seconds."""
    timeout: float
    """Seconds, never more than `interval`."""
    spec: ProbeSpec
    on_demand: bool = False
    """True if it is probed only while a container of its service runs."""

    @property
    def key(self) -> tuple[str, str]:
        """Return the key of the target, unique in a plan."""
        return self.service, self.probe


@dataclass(frozen=True, slots=True)
class LogsPlan:
    """Patterns to count in a service's log: names and regular expressions, matched against each line."""

    patterns: tuple[tuple[str, str], ...]
    max_line: int
    """Bytes of a line that are examined."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Docker engine's Unix socket, or its host and port; with TLS if `tls` is set."""

    shown: str
    """The address, for people."""
    socket: str | None = None
    host: str = ""
    port: int = 0
    tls: TlsSpec | None = None


@dataclass(frozen=True, slots=True)
class ContainersPlan:
    """Settings for watching containers.

    `docker`: the address of the engine in the catalog; None means DOCKER_HOST, the context, or the usual socket.
    `endpoint`: the engine that was found this way, once it was looked for. `cgroup`, `proc`: where the host's files
    are mounted; `cgroup` None means where this process sees them. `projects`: Compose projects and Swarm stacks that
    run the catalog's services. `labels`: names of container labels that become labels of series, in addition to those
    of Compose and Swarm.
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
    """A volume, and the folder where the daemon finds it."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class BackupsPlan:
    """Backups to watch: names of stores and volumes, and the folder of their markers."""

    folder: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """The containers of a service that somebody else runs: one `name`, or those of a Compose service.

    Without `service`, the Compose service has the name in the catalog; without `project`, it is in any of the
    catalog's projects.
    """

    service: str | None = None
    project: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service or store as the status page shows it, without its probes."""

    name: str
    kind: Literal["service", "store"]
    description: str = ""
    owner: str | None = None
    depends_on: tuple[str, ...] = ()
    runbook: str | None = None
    deployed: bool = True
    """False if somebody else runs it, so it is only watched."""
    contained: bool = True
    """True if containers on the engine can belong to it."""
    claim: Claim | None = None
    """Which containers belong to it; None: those of the Compose service of its name."""
    port: int | None = None
    metrics_path: str | None = None
    metrics_target: str | None = None
    """host:port at which Prometheus finds the service's own metrics; None if it has no metrics."""
    metrics_scheme: Literal["http", "https"] = "http"
    metrics_interval: float | None = None
    """Seconds."""
    replicas: int = 1
    wanted: int | None = None
    """How many of its containers must run on the engine. None for a job or a file, and for what is only watched, if
    the catalog does not say: then each of its containers that exist, and at least `least`."""
    least: int = 0
    ends: bool = False
    """True for a job: its container is done when it has exited with 0."""
    may_end: bool = False
    """True if nobody knows whether it is a job: somebody else runs it, and nothing probes it. Then it is one if the
    engine does not restart a container that has exited with 0."""
    on_demand: bool = False
    """True if a person starts it, by a profile of Compose: while it does not run, nothing is wrong."""
    logs: LogsPlan | None = None


@dataclass(frozen=True, slots=True)
class WebPlan:
    """Settings of the daemon's web server. `hosts`: names in addition to the usual ones. `reload`: also over HTTP.
    `configured`: the catalog asks for TLS or a login, which a web configuration file holds."""

    hosts: tuple[str, ...] = ()
    reload: bool = True
    configured: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the daemon needs to know."""

    project: str
    environment: str
    listen_host: str
    listen_port: int
    services: tuple[ServicePlan, ...]
    targets: tuple[Target, ...]
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds, that SLOs need in `probe_latency_seconds` in addition to the default ones."""
    containers: ContainersPlan = field(default_factory=ContainersPlan)
    volumes: tuple[VolumePlan, ...] = ()
    backups: BackupsPlan | None = None
    web: WebPlan = field(default_factory=WebPlan)
    deploys: str | None = None
    """The file to which deploys of the environment append their records."""
