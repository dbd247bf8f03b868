"""The data model of a container: identity, status, limits and resource usage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
STATES: tuple[State, ...] = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
"""All states of the Engine API (`ContainerState.Status`)."""

Health = Literal["none", "starting", "healthy", "unhealthy"]
HEALTHS: tuple[Health, ...] = ("none", "starting", "healthy", "unhealthy")
"""The Engine API's values (`Health.Status`); `none` for a container without a health check."""

ACTIVE: frozenset[State] = frozenset(("running", "paused"))
"""States in which a container has processes, so there is something to read."""

Source = Literal["cgroup", "api"]
Product = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine's description of itself."""

    version: str
    """The engine's version, such as `28.2.2`."""
    api_version: str
    """The API version in use, such as `1.41`."""
    cgroup_driver: Literal["cgroupfs", "systemd", "none"]
    """`none` for a rootless engine that is not allowed to create cgroups."""
    cgroup_version: Literal[1, 2]
    rootless: bool = False
    user: int | None = None
    """Id of the user that a rootless engine runs as; None if it cannot be known."""
    product: Product = "docker"
    cores: int | None = None
    """Logical processors of its host."""
    memory: int | None = None
    """Bytes of memory of its host."""
    one_of_several: bool = False
    """True if it is a node of a Swarm with other nodes, on which containers of the same service may run."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a container. Only `name` can change while it exists (docker rename)."""

    id: str
    """64 hexadecimal digits."""
    name: str
    """Without the leading slash."""
    image: str
    """As requested, such as `redis:7.4`."""
    image_digest: str
    """`sha256:…` of the image's configuration: the image id of `docker image ls --digests`."""
    cgroup: str
    """Path of its cgroup as the engine creates it, such as `/docker/ID` or `/system.slice/docker-ID.scope`: cAdvisor's
    label `id`. It stays the same while the container is stopped."""
    service: str | None = None
    """The catalog's service or store; None for a container that belongs to neither."""
    labels: tuple[tuple[str, str], ...] = ()
    """Those of its labels that become labels of series, in a fixed order."""
    project: str | None = None
    """Its Compose project or Swarm stack, also for containers outside the catalog."""
    slot: str | None = None
    """The replica of its service, such as `shop/web/1`. A container that replaces it has the same slot. None if neither
    Compose nor Swarm numbers it."""

    @property
    def replica(self) -> str | None:
        """Return the number in `slot`, or the node for a global service of Swarm."""
        return self.slot.rpartition("/")[2] if self.slot else None

    @property
    def of_swarm(self) -> bool:
        """True for a task of a Swarm service."""
        return any(label == "container_label_com_docker_swarm_service_name" for label, _ in self.labels)


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of a container, in bytes and counts; 0 means no limit, as in cAdvisor."""

    memory: int = 0
    memory_swap: int = 0
    """Memory and swap together."""
    memory_reservation: int = 0
    cpu_period: int = 0
    """Microseconds."""
    cpu_quota: int = 0
    """Microseconds in each period."""
    cpu_shares: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """Status of a container. Times are seconds since the epoch; None for events that have not happened."""

    state: State
    health: Health = "none"
    exit_code: int | None = None
    """Exit code of its last run or of a failed start; None while it runs, or if it was never started."""
    restarts: int = 0
    """Restarts by the engine's restart policy since the container was created."""
    oom_killed: bool = False
    """True if its last run ended out of memory."""
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    pid: int = 0
    """Id of its first process as the engine sees it; 0 while there is none."""
    error: str = ""
    """Why the engine could not start it."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Counters of a network interface of the container, since the interface was created."""

    name: str
    receive_bytes: int
    receive_packets: int
    receive_errors: int
    receive_dropped: int
    transmit_bytes: int
    transmit_packets: int
    transmit_errors: int
    transmit_dropped: int


@dataclass(frozen=True, slots=True)
class Device:
    """Counters of a block device since the container started. `name`: such as `/dev/sda`, or `8:0` if unknown."""

    name: str
    read_bytes: int
    write_bytes: int
    reads: int | None = None
    writes: int | None = None


@dataclass(frozen=True, slots=True)
class Pressure:
    """Stall times since the container started, in seconds (Linux PSI): some task waited, all tasks waited."""

    waiting: float
    stalled: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Resource usage of a container at one moment. Values that its source does not report are None (or empty), never 0.

    Units are seconds and bytes; counters count since the container started.
    """

    taken_at: float
    """Seconds since the epoch."""
    source: Source
    cpu_seconds: float | None = None
    cpu_user_seconds: float | None = None
    cpu_system_seconds: float | None = None
    cfs_periods: int | None = None
    cfs_throttled_periods: int | None = None
    cfs_throttled_seconds: float | None = None
    memory_usage: int | None = None
    """Includes the page cache."""
    memory_working_set: int | None = None
    """Usage without inactive file pages: cAdvisor's definition."""
    memory_rss: int | None = None
    memory_cache: int | None = None
    memory_swap: int | None = None
    memory_mapped_file: int | None = None
    memory_kernel: int | None = None
    memory_max_usage: int | None = None
    memory_active_file: int | None = None
    memory_inactive_file: int | None = None
    memory_failcnt: int | None = None
    """How often usage hit the limit."""
    page_faults: int | None = None
    major_page_faults: int | None = None
    oom_kills: int | None = None
    """Processes killed because memory ran out, since the container last started."""
    processes: int | None = None
    threads: int | None = None
    threads_max: int | None = None
    """0 when there is no limit."""
    interfaces: tuple[Interface, ...] = ()
    devices: tuple[Device, ...] = ()
    pressures: tuple[tuple[Literal["cpu", "memory", "io"], Pressure], ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """A container with everything that is known about it now."""

    identity: Identity
    status: Status
    limits: Limits = field(default_factory=Limits)
    tty: bool = False
    """True if its log is one raw stream."""
    network_mode: str = ""
    """`host` and `container:…` have no network of their own."""
    kept_running: bool = False
    """True if the engine starts it again after it has exited with 0."""
    oom_events: int = 0
    """Counted since the daemon first saw it, across restarts."""
    existed: bool = False
    """True if it existed when the daemon began to watch, so an earlier daemon may have exported it."""

    @property
    def completed(self) -> bool:
        """True if it has exited with 0 and is not started again, as the container of a job."""
        status = self.status
        done = status.state == "exited" and status.exit_code == 0 and not status.error
        return done and not self.kept_running

    @property
    def failed_to_start(self) -> bool:
        """True if the last attempt to start it failed; `status.error` says why."""
        return bool(self.status.error) and self.status.state in ("created", "exited")
