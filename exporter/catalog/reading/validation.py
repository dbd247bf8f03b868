"""Conversion of plain data into a Catalog, with every mistake found at once.

Pydantic stops looking inside a model at its first mistakes, and the checks of the whole catalog need a whole
catalog. So what is wrong is removed and the rest is validated again, until it is valid. A mistake that only the
removal has caused is not reported. Keys that begin with `x-` are removed in the same way, but are no mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from exporter.catalog.base import AbsenceError
from exporter.catalog.catalog import Catalog
from exporter.catalog.compose.specification import EXTENSION
from exporter.catalog.reading.problems import MAX_SHOWN
from exporter.catalog.reading.sentences import sentence
from exporter.catalog.reading.yaml_nodes import plain
from exporter.catalog.values.words import quoted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from exporter.catalog.reading.problems import CatalogPath, Finding
    from exporter.catalog.reading.yaml_nodes import Node

_MAX_ROUNDS = 64
_KEY = "[key]"


@dataclass(slots=True)
class Reduced:
    """The rest of a catalog after removals. `kept`: for each list that lost items, by its path, the positions of the
    other items in the text.
    """

    data: Any
    removed: set[CatalogPath] = field(default_factory=set)
    kept: dict[CatalogPath, list[int]] = field(default_factory=dict)
    ignored: set[CatalogPath] = field(default_factory=set)

    def written(self, path: CatalogPath) -> CatalogPath:
        """Return the path in the text for a path in the rest."""
        found: CatalogPath = ()
        for part in path:
            positions = self.kept.get(found)
            known = positions is not None and isinstance(part, int) and part < len(positions)
            found = (*found, positions[part] if positions is not None and known else part)  # type: ignore[index] # an int, as asked
        return found

    def take_out(self, path: CatalogPath) -> None:
        """Remove what is at a path of the text."""
        self.removed.add(path)
        self.data = self._without(self.data, path, ())

    def ignore(self, paths: set[CatalogPath]) -> bool:
        """Remove keys of a text that are allowed and mean nothing. Return False if they were removed before."""
        new = paths - self.ignored
        for path in new:
            self.data = self._without(self.data, path, ())
        self.ignored |= new
        return bool(new)

    def _without(self, value: Any, path: CatalogPath, above: CatalogPath) -> Any:
        part, *rest = path
        here = (*above, part)
        if isinstance(value, dict) and part in value:
            if rest:
                value[part] = self._without(value[part], tuple(rest), here)
            else:
                del value[part]
        elif isinstance(value, tuple):
            positions = self.kept.setdefault(above, list(range(len(value))))
            if part in positions:
                index = positions.index(part)
                inner = (self._without(value[index], tuple(rest), here),) if rest else ()
                if not rest:
                    del positions[index]
                return (*value[:index], *inner, *value[index + 1 :])
        return value


def validate(tree: Node) -> tuple[Catalog | None, list[Finding], Reduced]:
    """Return the catalog, or the valid part of it; the mistakes; and the rest of the text."""
    left = Reduced(plain(tree))
    found: dict[object, Finding] = {}
    for _ in range(_MAX_ROUNDS):
        try:
            return Catalog.model_validate(left.data), list(found.values()), left
        except ValidationError as error:
            places = [(_path(detail, tree, left), detail) for detail in error.errors(include_url=False)]
            if left.ignore({path for path, detail in places if _is_extension(path, detail)}):
                continue
            above = {path[:depth] for path in left.removed for depth in range(len(path))}
            for path, detail in places:
                key = path, detail["type"], detail["loc"][-1], str(detail.get("ctx"))
                if key not in found and not _caused(detail, path, left.removed, above):
                    # Finding the nearest name takes a millisecond, and no more than these are shown.
                    hint = len(found) < MAX_SHOWN
                    found[key] = path, _sentence(detail, path, tree, hint=hint)
            if not _mend(left, places):
                break
    return None, list(found.values()), left


def _is_extension(path: CatalogPath, detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden" and str(path[-1]).startswith(EXTENSION)


def _sentence(detail: ErrorDetails, path: CatalogPath, tree: Node, *, hint: bool) -> str:
    text = sentence(detail, Catalog, path, hint=hint)
    node, depth = tree.at(path)
    if depth == len(path) and node.value is None and node.comment:
        return f"{text}; {node.comment} begins a comment, so write the text in quotes"
    return absence(text, node) if isinstance(detail.get("ctx", {}).get("error"), AbsenceError) else text


def absence(text: str, node: Node) -> str:
    """Return the sentence on a missing value of a mapping; it may be there, after a #."""
    for key, inner in node.value.items() if isinstance(node.value, dict) else ():
        if inner.value is None and inner.comment:
            return f"{text}; {quoted(key)} is empty, since {inner.comment} begins a comment"
    return text


def _path(detail: ErrorDetails, tree: Node, left: Reduced) -> CatalogPath:
    """Return the path as it is written: shorthand has fewer steps than the long form that pydantic saw."""
    loc = detail["loc"][: -1 if detail["type"] == "missing" else None]
    return tree.as_written(left.written(tuple(part for part in loc if part != _KEY)))


def _caused(
    detail: ErrorDetails, path: CatalogPath, removed: set[CatalogPath], above: set[CatalogPath]
) -> bool:
    """True if the mistake exists only because of what was removed below it."""
    if detail["type"] == "missing":
        return (*path, detail["loc"][-1]) in removed
    return path in above and isinstance(detail.get("ctx", {}).get("error"), AbsenceError)


def _mend(left: Reduced, places: list[tuple[CatalogPath, ErrorDetails]]) -> bool:
    """Remove what is wrong, innermost first: an item itself is removed only after its parts. Return False if nothing
    can be removed.
    """
    deep = {path[:depth] for path, _ in places for depth in range(len(path))}
    mended = False
    for path, detail in places:
        if not path:
            if detail["type"] != "missing":
                return False
            # A missing key of the root gets a value, so that the rest can be checked.
            left.data[str(detail["loc"][-1])] = "missing"
            mended = True
        elif path not in deep and path not in left.removed:
            left.take_out(path)
            mended = True
    return mended
