"""Files that a text in `include` or `extends` means: local ones, and those that Compose would fetch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.imports.compose.expressions import by_default, has_variable
from exporter.imports.project import Note, mistake

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.imports.project import ModelPath, Value

_REMOTE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*://|git@|[^/\\]+@[^/\\]+:|github\.com/|[^#]*\.git(?:#|$)|oci:", re.IGNORECASE
)


def local_file(value: Value, folder: Path, path: ModelPath, notes: list[Note]) -> Path | None:
    """Return the local file that a text names. None with a note: it is remote, or which one depends on a variable.

    Raises:
        SourceError: it is no path.
    """
    text = value.content
    if not isinstance(text, str) or not text or "\0" in text:
        raise mistake("must be the path of a file", value.place, path)
    if has_variable(text):
        by_name = by_default(text)
        if by_name is None:
            notes.append(Note(f"{quoted(text)} depends on a variable and was not read", path, value.place))
            return None
        notes.append(Note(f"its default {quoted(by_name)} was read", path, value.place))
        text = by_name
    if _REMOTE.match(text):
        notes.append(
            Note("remote files are not fetched; what this one defines is missing here", path, value.place)
        )
        return None
    return folder / os.path.expanduser(text)  # noqa: PTH111 - which refuses an unknown ~user
