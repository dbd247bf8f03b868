"""Types of a snapshot: the JSON of `/api/v1/services`, and the input of the page.

Times are seconds since the epoch. Values that were not measured and limits that are not set are None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.containers.model import Health, Source
    from exporter.containers.model import State as EngineState
    from exporter.daemon.watch import State as ProbedState

ServiceWord = Literal["up", "down", "unknown", "unwatched"]
"""State of a service; `unwatched`: neither probes nor containers show it."""

BackupWord = Literal["ok", "failed", "drill_failed", "missing", "unreadable", "unknown"]


class Judged(TypedDict):
    """State of a service, with the cause and start. `reason`: that of a failed probe. `detail`: one sentence."""

    state: ServiceWord
    reason: str | None
    detail: str
    since: float | None


class ProbeState(TypedDict):
    """One probe of a service, and its last result."""

    name: str
    protocol: str
    target: str
    interval_seconds: float
    timeout_seconds: float
    state: ProbedState
    reason: str | None
    detail: str
    since: float | None
    last_run: float | None
    duration_seconds: float | None
    phases: Mapping[str, float]
    facts: Mapping[str, float | str]
    successes: int
    failures: int
    missed: int


class ContainerState(TypedDict):
    """One container. `detail`: one sentence if something is wrong. `old`: True if a newer one has replaced it."""

    id: str
    name: str
    image: str
    project: str | None
    old: bool
    state: EngineState
    health: Health
    detail: str
    exit_code: int | None
    restarts: int
    oom_killed: bool
    oom_events: int
    started: float | None
    finished: float | None
    error: str
    source: Source | None
    measured: float | None
    cpu_cores: float | None
    cpu_limit_cores: float | None
    memory_bytes: int | None
    memory_limit_bytes: int | None


class BackupState(TypedDict):
    """The last backup of a store or volume.

    `state`: `failed`: the last run failed; `drill_failed`: the last drill failed; `missing`: no successful backup yet;
    `unreadable`: the marker cannot be read; `unknown`: not read yet. `detail`: one sentence unless ok.
    """

    state: BackupWord
    detail: str
    last_success: float | None
    last_run: float | None
    last_run_success: bool | None
    size_bytes: int | None
    last_drill: float | None
    drill_success: bool | None


class VolumeState(TypedDict):
    """A volume and the space of its file system; None if the daemon cannot see it."""

    name: str
    path: str
    available_bytes: int | None
    size_bytes: int | None
    files: int | None
    files_free: int | None
    backup: BackupState | None


class EngineSummary(TypedDict):
    """State of the engine, and the number of running containers by source of their readings."""

    up: bool
    address: str
    error: str
    version: str
    refused: list[str]
    sources: Mapping[str, int]


class ServiceState(Judged):
    """A service or store with its probes and containers.

    `containers_running` and `containers_wanted`: None if they are not counted.
    """

    name: str
    kind: Literal["service", "store"]
    description: str
    owner: str | None
    depends_on: list[str]
    deployed: bool
    runbook: str | None
    containers_wanted: int | None
    containers_running: int | None
    probes: list[ProbeState]
    containers: list[ContainerState]
    backup: BackupState | None


class Snapshot(TypedDict):
    """The state of everything at one time. `docker`: None if containers are not watched. `strangers`: containers
    outside the catalog."""

    project: str
    environment: str
    time: float
    summary: dict[ServiceWord, int]
    docker: EngineSummary | None
    services: list[ServiceState]
    strangers: list[ContainerState]
    volumes: list[VolumeState]
