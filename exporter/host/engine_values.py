"""Values of the engine's requests and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.host.shown import shown_lines

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine itself. `root`: its data folder on its host; `swarm`: True on a manager; `now`: its clock."""

    version: str
    api: str
    system: str
    root: str
    swarm: bool
    now: str
    images: int
    log_driver: str = ""
    """Default of containers, as is `runtime`."""
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image. `digests`: its names with digests in registries."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    architecture: str
    size: int
    user: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a process in a container. `reason`: the last line of its standard error, safe to print."""

    status: int
    out: bytes
    errors: bytes
    size: int

    @property
    def good(self) -> bool:
        """True if the exit status is 0."""
        return self.status == 0

    @property
    def reason(self) -> str:
        """Return the last line of standard error, or the exit status."""
        lines = shown_lines(self.errors, 1, 300)
        return lines[-1] if lines else f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Helper:
    """A container for one task, which `Engine.run_helper` creates, runs and removes.

    `volumes`: by mount point, the name of a volume or an absolute folder, and True if it is writable. By default it has
    no network. `labels` mark the container, so that leftovers of a killed command can be found.
    """

    image: str
    argv: tuple[str, ...]
    labels: Mapping[str, str]
    volumes: Mapping[str, tuple[str, bool]]
    user: str = "0:0"
    network: str = "none"
    environment: Mapping[str, str] | None = None
    read_only: bool = True
    capabilities: tuple[str, ...] | None = None
    """None: the engine's default ones; a tuple: only these."""
    tmpfs: tuple[str, ...] = ()
