"""Text of a container, an engine or a tool, made safe for a terminal.

A log line can contain escape sequences that rewrite earlier output, and a name can contain a line break that forges a
row. Every unprintable character is shown as an escape (`\\x1b`), also bidirectional controls.
"""

from __future__ import annotations

NAME_CHARACTERS = 128
LINE_CHARACTERS = 2000


def shown(text: str, limit: int = NAME_CHARACTERS) -> str:
    """Return `text` as one line: unprintable characters are escaped, and a long text is cut with `…`."""
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
