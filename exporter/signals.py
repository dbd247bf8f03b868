"""How a command ends by a signal before it can answer one by itself: at once, and without a traceback.

Python raises KeyboardInterrupt wherever it is, in the middle of an import too. And the first process of a container
has no default for SIGTERM: without a handler the signal is lost. The daemon answers SIGTERM, Ctrl-C and SIGHUP (a
reload) itself, in `exporter.daemon.run`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def end_at_once(number: int, _: FrameType | None) -> None:
    """End as a shell reports a process that the signal ended. There is nothing to clean up yet."""
    os._exit(128 + number)


def end_quietly() -> None:
    """From here on SIGTERM and Ctrl-C end the process at once; a signal that is ignored stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_at_once)


def interruptible() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt: the command has something to clean up."""
    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
