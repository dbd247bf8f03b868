"""Signals that arrive before a command can handle them itself: it exits at once, without a traceback.

Python raises KeyboardInterrupt wherever it is, even in the middle of an import. The first process of a container has
no default for SIGTERM: without a handler the signal is lost. The daemon handles SIGTERM, Ctrl-C and SIGHUP (reload)
itself, in `exporter.daemon.run`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def end_at_once(number: int, _: FrameType | None) -> None:
    """Exit with the status that a shell reports for a process ended by the signal. There is nothing to clean up yet."""
    os._exit(128 + number)


def end_quietly() -> None:
    """Let SIGTERM and Ctrl-C end the process at once from now on; ignored signals stay ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_at_once)


def interruptible() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from now on: the command has something to clean up."""
    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
