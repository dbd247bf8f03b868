"""Free space of volumes, read from the file system of each volume's folder."""

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
"""Timeout. A local file system answers within microseconds; one on a server that is down never answers."""
WHERE = "exporter.volumes in the catalog says where the exporter finds each volume"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Space:
    """Space on the file system that holds a volume. A folder that is not a mount shares that of its parent.

    `avail_bytes`: how much unprivileged programs can still write. `inodes` and `free_inodes` are None if the file
    system has no fixed number of them, such as btrfs.
    """

    avail_bytes: int
    size_bytes: int
    free_inodes: int | None
    inodes: int | None


def read_space(plan: VolumePlan) -> Space | None:
    """Return the space of a volume, or None if its folder does not exist. Raises OSError, and can block forever."""
    try:
        mode = os.stat(plan.path).st_mode  # noqa: PTH116 - a path object per reading would be a waste
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(20, "not a folder")
    found = os.statvfs(plan.path)
    return Space(
        avail_bytes=found.f_bavail * found.f_frsize,
        size_bytes=found.f_blocks * found.f_frsize,
        free_inodes=found.f_ffree if found.f_files else None,
        inodes=found.f_files or None,
    )


class Volumes:
    """The space of all volumes as last read.

    `spaces`: by volume name, for the volumes that could be read. `unreadable`: for the others, why, in one sentence.
    """

    def __init__(self, plans: tuple[VolumePlan, ...], seconds: float = READ_SECONDS) -> None:
        self._plans = plans
        self._seconds = seconds
        self.spaces: dict[str, Space] = {}
        self.unreadable: dict[str, str] = {}

    async def refresh(self) -> None:
        """Read all volumes at the same time. One that does not answer does not delay the others."""
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
