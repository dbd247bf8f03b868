"""The current step of a run: shown when it begins, and named in the error if a program fails in it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError
from exporter.host.shown import shown_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN_LINES = 20
SHOWN_CHARACTERS = 400
"""Shown of each line of a program's output."""
_TICK_SECONDS = 1.0


@dataclass(slots=True)
class Steps:
    """The steps of a run. `say` shows a line to the user. `written`: bytes of the backup written by this step."""

    say: Callable[[str], None]
    current: str = ""
    written: int = 0

    def begin(self, sentence: str) -> None:
        """Show the next step, such as "dumping docs"."""
        self.current = sentence
        self.written = 0
        self.say(sentence)

    def failed(self, said: bytes = b"") -> BackupsError:
        """Show the last lines of a program's output, and return the error of the step."""
        for line in shown_lines(said, SHOWN_LINES, SHOWN_CHARACTERS):
            self.say(line)
        return BackupsError(f"{self.current} failed")

    @contextmanager
    def ticking(self, show: Callable[[str], None]) -> Iterator[None]:
        """Call `show` every second with the step and the bytes it has written, while the block runs."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(_TICK_SECONDS):
                size = f", {amount(self.written)}" if self.written else ""
                if self.current:
                    show(f"{self.current}{size}")

        thread = threading.Thread(target=tick, name="ticking", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def amount(size: int) -> str:
    """Return a number of bytes for people, such as 1.2 MiB."""
    number, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"


def printable(text: str) -> str:
    """Return `text` with every unprintable character escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )
