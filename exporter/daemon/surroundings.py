"""State besides the probes, for the API and the page: containers, volumes and backups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.daemon.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.containers.model import Container, Reading
    from exporter.storage.backup_marker import BackupMarker
    from exporter.storage.volumes import Space


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container, its last reading while it is running, and the cores it used between the last two readings. `old`:
    True if another container of its service has replaced it."""

    container: Container
    reading: Reading | None = None
    cpu_cores: float | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class DockerState:
    """State of the engine. `error`: one sentence that says why it does not answer; empty while it does. `sources`:
    number of running containers by source of their readings: cgroup, api, none."""

    up: bool
    address: str
    error: str = ""
    version: str = ""
    refused: tuple[str, ...] = ()
    """One sentence for each endpoint that a socket proxy does not allow."""
    sources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """State besides the probes. `docker`: None if containers are not watched. `wanted`: how many containers of each
    service must run on that engine, where known. `volumes`: by name; None if the daemon cannot see the volume.
    `backups`: by store or volume, the marker, None if there is none yet, or a sentence that says why it cannot be read.
    """

    docker: DockerState | None = None
    containers: tuple[ContainerView, ...] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, Space | None] = field(default_factory=dict)
    backups: Mapping[str, BackupMarker | str | None] = field(default_factory=dict)
    guard: Guard = field(default_factory=Guard, compare=False)
