"""From a signal to the end of the process, within two seconds, whatever is stuck.

A thread waits for the signal, and ends the process when a run that does not cancel, a thread that waits for a dead
disk, or the loop itself has not let it end by then.
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
"""From the signal until nobody is waited for any more: of two seconds, some go to a busy machine."""
FLUSH_SECONDS = 0.1

log = logging.getLogger(__name__)


class Stopping:
    """Takes SIGTERM and SIGINT. `asked`: one has come."""

    def __init__(self) -> None:
        self.asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._act: Callable[[], object] | None = None
        self._quiet = threading.Lock()
        self._quiet.acquire()

    def take_signals(self) -> None:
        """From here on a signal ends the process: at once, as long as there is nothing to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def by(self, act: Callable[[], object]) -> None:
        """From here on a signal calls `act` on the running loop, where the process is expected to end soon."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._guard, name="stopping", daemon=True).start()
        self._act = act
        if self.asked:
            act()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - how Python calls it
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
        log.warning("stopped without what does not end by itself")
        flush(FLUSH_SECONDS)
        kill_children()
        os._exit(0)
