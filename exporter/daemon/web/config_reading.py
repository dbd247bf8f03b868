"""Reader of the web configuration's mappings that reports the place of each mistake; without pydantic models, which the
daemon does not load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import CatalogPath, Problem, path_text
from exporter.catalog.reading.yaml_nodes import plain
from exporter.catalog.values.words import kind, shown, suggestion
from exporter.files import read_whole

if TYPE_CHECKING:
    from exporter.catalog.reading.yaml_nodes import Node

MAX_FILE_BYTES = 1024 * 1024


class Sections:
    """A configuration file: its mistakes, and the other files that it names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.files: list[str] = []

    def problem_at(self, line: int, column: int, path: str, sentence: str) -> None:
        self.problems.append(Problem(self.path, line, column, path, sentence))

    def beside(self, name: str) -> str:
        """Return the path of a named file; relative paths start in the folder of the configuration."""
        return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(self.path)), name))  # noqa: PTH100, PTH118, PTH120 - text, not paths of this system alone


class Section:
    """One mapping. If `node` is None, it is missing and has no keys."""

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
        """Return the value as written; None if there is none."""
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
        self.problem(key, "expected a list of strings")
        return []

    def file(self, key: str) -> str | None:
        """Return the path of a file that is named here, if it can be read."""
        name = self.text(key)
        if not name:
            return None
        path = self._sections.beside(name)
        self._sections.files.append(path)
        try:
            read_whole(path, MAX_FILE_BYTES)
        except OSError as error:
            self.problem(key, f"{path} cannot be read: {error.strerror}")
            return None
        return path

    def secret_file(self, key: str) -> bytes | None:
        """Return the content of a file without its last line break."""
        path = self.file(key)
        if path is None:
            if not self.text(key):
                self.problem(key, "write the path of a file with the password")
            return None
        secret = read_whole(path, MAX_FILE_BYTES).removesuffix(b"\n").removesuffix(b"\r")
        if not secret:
            self.problem(key, f"{path} is empty")
            return None
        return secret

    def problem(self, key: str, sentence: str) -> None:
        """Report a mistake at a key, or at the mapping if the key is missing."""
        node = self._node
        place = (node.keys or {}).get(key) if node is not None else None
        if place is None:
            place = (node.line, node.column) if node is not None else (0, 0)
        self._report(*place, (*self._path, key), sentence)

    def _report(self, line: int, column: int, path: CatalogPath, sentence: str) -> None:
        self._sections.problem_at(line, column, path_text(path), sentence)

    def _children(self) -> dict[str, Node]:
        return self._node.value if self._node is not None and isinstance(self._node.value, dict) else {}
