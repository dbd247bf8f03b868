"""Stop of the process within two seconds after a signal, even if something hangs.

A thread waits for the signal. It ends the process if it has not ended by then: because a run cannot be cancelled, a
thread waits for a hanging disk, or the event loop is blocked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from exporter.daemon.loading import kill_children
from exporter.logs import flush

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

GUARD_SECONDS = 1.7
"""Seconds from the signal until the process is ended. The rest of the two seconds is reserve for a busy host."""
FLUSH_SECONDS = 0.1

log = logging.getLogger(__name__)


class Stopping:
    """Handler of SIGTERM and SIGINT. `asked`: True after the first one."""

    def __init__(self) -> None:
        self.asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._act: Callable[[], object] | None = None
        self._quiet = threading.Lock()
        self._quiet.acquire()

    def take_signals(self) -> None:
        """Install the handlers. Until `by` is called, a signal ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def by(self, act: Callable[[], object]) -> None:
        """Make a signal call `act` on the running loop. The process must then end soon."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._guard, name="stopping", daemon=True).start()
        self._act = act
        if self.asked:
            act()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Python's signature
        if self._loop is None:
            os._exit(0)
        if self.asked:
            return
        self.asked = True
        self._quiet.release()
        with suppress(RuntimeError):  # the loop has just ended by itself
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._act is not None:
            self._act()

    def _guard(self) -> None:
        self._quiet.acquire()
        time.sleep(GUARD_SECONDS)
        log.warning("stopped without waiting for tasks that do not end")
        flush(FLUSH_SECONDS)
        kill_children()
        os._exit(0)
