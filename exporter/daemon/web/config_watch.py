"""The current web configuration: reloaded when one of its files changes, and kept if the new one has mistakes."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from exporter.aside import AsideBusyError, AsideTimeoutError, aside
from exporter.catalog.reading.problems import CatalogError, Problem
from exporter.daemon.web.config import Reading, read_config, weaker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.daemon.web.settings import Settings

LOOK_SECONDS = 1.0
READ_SECONDS = 10.0

Signature = tuple[tuple[str, int, int, int], ...]

log = logging.getLogger(__name__)


class Gauge(Protocol):
    def set(self, value: float) -> None: ...


class WebConfig:
    """The file at `path`. `successful` is 1 while the active configuration is that of the files, otherwise 0."""

    def __init__(self, path: str, successful: Gauge) -> None:
        """Read it for the first time.

        Raises:
            CatalogError: the file has mistakes; the exception has all of them.
        """
        self._path = path
        self._successful = successful
        self._taken, self._files, reading = _read(path)
        if reading.settings is None:
            raise CatalogError(reading.problems)
        self.settings: Settings = reading.settings
        self._wrong: Signature | None = None
        self._told: Signature | None = None
        successful.set(1)

    async def watch(self) -> None:
        """Check the files for changes regularly, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await aside(("web configuration", self._path), self._look, READ_SECONDS)
            except (AsideTimeoutError, AsideBusyError):
                continue  # the disk hangs; the configuration read before stays active
            if found is not None:
                self._take(*found)

    def _look(self) -> tuple[Signature, tuple[str, ...], Reading] | None:
        if _signature(self._files) in (self._taken, self._told):
            return None
        return _read(self._path)

    def _take(self, signature: Signature, files: tuple[str, ...], reading: Reading) -> None:
        self._files = files
        problems = reading.problems
        if reading.settings is not None and (why := weaker(self.settings, reading.settings)):
            problems = (Problem(self._path, 0, 0, "", why),)
        if reading.settings is not None and not problems:
            self.settings = self._with_its_rate(reading.settings)
            self._taken, self._wrong, self._told = signature, None, None
            self._successful.set(1)
            log.info("the web configuration has changed and is now in use: %s", self._path)
        elif signature != self._wrong:
            # A certificate and its key are two files: between the two writes a mismatch is not an error yet.
            self._wrong = signature
        else:
            self._told = signature
            self._successful.set(0)
            log.error(
                "the web configuration has changed and cannot be used; the previous one stays active:\n%s",
                CatalogError(problems),
            )

    def _with_its_rate(self, new: Settings) -> Settings:
        """Return the new settings; an unchanged rate limit keeps its state."""
        old = self.settings.rate
        same = old is not None and new.rate is not None and old.limit == new.rate.limit
        return replace(new, rate=old) if same else new


def _read(path: str) -> tuple[Signature, tuple[str, ...], Reading]:
    """Read the configuration. Return the signature of all its files from before, so that no later change is missed."""
    files: tuple[str, ...] = (path,)
    while True:
        signature, reading = _signature(files), read_config(path)
        if set(reading.files) <= set(files):
            return signature, files, reading
        files = tuple(dict.fromkeys(reading.files))


def _signature(files: Iterable[str]) -> Signature:
    """Return a value that changes when one of the files changes."""
    return tuple((path, *_seen(path)) for path in files)


def _seen(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - text, not paths
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)
