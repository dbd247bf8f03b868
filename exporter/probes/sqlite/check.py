"""Integrity check by `PRAGMA quick_check`, in the background and without blocking the service.

It reads the whole file at low priority, which takes minutes for a huge file. In WAL mode it reads one snapshot and
blocks nobody. With a rollback journal the lock of a reader would make every write fail meanwhile, so it takes no lock:
damage found while the file changes may be an incomplete write, and counts only if it is found again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
import weakref
from contextlib import closing
from dataclasses import dataclass

from exporter.peer_text import Secrets
from exporter.probes.base import ProbeFailure
from exporter.probes.measure import clock
from exporter.probes.sqlite.file import (
    AS_IT_IS,
    BY_WAL,
    DAMAGED,
    FileState,
    Unreadable,
    connect,
    examine,
    failure,
    primary,
)

RECHECK_SECONDS = 60.0
"""Pause after a check that found damage or could not finish; longer if the check itself took longer."""

FOUND = DAMAGED | {sqlite3.SQLITE_IOERR}
"""Errors that count as damage: a page that the disk cannot read is as bad as a malformed one."""

NICENESS = 10
STEPS = 100_000
"""Steps of SQLite's virtual machine between two tests whether the check was stopped."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the last finished check of a file."""

    identity: tuple[int, int]
    damage: str
    """The first error found; empty if there is none."""
    checked_at: float
    """Seconds since the epoch."""
    seconds: float


class IntegrityCheck:
    """The checks of one file. They end when this object is dropped."""

    __slots__ = ("__weakref__", "_interval", "_path", "_work")

    def __init__(self, path: str, interval: float) -> None:
        self._path = path
        self._interval = interval
        self._work = _Work()
        weakref.finalize(self, self._work.stop)

    def finding(self, state: FileState) -> Finding | None:
        """Return the result of the last finished check if it was of this very file; None before the first."""
        finding = self._work.finding
        return finding if finding is not None and finding.identity == state.identity else None

    def start_if_due(self, state: FileState) -> None:
        """Start a check in a new thread, unless one is running or it is too early. Returns at once."""
        work = self._work
        if work.running or (clock() < work.due and work.identity == state.identity):
            return
        work.running = True
        work.identity = state.identity
        thread = threading.Thread(
            target=work.run, args=(self._path, state, self._interval), name="sqlite-check", daemon=True
        )
        thread.start()


class _Work:
    """The state that a check's thread refers to, instead of the `IntegrityCheck`, whose end must end the thread."""

    def __init__(self) -> None:
        self.finding: Finding | None = None
        self.identity: tuple[int, int] | None = None
        self.due = 0.0
        """Time of the next check, by the monotonic clock."""
        self.running = False
        self._suspicion = ""
        """Damage that the last check found while the file changed."""
        self._stopped = threading.Event()
        self._connection: sqlite3.Connection | None = None

    def stop(self) -> None:
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed just now
                connection.interrupt()

    def run(self, path: str, state: FileState, interval: float) -> None:
        """Run one check; called in the thread."""
        _be_nice()
        began = clock()
        pause = RECHECK_SECONDS
        try:
            damage, certain = self._check(path, state)
            seconds = clock() - began
            if not damage or certain or damage == self._suspicion:
                self.finding = Finding(state.identity, damage, time.time(), seconds)
                pause = interval if not damage else pause
            self._suspicion = damage
        except (*Unreadable, ProbeFailure) as error:
            if not self._stopped.is_set():
                found = error if isinstance(error, ProbeFailure) else failure(error, path)
                why = found.sentence.shown(Secrets())
                log.info("the integrity of %s could not be checked, will try again: %s", path, why)
        finally:
            self.due = clock() + max(pause, clock() - began)
            self.running = False

    def _check(self, path: str, state: FileState) -> tuple[str, bool]:
        """Return the first error, and True if no write to the file during the check could have caused it."""
        how = AS_IT_IS if state.wal_size is None else BY_WAL
        with closing(connect(path, how)) as connection:
            self._connection = connection
            try:
                damage = "" if self._stopped.is_set() else self._complaint(connection)
            finally:
                self._connection = None
        return damage, how == BY_WAL or not damage or examine(path) == state

    def _complaint(self, connection: sqlite3.Connection) -> str:
        connection.set_progress_handler(self._stopped.is_set, STEPS)
        connection.execute("PRAGMA temp_store = MEMORY")
        try:
            rows = connection.execute("PRAGMA quick_check(1)").fetchall()
        except Unreadable as error:
            if primary(error) in FOUND:
                return str(error)
            raise
        lines = [line for (text,) in rows for line in text.decode("utf-8", "replace").splitlines()]
        return next((line for line in lines if line != "ok" and not line.startswith("***")), "")


def _be_nice() -> None:
    """Lower the priority of this thread, which is possible on Linux; elsewhere the check has normal priority."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
