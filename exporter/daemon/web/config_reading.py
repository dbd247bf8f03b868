"""Mappings of the web configuration, read with the place of each mistake; without models, which no daemon loads."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import CatalogPath, Problem, path_text
from exporter.catalog.reading.yaml_tree import plain
from exporter.catalog.values.words import kind, shown, suggestion

if TYPE_CHECKING:
    from exporter.catalog.reading.yaml_tree import Node

MAX_FILE_BYTES = 1024 * 1024


class Sections:
    """One file that is read: its mistakes, and the other files that it names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.files: list[str] = []

    def problem_at(self, line: int, column: int, path: str, sentence: str) -> None:
        self.problems.append(Problem(self.path, line, column, path, sentence))

    def beside(self, name: str) -> str:
        """Return the path of a file that is named: a relative one starts from the folder of the configuration."""
        return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(self.path)), name))  # noqa: PTH100, PTH118, PTH120 - text, not paths of this system alone


class Section:
    """One mapping; `node` is none where there is none, and then nothing is in it."""

    def __init__(self, sections: Sections, node: Node | None, path: CatalogPath) -> None:
        self._sections = sections
        self._path = path
        self._node = node
        if node is not None and node.value is not None and not isinstance(node.value, dict):
            self._report(node.line, node.column, path, f"expected a mapping, found {kind(plain(node))}")
            self._node = None

    @property
    def keys(self) -> list[str]:
        return list(self._children())

    def has(self, key: str) -> bool:
        return key in self._children()

    def holds_mapping(self, key: str) -> bool:
        return self.has(key) and isinstance(self._children()[key].value, dict)

    def only(self, *known: str) -> None:
        """Report every other key."""
        for key in self._children():
            if key not in known:
                self.problem(key, f"unknown key; {suggestion(key, known)}")

    def section(self, key: str) -> Section:
        return Section(self._sections, self._children().get(key), (*self._path, key))

    def scalar(self, key: str) -> object:
        """Return the value as it is; none where there is none."""
        node = self._children().get(key)
        return None if node is None else plain(node)

    def text(self, key: str) -> str | None:
        value = self.scalar(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        self.problem(key, f"expected text, found {kind(value)}")
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.scalar(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.problem(key, f"expected true or false, found {shown(value)}")
        return default

    def number(self, key: str) -> int | None:
        value = self.scalar(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.problem(key, f"expected a whole number, found {shown(value)}")
        return None

    def texts(self, key: str) -> list[str]:
        value = self.scalar(key)
        if value is None:
            return []
        if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            return list(value)
        self.problem(key, "expected a list of texts")
        return []

    def file(self, key: str) -> str | None:
        """Return the path of a file that is named here, if it is one that can be read."""
        name = self.text(key)
        if not name:
            return None
        path = self._sections.beside(name)
        self._sections.files.append(path)
        try:
            read_regular(path)
        except OSError as error:
            self.problem(key, f"{path} cannot be read: {error.strerror}")
            return None
        return path

    def secret_file(self, key: str) -> bytes | None:
        """Return what a file holds, without its last line break."""
        path = self.file(key)
        if path is None:
            if not self.text(key):
                self.problem(key, "this names the file of a password")
            return None
        secret = read_regular(path).removesuffix(b"\n").removesuffix(b"\r")
        if not secret:
            self.problem(key, f"{path} is empty")
            return None
        return secret

    def problem(self, key: str, sentence: str) -> None:
        """Report a mistake at a key, or at the mapping where the key is missing."""
        node = self._node
        place = (node.keys or {}).get(key) if node is not None else None
        if place is None:
            place = (node.line, node.column) if node is not None else (0, 0)
        self._report(*place, (*self._path, key), sentence)

    def _report(self, line: int, column: int, path: CatalogPath, sentence: str) -> None:
        self._sections.problem_at(line, column, path_text(path), sentence)

    def _children(self) -> dict[str, Node]:
        return self._node.value if self._node is not None and isinstance(self._node.value, dict) else {}


def read_regular(path: str) -> bytes:
    """Return what a file holds. A pipe in its place is not waited for.

    Raises:
        OSError: it cannot be read; its `strerror` says why.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a file")
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(raw) > MAX_FILE_BYTES:
        raise OSError(0, f"it is larger than {MAX_FILE_BYTES} bytes")
    return raw
