"""A backup of one subject in memory: the Target of an engine's save and the Source of its load."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Copy:
    """A Target in memory. `files`: content by (content, object)."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.facts: dict[str, str] = {}

    @contextmanager
    def file(self, path: str, content: str, what: str = "") -> Iterator[io.BytesIO]:  # noqa: ARG002
        """Store a file."""
        stream = io.BytesIO()
        yield stream
        self.files[content, what] = stream.getvalue()

    def fact(self, key: str, value: str) -> None:
        """Store a fact."""
        self.facts[key] = value

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of files."""
        return tuple(what for kind, what in self.files if kind == content)


class Copied:
    """A Source that returns the content of a Copy."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def objects(self, content: str) -> tuple[str, ...]:
        """Return the objects of files."""
        return self._copy.objects(content)

    @contextmanager
    def open(self, content: str, what: str | None = None) -> Iterator[io.BytesIO]:
        """Return a file."""
        yield io.BytesIO(self._copy.files[content, what or ""])

    def fact(self, key: str) -> str:
        """Return a fact."""
        return self._copy.facts.get(key, "")
