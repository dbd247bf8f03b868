"""Plain data to a Catalog, with every mistake found at once.

Pydantic stops looking inside a model at its first mistakes, and the checks of the whole catalog need a whole
catalog. So what is wrong is taken out and the rest is validated again, until it stands; a mistake that only the
taking out has made is not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from exporter.catalog.catalog import Catalog
from exporter.catalog.sentences import sentence
from exporter.catalog.yaml_tree import plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from exporter.catalog.probe_parts import Finding
    from exporter.catalog.problems import CatalogPath
    from exporter.catalog.yaml_tree import Node

_MAX_ROUNDS = 20
_KEY = "[key]"


def validate(tree: Node) -> tuple[Catalog | None, list[Finding], set[CatalogPath]]:
    """The catalog, or as much of it as is right; the mistakes; and the paths that were taken out for them."""
    data = plain(tree)
    findings: list[Finding] = []
    removed: set[CatalogPath] = set()
    for _ in range(_MAX_ROUNDS):
        try:
            return Catalog.model_validate(data), findings, removed
        except ValidationError as error:
            above = {path[:depth] for path in removed for depth in range(len(path))}
            for detail in error.errors(include_url=False):
                path = _path(detail, tree)
                if not _caused(detail, path, above):
                    findings.append((path, sentence(detail, Catalog, path)))
                if not _take_out(data, path, detail, removed):
                    return None, findings, removed
    return None, findings, removed


def _path(detail: ErrorDetails, tree: Node) -> CatalogPath:
    """The path as it is written: shorthand has fewer steps than the long form that pydantic saw."""
    loc = tuple(part for part in detail["loc"] if part != _KEY)
    if detail["type"] == "missing":
        loc = loc[:-1]
    return loc[: tree.at(loc)[1]]


def _caused(detail: ErrorDetails, path: CatalogPath, above: set[CatalogPath]) -> bool:
    """Whether the mistake is there only because of what was taken out below it."""
    if detail["type"] not in ("missing", "value_error"):
        return False
    return path in above


def _take_out(data: Any, path: CatalogPath, detail: ErrorDetails, removed: set[CatalogPath]) -> bool:
    if not path:
        return _stand_in(data, detail)
    parent = data
    for depth, part in enumerate(path[:-1]):
        parent = parent.get(part) if isinstance(parent, dict) else None
        if not isinstance(parent, dict):
            # A list keeps its length, or positions after it would be wrong: it goes as a whole.
            return _take_out(data, path[: depth + 1], detail, removed)
    parent.pop(path[-1], None)
    removed.add(path)
    return True


def _stand_in(data: dict[str, Any], detail: ErrorDetails) -> bool:
    """A missing key of the root gets a value, so that the rest can be checked."""
    if detail["type"] != "missing":
        return False
    data[str(detail["loc"][-1])] = "missing"
    return True
