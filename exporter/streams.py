"""Standard streams of a command: closed streams, names that are not valid text, full disks, pipes that close early."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

from exporter.options import ANSWER_IS_NO

if TYPE_CHECKING:
    from collections.abc import Callable


def run_with_streams(command: Callable[[], None]) -> None:
    """Run a command and exit. A full disk or a pipe that closes early gives no traceback."""
    open_streams()
    status: str | int | None = 0
    try:
        command()
    except SystemExit as end:
        status = end.code
    except OSError as error:
        status = _said(error)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _said(error) or status
    sys.exit(status)


def open_streams() -> None:
    """Make the standard streams usable: the number of a closed one would go to the next file that is opened, and a
    name that is not valid text must not end the command.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _said(error: OSError) -> int:
    """Print what failed, except a pipe that closed early (`exporter schema | head`), and return the exit status."""
    if not isinstance(error, BrokenPipeError):
        where = "standard output" if error.filename is None else error.filename
        with contextlib.suppress(OSError):
            print(f"{where}: {error.strerror or error}", file=sys.stderr)
    return ANSWER_IS_NO
