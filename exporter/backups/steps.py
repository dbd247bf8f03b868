"""The step that is under way: shown when it begins, and the error where a program fails in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.backups.subjects import BackupsError

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN_LINES = 20
SHOWN_CHARACTERS = 400
"""Of each line that a program said."""


@dataclass(slots=True)
class Steps:
    """`say` shows a line to a person."""

    say: Callable[[str], None]
    current: str = ""

    def begin(self, sentence: str) -> None:
        """Show what is being done now, such as "dumping docs"."""
        self.current = sentence
        self.say(sentence)

    def failed(self, said: bytes = b"") -> BackupsError:
        """Show the last lines of what a program said, and return the error of the step."""
        for line in shown_lines(said):
            self.say(line)
        return BackupsError(f"{self.current} failed")


def shown_lines(said: bytes) -> list[str]:
    """Return the last lines of a program's own words, with control characters as escapes."""
    lines = said.decode(errors="backslashreplace").splitlines()[-SHOWN_LINES:]
    return [printable(line)[:SHOWN_CHARACTERS] for line in lines]


def printable(text: str) -> str:
    """Return `text` with every character that does not print as its escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )
