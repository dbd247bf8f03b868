"""Free space of volumes, from the file system that each volume's folder is on."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.aside import AsideBusyError, AsideTimeoutError, aside

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import VolumePlan

READ_SECONDS = 2.0
"""A local file system answers within microseconds; one on a server that is gone, never."""
WHERE = "exporter.volumes in the catalog says where the exporter finds each volume"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Space:
    """Of the file system that holds a volume. A folder without a mount of its own shares that of its parent.

    `avail_bytes`: what programs without privileges can still write. None of `inodes` and `free_inodes` where the file
    system has no fixed number of them, as btrfs.
    """

    avail_bytes: int
    size_bytes: int
    free_inodes: int | None
    inodes: int | None


def read_space(plan: VolumePlan) -> Space | None:
    """The space of a volume; None where its folder is not there. Raises OSError, and may block for ever."""
    try:
        mode = os.stat(plan.path).st_mode  # noqa: PTH116 - a path's object for each reading is a waste
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(20, "it is not a folder")
    found = os.statvfs(plan.path)
    return Space(
        avail_bytes=found.f_bavail * found.f_frsize,
        size_bytes=found.f_blocks * found.f_frsize,
        free_inodes=found.f_ffree if found.f_files else None,
        inodes=found.f_files or None,
    )


class Volumes:
    """The space of all volumes as it was read last.

    `spaces`: by the volume's name, of those that could be read. `unreadable`: of the others, one sentence each.
    """

    def __init__(self, plans: tuple[VolumePlan, ...], seconds: float = READ_SECONDS) -> None:
        self._plans = plans
        self._seconds = seconds
        self.spaces: dict[str, Space] = {}
        self.unreadable: dict[str, str] = {}

    async def refresh(self) -> None:
        """Read all of them, at once. One that does not answer holds up none of the others."""
        await asyncio.gather(*(self._read(plan) for plan in self._plans))

    async def _read(self, plan: VolumePlan) -> None:
        try:
            space = await aside(("volume", plan.path), lambda: read_space(plan), self._seconds)
        except (AsideTimeoutError, AsideBusyError) as error:
            self._fail(plan, f"the file system of {plan.path} does not answer ({error})")
        except OSError as error:
            self._fail(plan, f"{plan.path} cannot be read: {error.strerror or error}")
        else:
            if space is None:
                self._fail(plan, f"there is no folder {plan.path}")
                return
            self.spaces[plan.name] = space
            if self.unreadable.pop(plan.name, None):
                log.info("the free space of volume %s can be read again", plan.name)

    def _fail(self, plan: VolumePlan, why: str) -> None:
        self.spaces.pop(plan.name, None)
        if plan.name not in self.unreadable:
            log.warning("the free space of volume %s is not known: %s; %s", plan.name, why, WHERE)
        self.unreadable[plan.name] = why
