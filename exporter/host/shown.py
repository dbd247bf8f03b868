"""Text of a container, an engine or a tool in the form in which a terminal may get it.

A log line can hold escape sequences that rewrite what a person has read, and a name can hold a line break that forges a
row. Everything that does not print is shown as an escape (`\\x1b`), bidirectional controls too.
"""

from __future__ import annotations

NAME_CHARACTERS = 128
LINE_CHARACTERS = 2000


def shown(text: str, limit: int = NAME_CHARACTERS) -> str:
    """Return `text` as one line: what does not print is escaped, and what is too long is cut with `…`."""
    cut = text[:limit]
    line = cut if cut.isprintable() else "".join(map(_character, cut))
    return line + "…" if len(text) > limit else line


def shown_lines(raw: bytes, lines: int, limit: int = LINE_CHARACTERS) -> list[str]:
    """Return the last `lines` lines of `raw`, each as `shown`; tabs become spaces."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\t", "    ")
    return [shown(line, limit) for line in text.rstrip("\n").split("\n")[-lines:]] if text.strip("\n") else []


def _character(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
