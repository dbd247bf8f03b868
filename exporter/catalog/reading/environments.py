"""Overlays: an environment overrides values of the rest of the catalog.

Mappings are merged key by key; any other value replaces the previous one; null removes a key, so its default applies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.catalog import Catalog
from exporter.catalog.keys.environments import NOT_OVERLAID, Environment
from exporter.catalog.reading.yaml_nodes import Node
from exporter.catalog.values.words import quoted, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.catalog.reading.problems import CatalogPath, Finding

ENVIRONMENT_KEYS = frozenset(Environment.model_fields)
OVERLAY_KEYS = frozenset(Catalog.model_fields) - ENVIRONMENT_KEYS - NOT_OVERLAID


_ENOUGH = {
    "services": frozenset({"image", "build", "probes", "health", "containers", "managed"}),
    "stores": frozenset({"engine"}),
}
"""A service or store that only an overlay has needs one of these keys."""


def overlaid(root: Node, environment: str | None) -> Node:
    """Return the catalog of one environment (`None`: the base), with each environment's own settings only."""
    assert isinstance(root.value, dict)  # noqa: S101 - the parser gives a mapping
    base = Node(dict(root.value), root.line, root.column, root.keys)
    environments = _child(root, "environments")
    if environments is None or not isinstance(environments.value, dict):
        return base
    own = {name: _only(node, OVERLAY_KEYS, keep=False) for name, node in environments.value.items()}
    base.value["environments"] = Node(own, environments.line, environments.column, environments.keys)  # type: ignore[index, call-overload] # a mapping, as asserted
    overlay = environments.value.get(environment) if environment else None
    if overlay is None or not isinstance(overlay.value, dict):
        return base
    return _merged(base, _only(overlay, OVERLAY_KEYS, keep=True))


def misnamed(root: Node, environment: str | None) -> Iterator[Finding]:
    """Yield services that only an overlay has, with nothing to run or probe: probably misspelled names."""
    for section, enough in _ENOUGH.items():
        base = root.at((section,))[0] if root.at((section,))[1] else None
        overlay, found = root.at(("environments", environment or "", section))
        if found < 3 or not isinstance(overlay.value, dict):
            continue
        known = list(base.value) if base and isinstance(base.value, dict) else []
        for name, node in overlay.value.items():
            written = node.value.keys() if isinstance(node.value, dict) else set()
            if name not in known and node.value is not None and not enough & written:
                what = section.removesuffix("s")
                yield (section, name), f"unknown {what} {quoted(name)}; {suggestion(name, known)}"


def commented(root: Node, environment: str | None) -> Iterator[Finding]:
    """Yield receivers that a # has emptied: nobody would be notified, without any warning."""
    for above in ((), ("environments", environment or "")):
        owners, found = root.at((*above, "owners"))
        if found <= len(above) or not isinstance(owners.value, dict):
            continue
        for name, owner in owners.value.items():
            for kind, node in owner.value.items() if isinstance(owner.value, dict) else ():
                if node.value is None and node.comment:
                    sentence = (
                        f"is empty, since {node.comment} begins a comment; write the text in quotes, such as "
                    )
                    yield ("owners", name, kind), f"{sentence}{node.comment}"


def locate(
    root: Node, merged: Node, environment: str | None, path: CatalogPath
) -> tuple[CatalogPath, int, int]:
    """Return where the value on `path` of a merged catalog was written: its path in the file, line and column.

    A missing value gets the place of the deepest value on its path that exists.
    """
    path = merged.as_written(path)
    node, depth = merged.at(path)
    parent = merged.at(path[: depth - 1])[0] if depth else merged
    origin: CatalogPath = ()
    if environment and depth:
        candidate: CatalogPath = ("environments", environment)
        overlay, found = root.at((*candidate, *path[:depth]))
        if found == depth + len(candidate) and overlay is node:
            origin = candidate
    line, column = (
        (parent.keys or {}).get(str(path[depth - 1]), (node.line, node.column))
        if depth
        else (node.line, node.column)
    )
    return (*origin, *path[:depth]), line, column


def _child(node: Node, key: str) -> Node | None:
    return node.value.get(key) if isinstance(node.value, dict) else None


def _only(node: Node, keys: frozenset[str], *, keep: bool) -> Node:
    """Return the node with only, or without, these keys. Other keys stay, so that they are reported as unknown."""
    if not isinstance(node.value, dict):
        return node
    return Node(
        {key: child for key, child in node.value.items() if (key in keys) == keep},
        node.line,
        node.column,
        node.keys,
    )


def _merged(base: Node, overlay: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(overlay.value, dict):
        return overlay
    value = dict(base.value)
    keys = dict(base.keys or {})
    for key, node in overlay.value.items():
        if node.value is None:
            value.pop(key, None)
            continue
        value[key] = _merged(value[key], node) if key in value else node
        if value[key] is node:
            keys[key] = (overlay.keys or {})[key]
    return Node(value, base.line, base.column, keys)
