"""The text of one Compose file as a tree of values with places, by the catalog's YAML reader and behind its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.reading.problems import Problem
from exporter.catalog.reading.yaml_scalars import YamlError
from exporter.catalog.reading.yaml_tree import Dialect, parse_documents
from exporter.files import read_in_time
from exporter.imports.compose.scalars import scalar
from exporter.imports.project import Place, SourceError, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.catalog.reading.yaml_nodes import Node
    from exporter.imports.project import Source

MAX_BYTES = 1024 * 1024
"""Twenty times the largest file of a public application that we know of."""
RESET, OVERRIDE = "!reset", "!override"

_COMPOSE = Dialect(
    scalar,
    empty="is empty; a Compose file has the key services",
    tags=None,
    give_way={
        RESET: OVERRIDE
    },  # Compose drops the key before it merges mappings, and the merged one replaces others
)


def read_documents(
    source: Source, dialect: Dialect = _COMPOSE, prepare: Callable[[str], str] = str
) -> tuple[list[Value], int]:
    """Read a file's documents, each of which is a mapping. Return them, and how many values they hold.

    `prepare` may change the text before.

    Raises:
        SourceError: it cannot be read, or is not that.
    """
    assert source.file is not None  # noqa: S101 - the reader gives every source its file
    try:
        documents, duplicates = parse_documents(prepare(_text(source.file, source.name)), dialect)
    except YamlError as error:
        raise SourceError([_problem(source.name, error)]) from None
    if duplicates:
        raise SourceError(_problem(source.name, error) for error in duplicates)
    converter = _Converter(source)
    values = [converter.value(document, document.line, document.column) for document in documents]
    return values, sum(document.size for document in documents)


class _Converter:
    """Turns nodes into values. Nodes that aliases share stay shared."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: dict[int, dict[str, Value] | list[Value]] = {}
        """By the identity of nodes, which the documents keep alive."""

    def value(self, node: Node, line: int, column: int) -> Value:
        content = node.value
        place = Place(self._source, line, column)
        if not isinstance(content, dict | list):
            return Value(content, place, node.tag)
        made = self._made.get(id(content))
        if made is None:
            made = self._mapping(node) if isinstance(content, dict) else self._list(content)
            self._made[id(content)] = made
        return Value(made, place, node.tag)

    def _mapping(self, node: Node) -> dict[str, Value]:
        assert isinstance(node.value, dict)  # noqa: S101 - checked by the caller
        keys = node.keys or {}
        return {key: self.value(inner, *keys[key]) for key, inner in node.value.items()}

    def _list(self, items: list[Node]) -> list[Value]:
        return [self.value(inner, inner.line, inner.column) for inner in items]


def _problem(name: str, error: YamlError) -> Problem:
    return Problem(name, error.line, error.column, error.path, error.sentence)


def _text(file: Path, name: str) -> str:
    try:
        raw = read_in_time(file, MAX_BYTES)
    except FileNotFoundError:
        raise SourceError([Problem(name, 0, 0, "", "there is no such file")]) from None
    except OSError as error:
        raise SourceError([Problem(name, 0, 0, "", f"cannot be read: {error.strerror}")]) from None
    except ValueError:  # a NUL, as COMPOSE_FILE of a .env may hold
        raise SourceError([Problem(name, 0, 0, "", "is no path of a file")]) from None
    if len(raw) > MAX_BYTES:
        raise SourceError([Problem(name, 0, 0, "", f"is larger than {MAX_BYTES // 1024**2} MiB")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SourceError([Problem(name, line, 1, "", "is not UTF-8 text")]) from None
