"""Prompt for a value on the terminal, twice, without echo. The echo is always restored."""

from __future__ import annotations

import os
import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

from exporter.host.failures import OperationError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 4094
"""A terminal silently cuts longer lines."""


def ask(name: str) -> bytes:
    """Return the typed value.

    Raises:
        OperationError: It is empty, the two entries differ, or the terminal would cut it.
    """
    terminal = sys.stdin.fileno()
    with _silent(terminal):
        first = _line(terminal, f"{name}: ")
        second = _line(terminal, f"{name} again: ")
    if not first:
        raise OperationError(f"{name}: nothing was entered")
    if first != second:
        raise OperationError(f"{name}: the two entries differ")
    if len(first) > LONGEST:
        raise OperationError(f"{name}: the value is too long for a terminal; use --from-file")
    return first


def confirmed(question: str) -> bool:
    """True if the user answers yes at the terminal."""
    _show(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@contextmanager
def _silent(terminal: int) -> Iterator[None]:
    before = termios.tcgetattr(terminal)
    quiet = list(before)
    quiet[3] &= ~(termios.ECHO | termios.ECHONL)
    try:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _line(terminal: int, question: str) -> bytes:
    _show(question)
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(terminal, LONGEST + 2)
        if not piece:
            break
        line += piece
    _show("\n")
    return line.removesuffix(b"\n")


def _show(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
