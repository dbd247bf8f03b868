"""Values of a YAML text with their places, and merge keys of mappings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporter.catalog.reading.yaml_scalars import YamlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.catalog.reading.problems import CatalogPath
    from exporter.catalog.reading.yaml_scalars import Scalar


@dataclass(slots=True)
class Node:
    """One value and its place. `keys` holds the place of each key of a mapping."""

    value: dict[str, Node] | list[Node] | Scalar
    line: int
    column: int
    keys: dict[str, tuple[int, int]] | None = None
    size: int = 1
    """How many values it holds, itself included."""
    depth: int = 0
    """How many levels of lists and mappings it holds, itself included."""
    comment: str | None = None
    """The first word, in quotes, of a comment in place of the value: it may have been meant as text."""
    tag: str | None = None
    """A tag of the dialect's own, such as Compose's `!reset`."""

    def at(self, path: CatalogPath) -> tuple[Node, int]:
        """Return the deepest value on `path` that exists, and how many parts of the path lead to it."""
        node = self
        for depth, part in enumerate(path):
            inner = node._child(part)
            if inner is None:
                return node, depth
            node = inner
        return node, len(path)

    def as_written(self, path: CatalogPath) -> CatalogPath:
        """Return as much of the path as exists; without a list's index if its one item is written without a list."""
        written: CatalogPath = ()
        node = self
        for part in path:
            inner = node._child(part)
            if inner is not None:
                node, written = inner, (*written, part)
            elif not isinstance(part, int):
                break
        return written

    def _child(self, part: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and part < len(self.value):
            return self.value[part]
        return None


def plain(node: Node) -> Any:
    """Return plain data: dicts, tuples and scalars."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return tuple(plain(child) for child in value)
    return value


def merge_sources(node: Node, line: int, column: int) -> list[Node]:
    sources = node.value if isinstance(node.value, list) else [node]
    for source in sources:
        if not isinstance(source.value, dict):
            raise YamlError("the merge key << takes a mapping or a list of mappings", line, column)
    return sources


def merge_into(target: Node, sources: list[Node], give_way: Mapping[str, str]) -> None:
    """Add the keys of the sources. Keys of the mapping itself win, then those of the first source that has them.

    A key whose tag is in `give_way` yields to that of a source, which gets the other tag.
    """
    assert isinstance(target.value, dict)  # noqa: S101 - only mappings merge
    assert target.keys is not None  # noqa: S101 - as above
    for source in sources:
        assert isinstance(source.value, dict)  # noqa: S101 - checked where the merge was read
        for key, value in source.value.items():
            own = target.value.get(key)
            if own is None or own.tag in give_way:
                target.value[key] = value if own is None else replace(value, tag=give_way[own.tag or ""])
                target.keys[key] = (source.keys or {})[key]
                target.size += value.size
