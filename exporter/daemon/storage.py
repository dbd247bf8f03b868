"""Volumes, backups and deploys, read every half minute independently of the probes."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.aside import AsideBusyError, AsideTimeoutError, aside
from exporter.metrics.items import Items
from exporter.metrics.storage_families import (
    BACKUP_FAMILIES,
    DEPLOY_FAMILIES,
    VOLUME_FAMILIES,
    BackupView,
    DeployView,
)
from exporter.metrics.text import label_text
from exporter.releases.records import RecordsError, last
from exporter.storage.backups import Backups
from exporter.storage.volumes import Volumes

if TYPE_CHECKING:
    from typing import Any

    from exporter.catalog.planning.plan import Plan
    from exporter.daemon.guard import Guard
    from exporter.storage.backup_marker import BackupMarker
    from exporter.storage.volumes import Space

RECORDS = 50
"""Number of deploys that are searched for the last good one."""
RECORDS_SECONDS = 5.0
LOOK_SECONDS = 30.0
"""Disks fill and backups age in hours; a scrape in between shows the last values."""


log = logging.getLogger(__name__)


class StorageWatch:
    """The volumes and backups of one plan."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._volumes: Volumes | None = None
        self._backups: Backups | None = None
        self._volume_names: tuple[str, ...] = ()
        self._backup_names: tuple[str, ...] = ()
        self._looked = False
        self._task: asyncio.Task[None] | None = None
        self._volume_items = Items(VOLUME_FAMILIES)
        self._backup_items = Items(BACKUP_FAMILIES)
        self._deploys: Path | None = None
        self._deploy_items = Items(DEPLOY_FAMILIES)

    @property
    def tables(self) -> tuple[Items[Any], ...]:
        """Return the tables for the exposition."""
        return self._volume_items, self._backup_items, self._deploy_items

    @property
    def volumes(self) -> dict[str, Space | None]:
        """Return the space of each volume; None if the daemon cannot see it."""
        found = self._volumes
        return {name: found.spaces.get(name) for name in self._volume_names} if found else {}

    @property
    def backups(self) -> dict[str, BackupMarker | str | None]:
        """Return the marker of each store and volume with a backup, or the reason why it cannot be read. Empty before
        the first read."""
        found = self._backups
        if found is None or not self._looked:
            return {}
        return {name: found.unreadable.get(name) or found.markers.get(name) for name in self._backup_names}

    async def apply(self, plan: Plan) -> None:
        """Watch the volumes, backups and deploys of `plan`, and no others."""
        await self.stop()
        self._volumes = Volumes(plan.volumes)
        self._backups = Backups(plan.backups) if plan.backups else None
        self._volume_names = tuple(volume.name for volume in plan.volumes)
        self._backup_names = plan.backups.names if plan.backups else ()
        self._deploys = Path(plan.deploys) if plan.deploys else None
        for items in (self._volume_items, self._backup_items, self._deploy_items):
            items.clear()
        self._looked = False
        if self._volume_names or self._backup_names or self._deploys:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            with self._guard.part("storage"):
                await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if self._volumes is not None:
            await self._volumes.refresh()
        if self._backups is not None:
            await self._backups.refresh()
        self._looked = True
        if self._deploys is not None:
            await self._look_at_deploys(self._deploys)
        for name, space in self.volumes.items():
            if space is None:
                self._volume_items.discard(name)
            else:
                self._volume_items.set(name, label_text([("volume", name)]), space)
        for name, marker in self.backups.items():
            self._backup_items.set(name, label_text([("service", name)]), _view(marker))

    async def _look_at_deploys(self, file: Path) -> None:
        self._deploy_items.clear()
        try:
            records = await aside(("deploys", file), lambda: last(file, RECORDS), RECORDS_SECONDS)
        except (AsideTimeoutError, AsideBusyError, RecordsError) as error:
            log.debug("cannot read the deploy records: %s", error)
            return
        if records:
            good = next((record for record in reversed(records) if record.good), None)
            self._deploy_items.set("", "", DeployView(records[-1], good))


def _view(marker: BackupMarker | str | None) -> BackupView:
    if marker is None or isinstance(marker, str):
        return BackupView(readable=marker is None)
    now = time.time()
    return BackupView(readable=True, run=marker.run(now), good=marker.last_success, drill=marker.drill(now))
