"""Plain data to a Catalog, with every mistake found at once.

Pydantic stops looking inside a model at its first mistakes, and the checks of the whole catalog need a whole
catalog. So what is wrong is taken out and the rest is validated again, until it is valid; a mistake that only the
taking out has made is not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from exporter.catalog.base import AbsenceError
from exporter.catalog.catalog import Catalog
from exporter.catalog.problems import MAX_SHOWN
from exporter.catalog.sentences import sentence
from exporter.catalog.yaml_tree import plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from exporter.catalog.probe_parts import Finding
    from exporter.catalog.problems import CatalogPath
    from exporter.catalog.yaml_tree import Node

_MAX_ROUNDS = 64
_KEY = "[key]"


def validate(tree: Node) -> tuple[Catalog | None, list[Finding], set[CatalogPath]]:
    """The catalog, or as much of it as is right; the mistakes; and the paths that were taken out for them."""
    data = plain(tree)
    found: dict[object, Finding] = {}
    removed: set[CatalogPath] = set()
    for _ in range(_MAX_ROUNDS):
        try:
            return Catalog.model_validate(data), list(found.values()), removed
        except ValidationError as error:
            details = error.errors(include_url=False)
            places = [(_path(detail, tree), detail) for detail in details]
            above = {path[:depth] for path in removed for depth in range(len(path))}
            for path, detail in places:
                key = path, detail["type"], detail["loc"][-1], str(detail.get("ctx"))
                if key not in found and not _caused(detail, path, removed, above):
                    # Finding the nearest name takes a millisecond, and no more than these are shown.
                    hint = len(found) < MAX_SHOWN
                    found[key] = path, _sentence(detail, path, tree, hint=hint)
            taken = len(removed)
            if not _take_out(data, places, removed) or len(removed) == taken:
                break
    return None, list(found.values()), removed


def _sentence(detail: ErrorDetails, path: CatalogPath, tree: Node, *, hint: bool) -> str:
    text = sentence(detail, Catalog, path, hint=hint)
    node, depth = tree.at(path)
    if depth == len(path) and node.value is None and node.comment:
        text += f"; {node.comment} begins a comment, so write the text in quotes"
    return text


def _path(detail: ErrorDetails, tree: Node) -> CatalogPath:
    """The path as it is written: shorthand has fewer steps than the long form that pydantic saw."""
    path: CatalogPath = ()
    for part in detail["loc"][: -1 if detail["type"] == "missing" else None]:
        if part == _KEY:
            continue
        if tree.at((*path, part))[1] > len(path):
            path = (*path, part)
        elif not isinstance(part, int):
            break
    return path


def _caused(
    detail: ErrorDetails, path: CatalogPath, removed: set[CatalogPath], above: set[CatalogPath]
) -> bool:
    """True if the mistake is there only because of what was taken out below it."""
    if detail["type"] == "missing":
        return (*path, detail["loc"][-1]) in removed
    return path in above and isinstance(detail.get("ctx", {}).get("error"), AbsenceError)


def _take_out(data: Any, places: list[tuple[CatalogPath, ErrorDetails]], removed: set[CatalogPath]) -> bool:
    """Take out what is wrong; a list only when nothing inside of its items is left to be taken out. False if a mistake
    cannot be taken out."""
    lists: set[CatalogPath] = set()
    mended: set[CatalogPath] = set()
    for path, detail in places:
        if not path:
            if not _stand_in(data, detail, removed):
                return False
            continue
        parent, holder = _parent(data, path)
        if isinstance(parent, dict) and holder is None:
            parent.pop(path[-1], None)
            removed.add(path)
            mended |= {path[:depth] for depth in range(len(path))}
        else:
            lists.add(holder or path[:-1])
    for path in lists - mended:
        parent, _ = _parent(data, path)
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
        removed.add(path)
    return True


def _parent(data: Any, path: CatalogPath) -> tuple[Any, CatalogPath | None]:
    """What holds the last part of the path; and the path of the list, if that has to go as a whole: without one of its
    items the positions of the others would be wrong."""
    holder: CatalogPath | None = None
    parent = data
    for depth, part in enumerate(path[:-1]):
        if isinstance(parent, tuple):
            parent = parent[part] if isinstance(part, int) and part < len(parent) else None
        else:
            parent = parent.get(part) if isinstance(parent, dict) else None
        if isinstance(parent, tuple):
            holder = path[: depth + 1]
        elif isinstance(parent, dict):
            holder = None
        else:
            return None, holder or path[: depth + 1]
    return parent, holder


def _stand_in(data: dict[str, Any], detail: ErrorDetails, removed: set[CatalogPath]) -> bool:
    """A missing key of the root gets a value, so that the rest can be checked."""
    if detail["type"] != "missing":
        return False
    name = str(detail["loc"][-1])
    data[name] = "missing"
    removed.add((name,))
    return True
