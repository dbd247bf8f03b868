"""The web configuration as it is now: read again when a file of it changes, and kept when the new one is wrong."""

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
    """The file at `path`. `successful` tells whether what runs is what the files say."""

    def __init__(self, path: str, successful: Gauge) -> None:
        """Read it for the first time.

        Raises:
            CatalogError: it is wrong; it holds every problem.
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
        """Look at the files now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await aside(("web configuration", self._path), self._look, READ_SECONDS)
            except (AsideTimeoutError, AsideBusyError):
                continue  # a file of a dead disk; what was read from it before is still there
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
            log.info("the web configuration has changed and is in use: %s", self._path)
        elif signature != self._wrong:
            # A certificate and its key are two files: between the two writes nothing is wrong yet.
            self._wrong = signature
        else:
            self._told = signature
            self._successful.set(0)
            log.error(
                "the web configuration has changed and cannot be used; the one before stays in use:\n%s",
                CatalogError(problems),
            )

    def _with_its_rate(self, new: Settings) -> Settings:
        """The same limit goes on where it was."""
        old = self.settings.rate
        same = old is not None and new.rate is not None and old.limit == new.rate.limit
        return replace(new, rate=old) if same else new


def _read(path: str) -> tuple[Signature, tuple[str, ...], Reading]:
    """Read the configuration. Return how all its files were before, so that no later change is missed."""
    files: tuple[str, ...] = (path,)
    while True:
        signature, reading = _signature(files), read_config(path)
        if set(reading.files) <= set(files):
            return signature, files, reading
        files = tuple(dict.fromkeys(reading.files))


def _signature(files: Iterable[str]) -> Signature:
    """What tells whether a file is another one than before."""
    return tuple((path, *_seen(path)) for path in files)


def _seen(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - text, not paths
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)
