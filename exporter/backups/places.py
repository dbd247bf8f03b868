"""Targets of a restore: the environment's own containers, volumes and folders.

Everything here comes from the catalog, the Compose files or the running containers, never from the backup.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.backups.engines import redis
from exporter.backups.engines.inside import wait_until_ready
from exporter.backups.engines.shape import Place
from exporter.backups.saving import HELPER_IMAGE
from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporter.backups.docker_host import DockerHost
    from exporter.backups.restore_journal import Journal
    from exporter.backups.steps import Steps
    from exporter.backups.subjects import Subject
    from exporter.host.containers import Container
    from exporter.releases.context import Context

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings from variables. `identity`: the file of the private key of an encrypted backup."""

    helper_image: str = HELPER_IMAGE
    python_image: str = ""
    ready_seconds: float = READY_SECONDS
    identity: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Settings:
        """Return the settings of BACKUP_IMAGE, SQLITE_IMAGE, READY_SECONDS and BACKUP_IDENTITY_FILE."""
        ready = variables.get("READY_SECONDS") or str(READY_SECONDS)
        try:
            ready_seconds = float(ready)
        except ValueError:
            raise BackupsError("READY_SECONDS must be a number of seconds") from None
        return cls(
            helper_image=variables.get("BACKUP_IMAGE") or HELPER_IMAGE,
            python_image=variables.get("SQLITE_IMAGE") or "",
            ready_seconds=ready_seconds,
            identity=variables.get("BACKUP_IDENTITY_FILE") or "",
        )


@dataclass(frozen=True, slots=True)
class Places:
    """The places of all subjects. Creates missing ones with Compose, from the files in `folder`."""

    context: Context
    host: DockerHost
    steps: Steps
    settings: Settings
    folder: Path
    journal: Journal

    def of(self, subject: Subject) -> Place:
        """Return the place of `subject`. Starts PostgreSQL and MongoDB; the others need not run."""
        place = Place(
            subject,
            self.host,
            self.steps,
            user=subject.user,
            secret=subject.secret,
            path=subject.path,
            helper_image=self.settings.helper_image,
            python_image=self.settings.python_image,
            ready_seconds=self.settings.ready_seconds,
        )
        if subject.kind == "configuration":
            return replace(place, folder=self.context.site.catalog.folder)
        if subject.kind == "volume":
            return replace(place, volume=self._volume(subject))
        if subject.engine == "sqlite":
            return replace(place, container=self._made(subject.service).id)
        if subject.engine == "redis":
            place = replace(place, container=self._made(subject.service).id)
            return replace(place, path=self._data_folder(place))
        return replace(place, container=self._started(subject))

    def _started(self, subject: Subject) -> str:
        self.steps.begin(f"starting only {subject.name}")
        self._compose("up", "-d", "--no-deps", "--no-build", subject.service)
        found = self.host.container_of(subject.service)
        if found is None:
            raise BackupsError(f"Compose created no container of {subject.service}")
        return found.id

    def _made(self, service: str) -> Container:
        """Return a service's container. If there is none, create it without starting it, so that its volumes exist."""
        found = self.host.container_of(service)
        if found is None:
            self._compose("up", "--no-start", "--no-deps", "--no-build", service)
            found = self.host.container_of(service)
        if found is None:
            raise BackupsError(f"Compose created no container of {service}")
        return found

    def _volume(self, subject: Subject) -> str:
        volume = self.host.volume_of(subject.volume)
        if volume is None:
            for service in subject.writers:
                self._made(service)
            volume = self.host.volume_of(subject.volume)
        if volume is None:
            raise BackupsError(f"there is no volume {subject.name}, and no service creates it")
        stop(self.context, subject.writers)  # one may have been started meanwhile to restore a store
        return volume

    def _data_folder(self, place: Place) -> str:
        """Return a Redis' data folder from the running one, or from the journal: with partial data it may not start."""
        known = self.journal.folders.get(place.name)
        if known is not None:
            return known
        folder = data_folder_of(place)
        self.journal.knows(place.name, folder)
        return folder

    def _compose(self, *arguments: str) -> None:
        self.context.act(self.steps.current or "Compose", self.folder, *arguments)


def data_folder_of(place: Place) -> str:
    """Start a Redis unless it runs, and return its data folder."""
    if not place.host.is_running(place.container):
        place.steps.begin(f"starting {place.name} to find its data folder")
        place.host.start(place.container)
    wait_until_ready(place, redis.ready)
    return redis.data_folder(place)


def stop(context: Context, services: Sequence[str]) -> None:
    """Stop the running containers of these services."""
    running = [each for each in context.containers(*services) if each.running] if services else []
    if running:
        context.screen.say(f"stopping {' '.join(sorted({each.service for each in running}))}")
        context.engine.stop(*(each.id for each in running))


def deadline_in(seconds: float) -> float:
    """Return the time on the monotonic clock in this many seconds."""
    return time.monotonic() + seconds
