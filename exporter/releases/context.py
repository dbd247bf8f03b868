"""Context of one deploy or rollback: the environment, its engine, Compose, the state folder and the screen."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exporter.host.compose import FILES as NAMES
from exporter.host.compose import Compose
from exporter.host.failures import OperationError
from exporter.host.shown import shown, shown_ends
from exporter.releases.order import levels
from exporter.releases.wanted import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.screen import Screen
    from exporter.host.site import Site
    from exporter.host.state import StateFolder
    from exporter.releases.wanted import Files


PAUSE_SECONDS = 0.5
BUILD_LINES = 12
REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Context:
    """The context. `command`: Compose's command. `log`: file for the tools' output, None in a dry run."""

    site: Site
    engine: Engine
    command: tuple[str, ...]
    screen: Screen
    log: Path | None = None
    known: dict[Hashable, Files] = field(default_factory=dict, repr=False, compare=False)

    @property
    def state(self) -> StateFolder:
        """Return the state folder."""
        return self.site.state

    @property
    def jobs(self) -> frozenset[str]:
        """Return the services that others wait for until they have completed."""
        return frozenset(each.name for each in self.site.services if each.job)

    @property
    def awaited(self) -> frozenset[str]:
        """Return the services and stores that must be healthy or completed before others start."""
        services = (each.name for each in self.site.services if each.awaited)
        return frozenset((*services, *self.site.awaited_stores))

    @property
    def levels(self) -> dict[str, int]:
        """Return the level of each service, in start order."""
        site = self.site
        services = {each.name: each.level for each in site.services}
        return levels(site.store_levels, services, site.gateway, site.all_services)

    def containers(self, *services: str) -> list[Container]:
        """Return the environment's containers, also stopped ones. `services`: only of these."""
        return self.engine.containers(self.site.compose_project, *services)

    def image_id(self, name: str) -> str | None:
        """Return the id of an image, or None if the engine does not have it."""
        image = self.engine.image(name) if name else None
        return image.id if image else None

    def compose(self, folder: Path, *more_files: Path) -> Compose:
        """Return a Compose for the files of a folder."""
        return Compose(self.site, folder, self.command, self.engine.where, self.log, more_files)

    def files(self, folder: Path, *more_files: Path) -> Files:
        """Return the parsed Compose files of a folder.

        Compose takes a second to answer, so answers are cached as long as the files and variables do not change.
        """
        compose = self.compose(folder, *more_files)
        paths = [path for path in (*(folder / name for name in NAMES), *more_files) if path.is_file()]
        changed = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
        key = (folder, changed, tuple(compose.env().items()))
        if key not in self.known:
            self.known[key] = files_of(compose.config(), self.site.compose_project)
        return self.known[key]

    def act(self, what: str, folder: Path, *arguments: str, more_files: tuple[Path, ...] = ()) -> None:
        """Run a Compose command, and show `what` while it runs.

        Raises:
            EngineLost: It failed, and the engine does not answer either.
            OperationError: It failed.
        """
        compose = self.compose(folder, *more_files)
        watched = replace(compose, watch=lambda: self.screen.waiting(what))
        with self.screen.live(what):
            done = watched.do(*arguments)
        if not done.good:
            self.engine.facts()  # if the engine is gone, the tool's error says nothing about the release
            if arguments[0] == "build":
                self._show_end_of_build(done.complaint[-BUILD_LINES:])
            raise OperationError(f"{what} failed: {shown_ends(done.reason, REASON_CHARACTERS)}")

    def _show_end_of_build(self, lines: Sequence[str]) -> None:
        """Show the last lines of a failed build: its last line names the command, those above it say why it failed."""
        self.screen.say(f"-- the last {len(lines)} lines of the build")
        for line in lines:
            self.screen.say(f"build | {shown_ends(line, REASON_CHARACTERS)}")

    def remove(self, containers: list[Container]) -> None:
        """Stop containers, each with its grace period, and remove them."""
        ids = [each.id for each in containers]
        names = shown(" ".join(each.name for each in containers), 200)
        with self.screen.live(f"stopping {names}"):
            self.screen.waiting(f"stopping {names}")
            self.engine.stop(*ids)
        self.engine.remove(*ids)

    def pause(self, seconds: float, why: str, over: Callable[[], bool] = lambda: False) -> None:
        """Wait for `seconds` or until `over` returns True, and show why."""
        end = time.monotonic() + seconds
        with self.screen.live(why):
            while time.monotonic() < end and not over():
                self.screen.waiting(why)
                time.sleep(PAUSE_SECONDS)
