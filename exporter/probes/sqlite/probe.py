"""Probe of a SQLite file: it must exist, be readable while a service writes to it, and be undamaged.

The file may be on a disk that does not answer, so each run reads it in a new thread and does not wait for it beyond the
deadline. The exporter must see the folder of the file, because it also holds the write-ahead log; a read-only mount is
enough.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exporter.peer_text import PeerText
from exporter.probes.base import ProbeFailure, Reason
from exporter.probes.measure import MeasuredProbe, Run, clock
from exporter.probes.sqlite.check import IntegrityCheck
from exporter.probes.sqlite.file import (
    AS_IT_IS,
    TRANSIENT,
    FileState,
    Unreadable,
    connect,
    examine,
    failure,
    primary,
    way,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.catalog.planning.specs import SqliteSpec
    from exporter.probes.compile import Shared

LOCK_MARGIN = 0.25
"""Seconds, at most half of a run, reserved at its end for reporting the lock that it waited for."""

LOCK_PAUSE = 0.02
"""Seconds between two attempts at a locked file."""

OPENING_SECONDS = 0.5
"""How long a log may exist without its index: a service that opens the file creates one after the other."""


class SqliteProbe(MeasuredProbe):
    """A short read of the file in each run, and a check of the whole file at intervals.

    Raises:
        ValueError: the path is not valid; one sentence.
    """

    __slots__ = ("_check", "_look", "_path")

    def __init__(self, spec: SqliteSpec, shared: Shared) -> None:  # noqa: ARG002 - every protocol has this signature
        if "\0" in spec.path:
            raise ValueError("the path holds a NUL character")
        self._path = spec.path
        self._check = IntegrityCheck(spec.path, spec.check_interval)
        self._look: _Look | None = None

    async def ask(self, run: Run) -> None:
        run.enter("open")
        run.peer = self._path
        await self._earlier(run)
        left = run.time_left()
        look = self._look = _Look(self._path, clock() + max(left - LOCK_MARGIN, left / 2), run)
        try:
            look.start()
            await look.ended.wait()
        finally:
            look.stop()
            if look.state is not None:
                self._note(look.state, run)
        if look.error is not None:
            raise look.error
        if look.state is not None:
            try:
                self._judge(look.state)
            finally:
                self._check.start_if_due(look.state)

    async def _earlier(self, run: Run) -> None:
        """Wait for the thread of an earlier run that still hangs on the disk: threads must not pile up."""
        look = self._look
        if look is not None and not look.ended.is_set():
            run.awaited = f"the file system, which has not answered for {clock() - look.began:.3g} s"
            await look.ended.wait()

    def _note(self, state: FileState, run: Run) -> None:
        run.facts["store_size"] = state.size
        run.facts["store_wal_size"] = state.wal_size or 0
        finding = self._check.finding(state)
        if finding is not None:
            run.facts["store_integrity_ok"] = 0 if finding.damage else 1
            run.facts["store_integrity_checked_at"] = finding.checked_at
            run.facts["store_integrity_seconds"] = finding.seconds

    def _judge(self, state: FileState) -> None:
        """Fail while the last finished check found damage.

        Raises:
            ProbeFailure: `corrupt`.
        """
        finding = self._check.finding(state)
        if finding is not None and finding.damage:
            when = datetime.fromtimestamp(finding.checked_at, UTC).strftime("%H:%M:%S UTC")
            raise ProbeFailure(
                Reason.CORRUPT,
                "PRAGMA quick_check of {} found {} at {}",
                self._path,
                PeerText(finding.damage),
                when,
            )


class _Look:
    """The read of one run, in its own thread. `ended` is set when it has ended, by itself or after `stop`."""

    def __init__(self, path: str, until: float, run: Run) -> None:
        self._path = path
        self._until = until
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self.began = clock()
        self.ended = asyncio.Event()
        self.state: FileState | None = None
        """The last state of the file that was read."""
        self.error: Exception | None = None

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: no more threads can be started.
        """
        try:
            threading.Thread(target=self._body, name="sqlite-look", daemon=True).start()
        except BaseException:
            self.ended.set()
            raise

    def stop(self) -> None:
        """Make the thread give up as soon as the disk answers."""
        self._stopped.set()

    def _body(self) -> None:
        try:
            self._until_read()
        except Exception as error:  # noqa: BLE001 - raised again where the probe waits
            self.error = error
        self._tell(self.ended.set)

    def _until_read(self) -> None:
        while not self._stopped.is_set():
            self.state = examine(self._path)
            try:
                how = way(self._path, self.state)
                self._read(how)
            except Unreadable as error:
                if clock() >= self._patience(error):
                    raise failure(error, self._path) from None
                self._tell(self._say_locked)
                self._stopped.wait(LOCK_PAUSE)
            else:
                if how != AS_IT_IS or examine(self._path) == self.state:
                    return

    def _patience(self, error: Exception) -> float:
        """Return the time until which to try again."""
        if primary(error) in TRANSIENT or examine(self._path) != self.state:
            return self._until
        return (
            min(self._until, self.began + OPENING_SECONDS)
            if primary(error) == sqlite3.SQLITE_CANTOPEN
            else 0.0
        )

    def _read(self, how: str) -> None:
        """Read page 1 and the schema, as every use of the file does first."""
        with closing(connect(self._path, how)) as connection:
            self._tell(self._enter_query)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("PRAGMA user_version").fetchone()

    def _tell(self, what: Callable[[], None]) -> None:
        """Call `what` in the loop, unless it is closed; then stop."""
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            self._stopped.set()

    def _enter_query(self) -> None:
        if not self._stopped.is_set():
            self._run.enter("query")

    def _say_locked(self) -> None:
        if not self._stopped.is_set():
            self._run.awaited = "other processes to unlock the file"
