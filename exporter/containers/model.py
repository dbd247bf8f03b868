"""What is known of one container: what it is, how it is, what it may use and what it used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
STATES: tuple[State, ...] = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
"""The engine's own (`ContainerState.Status` of the Engine API), all of them."""

Health = Literal["none", "starting", "healthy", "unhealthy"]
HEALTHS: tuple[Health, ...] = ("none", "starting", "healthy", "unhealthy")
"""The engine's own (`Health.Status`); `none` of a container without a health check."""

ACTIVE: frozenset[State] = frozenset(("running", "paused"))
"""States in which a container has processes, so that there is something to read."""

Source = Literal["cgroup", "api"]
Product = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself."""

    version: str
    """Of the engine, such as `28.2.2`."""
    api_version: str
    """Of the API that is spoken with it, such as `1.41`."""
    cgroup_driver: Literal["cgroupfs", "systemd", "none"]
    """`none` of a rootless engine that may not make cgroups."""
    cgroup_version: Literal[1, 2]
    rootless: bool = False
    user: int | None = None
    """Number of the user whom a rootless engine runs as; none if it cannot be known."""
    product: Product = "docker"
    cores: int | None = None
    """Logical processors of its machine."""
    memory: int | None = None
    """Bytes of its machine."""
    one_of_several: bool = False
    """True if it is a node of a Swarm that has others, on which containers of the same service may run."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a container is; none of it changes while it exists, but for `name` (docker rename)."""

    id: str
    """64 hexadecimal digits."""
    name: str
    """Without the leading slash."""
    image: str
    """As it was asked for, such as `redis:7.4`."""
    image_digest: str
    """`sha256:…` of the image's configuration, which is what `docker image ls --digests` calls the image id."""
    cgroup: str
    """Path of its cgroup as the engine made it, such as `/docker/ID` or `/system.slice/docker-ID.scope`: cAdvisor's
    label `id`. The same while the container is stopped."""
    service: str | None = None
    """The catalog's service or store; none of a stranger."""
    labels: tuple[tuple[str, str], ...] = ()
    """Of its labels those that become labels of series, in a fixed order."""
    project: str | None = None
    """Its Compose project or Swarm stack, known of strangers too."""
    slot: str | None = None
    """Which replica of its service it is, such as `shop/web/1`. The container that replaces it has the same. None where
    neither Compose nor Swarm numbers it."""

    @property
    def replica(self) -> str | None:
        """The number in `slot`, or the node of a Swarm's global service."""
        return self.slot.rpartition("/")[2] if self.slot else None

    @property
    def of_swarm(self) -> bool:
        """True of a task of a Swarm service."""
        return any(label == "container_label_com_docker_swarm_service_name" for label, _ in self.labels)


@dataclass(frozen=True, slots=True)
class Limits:
    """What it may use. Bytes and numbers; 0 means that there is no limit, as cAdvisor has it."""

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
    """How it is. Times are seconds since the epoch; none of what has not happened."""

    state: State
    health: Health = "none"
    exit_code: int | None = None
    """Of its last end, or of the attempt to start it that failed; none while it runs, or if it was never started."""
    restarts: int = 0
    """By the engine's restart policy, since the container was made."""
    oom_killed: bool = False
    """Whether its last end was for want of memory."""
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    pid: int = 0
    """Of its first process, as the engine sees it; 0 while there is none."""
    error: str = ""
    """Why the engine could not start it."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Counters of a network interface of the container since it was made."""

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
    """What a container used, at one moment. What its source does not tell is None (or empty), never 0.

    Seconds and bytes; counters count since the container started.
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
    """With page cache."""
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
    """Processes killed for want of memory in this life of the container."""
    processes: int | None = None
    threads: int | None = None
    threads_max: int | None = None
    """0 when there is no limit."""
    interfaces: tuple[Interface, ...] = ()
    devices: tuple[Device, ...] = ()
    pressures: tuple[tuple[Literal["cpu", "memory", "io"], Pressure], ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """All that is known of a container now."""

    identity: Identity
    status: Status
    limits: Limits = field(default_factory=Limits)
    tty: bool = False
    """Whether its log is one raw stream."""
    network_mode: str = ""
    """`host` and `container:…` have no network of their own."""
    oom_events: int = 0
    """Counted since the daemon first saw it, over all its lives."""
    existed: bool = False
    """It was there when the daemon began to watch, so an earlier daemon may have exported it."""

    @property
    def failed_to_start(self) -> bool:
        """True if the last attempt to start it failed; `status.error` says why."""
        return bool(self.status.error) and self.status.state in ("created", "exited")
