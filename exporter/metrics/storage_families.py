"""The families of Docker itself, of logs, volumes and backups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.metrics.family import ItemFamily
from exporter.metrics.items import value
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.containers.backup_marker import Outcome, Success
    from exporter.containers.volumes import Space
    from exporter.releases.records import Record


@dataclass(frozen=True, slots=True)
class DockerView:
    """`sources`: how many running containers are read from each source. `cores`, `memory`: of the engine's machine;
    None while the engine does not answer. `unknown`: containers that exist and of which nothing is known. `refused`:
    endpoints that a socket proxy does not allow. `failures`: by what failed."""

    up: bool
    sources: Mapping[str, int]
    cores: int | None = None
    memory: int | None = None
    unknown: int | None = None
    refused: tuple[str, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    streams_lost: int = 0
    events_skipped: int = 0


def _sources(docker: DockerView) -> Iterable[tuple[str, float]]:
    return [(f',source="{source}"', count) for source, count in docker.sources.items()] if docker.up else ()


def _refused(docker: DockerView) -> Iterable[tuple[str, float]]:
    return [(f",{label_text([('endpoint', endpoint)])}", 1) for endpoint in docker.refused]


def _failures(docker: DockerView) -> Iterable[tuple[str, float]]:
    return [(f',reading="{reading}"', count) for reading, count in docker.failures.items()]


DOCKER_FAMILIES: tuple[ItemFamily[DockerView], ...] = (
    ItemFamily(
        "exporter_docker_up",
        "gauge",
        "Whether the Docker engine answers; absent where containers are not watched.",
        value(lambda docker: docker.up),
    ),
    ItemFamily(
        "exporter_containers",
        "gauge",
        "Running containers by where their readings come from: cgroup (files), api (the engine's statistics), none.",
        _sources,
        ("source",),
    ),
    ItemFamily(
        "exporter_containers_unknown",
        "gauge",
        "Containers that the engine lists but does not describe, or not as its API documents it.",
        value(lambda docker: docker.unknown),
    ),
    ItemFamily(
        "exporter_container_failures_total",
        "counter",
        "Readings of single containers that failed: inspect (the engine's description), cgroup (files), api (the "
        "engine's statistics).",
        _failures,
        ("reading",),
    ),
    ItemFamily(
        "exporter_docker_refused",
        "gauge",
        "1 for each endpoint of the engine's API that a socket proxy does not allow; absent without one.",
        _refused,
        ("endpoint",),
    ),
    ItemFamily(
        "exporter_docker_event_streams_lost_total",
        "counter",
        "Streams of events that ended while the engine answered, as behind a proxy that cuts idle ones.",
        value(lambda docker: docker.streams_lost),
    ),
    ItemFamily(
        "exporter_docker_events_skipped_total",
        "counter",
        "Events of the engine that could not be read; all containers are looked at again then.",
        value(lambda docker: docker.events_skipped),
    ),
    ItemFamily(
        "machine_cpu_cores",
        "gauge",
        "Logical processors of the engine's machine.",
        value(lambda docker: docker.cores),
    ),
    ItemFamily(
        "machine_memory_bytes",
        "gauge",
        "Memory of the engine's machine.",
        value(lambda docker: docker.memory),
    ),
)


@dataclass(frozen=True, slots=True)
class LogView:
    """What was counted in the logs of one service since the exporter watches them."""

    matches: Mapping[str, int]
    skipped: int
    readable: bool | None
    """None while the engine cannot be asked."""


def _matches(log: LogView) -> Iterable[tuple[str, float]]:
    return [(f",{label_text([('pattern', name)])}", count) for name, count in log.matches.items()]


LOG_FAMILIES: tuple[ItemFamily[LogView], ...] = (
    ItemFamily(
        "container_log_matches_total",
        "counter",
        "Lines in the logs of a service's containers that matched a pattern.",
        _matches,
        ("pattern",),
        from_zero=True,
    ),
    ItemFamily(
        "container_log_lines_skipped_total",
        "counter",
        "Lines that were not looked at, since there were too many in a second.",
        value(lambda log: log.skipped),
        from_zero=True,
    ),
    ItemFamily(
        "container_log_readable",
        "gauge",
        "Whether the logs of the service's containers can be read; some logging drivers cannot.",
        value(lambda log: log.readable),
    ),
)
"""With the label `service`."""

VOLUME_FAMILIES: tuple[ItemFamily[Space], ...] = (
    ItemFamily(
        "volume_filesystem_avail_bytes",
        "gauge",
        "Space left to programs on the file system that holds the volume.",
        value(lambda space: space.avail_bytes),
    ),
    ItemFamily(
        "volume_filesystem_size_bytes",
        "gauge",
        "Size of the file system that holds the volume.",
        value(lambda space: space.size_bytes),
    ),
    ItemFamily(
        "volume_filesystem_files",
        "gauge",
        "Files (inodes) that the file system can hold; absent where it has no such limit.",
        value(lambda space: space.inodes),
    ),
    ItemFamily(
        "volume_filesystem_files_free",
        "gauge",
        "Files (inodes) that the file system can still take.",
        value(lambda space: space.free_inodes),
    ),
)
"""With the label `volume`."""


@dataclass(frozen=True, slots=True)
class BackupView:
    """What a marker says at one moment, of a run and a drill that are over; none of what there is not, or cannot be
    read."""

    readable: bool
    run: Outcome | None = None
    good: Success | None = None
    drill: Outcome | None = None


@dataclass(frozen=True, slots=True)
class DeployView:
    """The last deploy, and the last of which what it put there runs."""

    last: Record
    good: Record | None


def _deployed(view: DeployView) -> Iterable[tuple[str, float]]:
    good = view.good
    return ((f",{label_text([('version', good.version)])}", good.finished),) if good else ()


DEPLOY_FAMILIES: tuple[ItemFamily[DeployView], ...] = (
    ItemFamily(
        "exporter_deploy_timestamp_seconds",
        "gauge",
        "When the last good deploy of this environment ended, since the epoch.",
        _deployed,
        ("version",),
    ),
    ItemFamily(
        "exporter_deploy_last_success",
        "gauge",
        "Whether what the last deploy put there runs; 0 of one that failed or was rolled back.",
        value(lambda view: view.last.good),
    ),
)


def _run_seconds(view: BackupView) -> float | None:
    run = view.run
    return run.finished - run.started if run and run.finished is not None else None


BACKUP_FAMILIES: tuple[ItemFamily[BackupView], ...] = (
    ItemFamily(
        "backup_marker_readable",
        "gauge",
        "Whether the marker of the last backup can be read: 1 also while there is none.",
        value(lambda view: view.readable),
    ),
    ItemFamily(
        "backup_last_run_timestamp_seconds",
        "gauge",
        "When the last run of the backup ended, since the epoch; absent if it was cut off.",
        value(lambda view: view.run.finished if view.run else None),
    ),
    ItemFamily(
        "backup_last_run_success",
        "gauge",
        "Whether the last run of the backup succeeded; 0 too of one that was cut off.",
        value(lambda view: view.run.success if view.run else None),
    ),
    ItemFamily(
        "backup_last_run_duration_seconds",
        "gauge",
        "How long the last run of the backup took.",
        value(_run_seconds),
    ),
    ItemFamily(
        "backup_last_success_timestamp_seconds",
        "gauge",
        "When the last good backup ended, since the epoch.",
        value(lambda view: view.good.finished if view.good else None),
    ),
    ItemFamily(
        "backup_size_bytes",
        "gauge",
        "Size of the last good backup, as it is stored.",
        value(lambda view: view.good.size_bytes if view.good else None),
    ),
    ItemFamily(
        "backup_drill_timestamp_seconds",
        "gauge",
        "When the last restore drill ended, since the epoch; absent if it was cut off.",
        value(lambda view: view.drill.finished if view.drill else None),
    ),
    ItemFamily(
        "backup_drill_success",
        "gauge",
        "Whether the last restore drill could restore the backup; 0 too of one that was cut off.",
        value(lambda view: view.drill.success if view.drill else None),
    ),
)
"""With the label `service`, the name of a store or volume."""
