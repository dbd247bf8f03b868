"""Progress output of a command: steps with their time, a live line on a terminal, plain lines elsewhere.

Everything goes to standard error; a command's result and its `--json` go to standard output.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

LINE_SECONDS = 5.0
"""Without a terminal, a waiting command prints a line this often."""


class Screen:
    """The output of one command. `step`: the current step, for messages about an interruption."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._begun = time.monotonic()
        self._line_at = 0.0
        self._status: Status | None = None
        self.step = ""

    @property
    def elapsed(self) -> str:
        """Return the time since the command began, such as 1:05."""
        seconds = int(time.monotonic() - self._begun)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def enter(self, step: str) -> None:
        """Print the beginning of a step."""
        self.step = step
        self._line_at = 0.0
        self._print(f"== {step}")

    def say(self, sentence: str) -> None:
        """Print a line. Untrusted text must go through `shown` first."""
        self._print(sentence)

    def warn(self, sentence: str) -> None:
        """Print a warning."""
        self._print(f"warning: {sentence}")

    def waiting(self, sentence: str) -> None:
        """Show what the command is waiting for: in the live line, or without a terminal every LINE_SECONDS."""
        line = f"{sentence} ({self.elapsed})"
        if self._status is not None:
            self._status.update(escape(line))
        elif time.monotonic() - self._line_at >= LINE_SECONDS:
            self._line_at = time.monotonic()
            self._print(f"   {line}")

    @contextmanager
    def live(self, sentence: str) -> Iterator[None]:
        """Show a spinner with `sentence` during the block, on a terminal only. Nested calls share the first one."""
        if self._status is not None or not self._console.is_terminal:
            yield
            return
        with self._console.status(escape(sentence)) as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False)
