"""What is known beside the probes, for the account that the API and the page give: containers, volumes, backups."""

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
    """A container, its last reading while it runs, and the cores that it used between the last two readings. `old`:
    another container of its service has replaced it."""

    container: Container
    reading: Reading | None = None
    cpu_cores: float | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class DockerState:
    """`error`: one sentence, why the engine does not answer; empty while it does. `sources`: running containers by
    where their readings come from: cgroup, api, none."""

    up: bool
    address: str
    error: str = ""
    version: str = ""
    refused: tuple[str, ...] = ()
    """One sentence for each endpoint that a socket proxy does not allow."""
    sources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`docker`: none where containers are not watched. `wanted`: how many containers of a service must run on that
    engine, of those of which it is known. `volumes`: by name, none of one that the daemon does not see.
    `backups`: by store or volume, its marker, none where there is none yet, or the sentence why it cannot be read."""

    docker: DockerState | None = None
    containers: tuple[ContainerView, ...] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)
    volumes: Mapping[str, Space | None] = field(default_factory=dict)
    backups: Mapping[str, BackupMarker | str | None] = field(default_factory=dict)
    guard: Guard = field(default_factory=Guard, compare=False)
