"""Reader of the markers of backups, which reads them from their folder when they change."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from exporter.aside import AsideBusyError, AsideTimeoutError, aside
from exporter.files import open_regular, read_up_to
from exporter.storage.backup_marker import MAX_BYTES, BackupMarker, MarkerError, parse_marker

if TYPE_CHECKING:
    from exporter.catalog.planning.plan import BackupsPlan

READ_SECONDS = 5.0

log = logging.getLogger(__name__)

_Version = tuple[int, int, int]
"""Inode, size and time of change (ns), which differ after each replacement."""


class Backups:
    """The markers as last read.

    `markers`: by the name of the store or volume. `unreadable`: for markers that exist but cannot be used, one sentence
    each. A name in neither has no marker: there was never an attempt at a backup, or the folder does not exist.
    """

    def __init__(self, plan: BackupsPlan, seconds: float = READ_SECONDS) -> None:
        self._plan = plan
        self._seconds = seconds
        self._known: dict[str, tuple[_Version, BackupMarker | str]] = {}
        self._folder_missing = False
        self.markers: dict[str, BackupMarker] = {}
        self.unreadable: dict[str, str] = {}

    async def refresh(self) -> None:
        """Read the markers that have changed. If the folder does not answer, all are unreadable."""
        folder = self._plan.folder
        known = dict(self._known)
        try:
            found, missing = await aside(
                ("backups", folder), lambda: _read_all(self._plan, known), self._seconds
            )
        except (AsideTimeoutError, AsideBusyError) as error:
            self._show({}, dict.fromkeys(self._plan.names, f"{folder} does not answer ({error})"))
            return
        self._say_missing(missing)
        self._known = {
            name: (version, what) for name, (version, what) in found.items() if version is not None
        }
        self._show(
            {name: what for name, (_, what) in found.items() if isinstance(what, BackupMarker)},
            {name: what for name, (_, what) in found.items() if isinstance(what, str)},
        )

    def _show(self, markers: dict[str, BackupMarker], unreadable: dict[str, str]) -> None:
        for name, why in unreadable.items():
            if self.unreadable.get(name) != why:
                log.warning("the backup marker of %s cannot be used: %s", name, why)
        self.markers, self.unreadable = markers, unreadable

    def _say_missing(self, missing: bool) -> None:
        if missing and not self._folder_missing:
            log.warning(
                "there is no folder %s, so the state of all backups is unknown; the first backup creates it, and the "
                "exporter must see it there",
                self._plan.folder,
            )
        self._folder_missing = missing


def _read_all(
    plan: BackupsPlan, known: dict[str, tuple[_Version, BackupMarker | str]]
) -> tuple[dict[str, tuple[_Version | None, BackupMarker | str]], bool]:
    """Return each existing marker with its version, or why it cannot be read; and True if the folder is missing."""
    found: dict[str, tuple[_Version | None, BackupMarker | str]] = {}
    for name in plan.names:
        path = f"{plan.folder}/{name}.json"
        try:
            found[name] = _read(path, name, known.get(name))
        except FileNotFoundError:
            continue
        except OSError as error:
            found[name] = None, f"{path}: {error.strerror or error}"
    missing = not found and bool(plan.names) and not os.path.isdir(plan.folder)  # noqa: PTH112 - next to os.open
    return found, missing


def _read(
    path: str, name: str, known: tuple[_Version, BackupMarker | str] | None
) -> tuple[_Version, BackupMarker | str]:
    """Read a marker. Does not wait for a writer if the file is a pipe. Raises OSError."""
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
        version = status.st_ino, status.st_size, status.st_mtime_ns
        if known is not None and known[0] == version:
            return known
        text = read_up_to(descriptor, MAX_BYTES)
    finally:
        os.close(descriptor)
    try:
        return version, parse_marker(text, name)
    except MarkerError as error:
        return version, f"{path}: {error}"
