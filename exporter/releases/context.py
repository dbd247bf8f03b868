"""Hold what one deploy or rollback acts on: the environment, its engine, Compose, the state folder and the screen."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.host.compose import Compose
from exporter.host.failures import OperationError
from exporter.host.shown import shown
from exporter.releases.order import levels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.host.containers import Container
    from exporter.host.engine import Engine
    from exporter.host.screen import Screen
    from exporter.host.site import Site
    from exporter.host.state import StateFolder


PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Context:
    """`command` is Compose's; `log` is where tools write, None in a dry run."""

    site: Site
    engine: Engine
    command: tuple[str, ...]
    screen: Screen
    log: Path | None = None

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return self.site.state

    @property
    def jobs(self) -> frozenset[str]:
        """Services that others wait for until they have ended."""
        return frozenset(each.name for each in self.site.services if each.job)

    @property
    def awaited(self) -> frozenset[str]:
        """Services and stores that must be healthy, or have ended, before others start."""
        services = (each.name for each in self.site.services if each.awaited)
        return frozenset((*services, *self.site.awaited_stores))

    @property
    def levels(self) -> dict[str, int]:
        """The level of each service in the order in which they start."""
        site = self.site
        services = {each.name: each.level for each in site.services}
        return levels(site.stores, services, site.gateway, site.all_services)

    def containers(self, *services: str) -> list[Container]:
        """Return the environment's containers, stopped ones too; with `services`, only theirs."""
        return self.engine.containers(self.site.compose_project, *services)

    def image_id(self, name: str) -> str | None:
        """Return the id of an image, None where the engine does not have it."""
        image = self.engine.image(name) if name else None
        return image.id if image else None

    def compose(self, folder: Path, *more_files: Path) -> Compose:
        """Return Compose on the files of a folder."""
        return Compose(self.site, folder, self.command, self.engine.where, self.log, more_files)

    def act(self, what: str, folder: Path, *arguments: str, more_files: tuple[Path, ...] = ()) -> None:
        """Have Compose do something, and say `what` while it does.

        Raises:
            EngineLost: it failed, and the engine does not answer either.
            OperationError: it failed.
        """
        compose = self.compose(folder, *more_files)
        watched = replace(compose, watch=lambda: self.screen.waiting(what))
        with self.screen.live(what):
            done = watched.do(*arguments)
        if not done.good:
            self.engine.facts()  # a tool's error says nothing about the release while the engine is gone
            raise OperationError(f"{what} failed: {shown(done.reason, 300)}")

    def remove(self, containers: list[Container]) -> None:
        """Stop and remove containers; each may end what it does."""
        ids = [each.id for each in containers]
        names = shown(" ".join(each.name for each in containers), 200)
        with self.screen.live(f"stopping {names}"):
            self.screen.waiting(f"stopping {names}")
            self.engine.stop(*ids)
        self.engine.remove(*ids)

    def pause(self, seconds: float, why: str, over: Callable[[], bool] = lambda: False) -> None:
        """Wait so long, or until it is `over`, and say why."""
        end = time.monotonic() + seconds
        with self.screen.live(why):
            while time.monotonic() < end and not over():
                self.screen.waiting(why)
                time.sleep(PAUSE_SECONDS)
