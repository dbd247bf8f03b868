"""The `.env` next to a Compose file: which names it defines, and the values of Compose's own variables.

An env file is a language of its own with expansion, quotes and values of several lines, and its values are often
secrets. So nothing else is kept: no other value leaves this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.files import read_in_time

if TYPE_CHECKING:
    from pathlib import Path

OWN_VARIABLES = ("COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME")
"""The variables that say which files are read and how the project is called."""
MAX_BYTES = 1024 * 1024

_ENTRY = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.\-]*)[ \t]*([=:])[ \t]*")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL),
}
_COMMENT = re.compile(r"(?:^|[ \t])#.*")


@dataclass(frozen=True, slots=True)
class DotEnv:
    """The part of a `.env` that is kept."""

    names: frozenset[str] = frozenset()
    own: dict[str, str] = field(default_factory=dict)
    """Values of `OWN_VARIABLES`, unless they refer to other variables."""
    unresolved: frozenset[str] = frozenset()
    """Names of `OWN_VARIABLES` whose value refers to other variables."""


def read_dot_env(file: Path) -> DotEnv | None:
    """Read a `.env`; None if there is none.

    Raises:
        OSError: it is no regular file, is too large or cannot be read; `strerror` is a sentence's end.
    """
    try:
        raw = read_in_time(file, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None  # Compose ignores a folder of this name
    if len(raw) > MAX_BYTES:
        raise OSError(0, f"it is larger than {MAX_BYTES // 1024**2} MiB")
    return _parse(raw.decode("utf-8-sig", "replace").replace("\r\n", "\n"))


def _parse(text: str) -> DotEnv:
    names: set[str] = set()
    own: dict[str, str] = {}
    unresolved: set[str] = set()
    index = 0
    while index < len(text):
        line_end = text.find("\n", index)
        line_end = len(text) if line_end < 0 else line_end
        entry = _ENTRY.match(text, index, line_end)
        if not entry:
            index = line_end + 1
            continue
        name = entry[1]
        quotes = _QUOTED.get(text[entry.end() : entry.end() + 1])
        quoted = quotes.match(text, entry.end()) if quotes else None
        if quoted:
            # A value in quotes may have lines that look like entries.
            line_end = text.find("\n", quoted.end())
            line_end = len(text) if line_end < 0 else line_end
        names.add(name)
        if name in OWN_VARIABLES:
            value = quoted[1] if quoted else _COMMENT.sub("", text[entry.end() : line_end]).strip()
            literal = quoted is not None and text[quoted.start()] == "'"
            if "$" in value and not literal:
                unresolved.add(name)
            else:
                own[name] = value
        index = line_end + 1
    return DotEnv(frozenset(names), own, frozenset(unresolved))
