"""What the engine is asked and what it answers, as values."""

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


@dataclass(frozen=True, slots=True)
class Image:
    """An image. `digests`: names with digests by which registries know it."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    architecture: str
    size: int
    user: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process in a container ended. `reason`: its last words on standard error, safe to print."""

    status: int
    out: bytes
    errors: bytes
    size: int

    @property
    def good(self) -> bool:
        """True if it ended with 0."""
        return self.status == 0

    @property
    def reason(self) -> str:
        """The last line of standard error, else the status."""
        lines = shown_lines(self.errors, 1, 300)
        return lines[-1] if lines else f"it ended with {self.status}"


@dataclass(frozen=True, slots=True)
class Helper:
    """A container for one task, which `Engine.run_helper` makes, runs and removes.

    `volumes`: by their place in the container, the name of a volume or an absolute folder, and whether it is writable.
    Without `network` it has none. `labels` mark it, so that what a killed command left can be found.
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
    """None: the engine's usual ones; a tuple: these alone."""
    tmpfs: tuple[str, ...] = ()
