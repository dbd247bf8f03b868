"""Metric families of the Docker engine, of logs, volumes, backups and deploys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.metrics.family import ItemFamily
from exporter.metrics.items import value
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.releases.records import Record
    from exporter.storage.backup_marker import Outcome, Success
    from exporter.storage.volumes import Space


@dataclass(frozen=True, slots=True)
class DockerView:
    """The state of the Docker engine.

    `sources`: the number of running containers read from each source. `cores`, `memory`: of the engine's machine;
    None while the engine does not answer. `unknown`: the number of containers of which nothing but their existence is
    known. `refused`: endpoints that a socket proxy does not allow. `failures`: failed readings, by kind of reading.
    """

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
        "1 if the Docker engine answers; absent if containers are not watched.",
        value(lambda docker: docker.up),
    ),
    ItemFamily(
        "exporter_containers",
        "gauge",
        "Running containers by the source of their readings: cgroup (files), api (the engine's statistics), none.",
        _sources,
        ("source",),
    ),
    ItemFamily(
        "exporter_containers_unknown",
        "gauge",
        "Containers that the engine lists but does not describe, or describes in an undocumented format.",
        value(lambda docker: docker.unknown),
    ),
    ItemFamily(
        "exporter_container_failures_total",
        "counter",
        "Failed readings of single containers: inspect (the engine's description), cgroup (files), api (the engine's "
        "statistics).",
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
        "Event streams that ended while the engine answered, for example behind a proxy that closes idle ones.",
        value(lambda docker: docker.streams_lost),
    ),
    ItemFamily(
        "exporter_docker_events_skipped_total",
        "counter",
        "Events of the engine that could not be read; each makes the exporter inspect all containers again.",
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
    """Counts from the logs of one service since the exporter began watching them."""

    matches: Mapping[str, int]
    skipped: int
    readable: bool | None
    """None while the engine cannot be reached."""


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
        "Lines that were not examined because too many arrived per second.",
        value(lambda log: log.skipped),
        from_zero=True,
    ),
    ItemFamily(
        "container_log_readable",
        "gauge",
        "1 if the logs of the service's containers can be read; some logging drivers do not allow it.",
        value(lambda log: log.readable),
    ),
)
"""With the label `service`."""

VOLUME_FAMILIES: tuple[ItemFamily[Space], ...] = (
    ItemFamily(
        "volume_filesystem_avail_bytes",
        "gauge",
        "Space available to unprivileged programs on the file system that holds the volume.",
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
        "Files (inodes) that the file system can hold; absent if it has no such limit.",
        value(lambda space: space.inodes),
    ),
    ItemFamily(
        "volume_filesystem_files_free",
        "gauge",
        "Files (inodes) that can still be created on the file system.",
        value(lambda space: space.free_inodes),
    ),
)
"""With the label `volume`."""


@dataclass(frozen=True, slots=True)
class BackupView:
    """The content of a marker at one moment: the last finished run and drill.

    A field is None if the marker has no such entry or cannot be read.
    """

    readable: bool
    run: Outcome | None = None
    good: Success | None = None
    drill: Outcome | None = None


@dataclass(frozen=True, slots=True)
class DeployView:
    """The last deploy, and the last successful one."""

    last: Record
    good: Record | None


def _deployed(view: DeployView) -> Iterable[tuple[str, float]]:
    good = view.good
    return ((f",{label_text([('version', good.version)])}", good.finished),) if good else ()


DEPLOY_FAMILIES: tuple[ItemFamily[DeployView], ...] = (
    ItemFamily(
        "exporter_deploy_timestamp_seconds",
        "gauge",
        "When the last successful deploy of this environment ended, in seconds since the epoch.",
        _deployed,
        ("version",),
    ),
    ItemFamily(
        "exporter_deploy_last_success",
        "gauge",
        "1 if the last deploy succeeded; 0 if it failed or was rolled back.",
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
        "1 if the marker of the last backup can be read, or if there is none yet.",
        value(lambda view: view.readable),
    ),
    ItemFamily(
        "backup_last_run_timestamp_seconds",
        "gauge",
        "When the last run of the backup ended, in seconds since the epoch; absent if it was interrupted.",
        value(lambda view: view.run.finished if view.run else None),
    ),
    ItemFamily(
        "backup_last_run_success",
        "gauge",
        "1 if the last run of the backup succeeded; also 0 if interrupted.",
        value(lambda view: view.run.success if view.run else None),
    ),
    ItemFamily(
        "backup_last_run_duration_seconds",
        "gauge",
        "Duration of the last run of the backup.",
        value(_run_seconds),
    ),
    ItemFamily(
        "backup_last_success_timestamp_seconds",
        "gauge",
        "When the last successful backup ended, in seconds since the epoch.",
        value(lambda view: view.good.finished if view.good else None),
    ),
    ItemFamily(
        "backup_size_bytes",
        "gauge",
        "Stored size of the last successful backup.",
        value(lambda view: view.good.size_bytes if view.good else None),
    ),
    ItemFamily(
        "backup_drill_timestamp_seconds",
        "gauge",
        "When the last restore drill ended, in seconds since the epoch; absent if it was interrupted.",
        value(lambda view: view.drill.finished if view.drill else None),
    ),
    ItemFamily(
        "backup_drill_success",
        "gauge",
        "1 if the last restore drill restored the backup; also 0 if interrupted.",
        value(lambda view: view.drill.success if view.drill else None),
    ),
)
"""With the label `service`: the name of a store or volume."""
