"""Laying `compose:` over what is generated, by the rules by which Compose merges a second file over a first.

Mappings are merged key by key, lists are joined, other values are replaced. A list of NAME=value or of names is the
same as a mapping. Items that mean the same, such as two mounts at one target, are one: the later wins. Unlike in
Compose, null removes a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.values.variables import fields
from exporter.outputs.yaml_text import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.catalog.reading.problems import CatalogPath

Path = tuple[str, ...]

_REPLACED = frozenset({("command",), ("entrypoint",), ("healthcheck", "test")})
_PAIRS = frozenset(
    {
        *(("environment",), ("labels",), ("annotations",), ("sysctls",), ("deploy", "labels")),
        *(("build", key) for key in ("args", "labels", "additional_contexts")),
    }
)
"""Mappings that may be lists of NAME=value."""
_NAMES = frozenset({("depends_on",), ("networks",), ("models",)})
"""Mappings that may be lists of names."""
_NAMED: Mapping[Path, Any] = {("depends_on",): {"condition": "service_started"}}
"""What a name alone means; default: nothing."""
_HOSTS = frozenset({("extra_hosts",), ("build", "extra_hosts")})
_SHORT: Mapping[Path, str] = {("build",): "context"}
"""Mappings for which a text is short, and the key that it sets."""


class NoRemovalError(Exception):
    """A null that removes nothing, at a path below `compose:`."""

    def __init__(self, path: CatalogPath) -> None:
        super().__init__()
        self.path = path


def laid_over(base: Any, over: Any, path: Path = ()) -> Any:
    """Return `over` merged over `base`; `path` is that of both in a service, volume or network.

    Raises:
        NoRemovalError: an entry of a mapping by names is null, and there is no such entry to remove.
    """
    if isinstance(base, Note):
        return Note(base.text, laid_over(base.value, over, path))
    if path in _REPLACED:
        return over
    if path in _PAIRS or path in _NAMES:
        as_mapping = _pairs if path in _PAIRS else _names
        return _mapping(as_mapping(base, path), as_mapping(over, path), path, nulls=isinstance(over, dict))
    if path in _HOSTS:
        removed = {name for name, item in over.items() if item is None} if isinstance(over, dict) else ()
        kept = [item for item in _host_list(base) if str(item).partition(":")[0] not in removed]
        return _joined(kept, _host_list(without_nulls(over)), path)
    if path in _SHORT:
        base, over = (value if isinstance(value, dict) else {_SHORT[path]: value} for value in (base, over))
    if path == ("logging",) and over.get("driver", base.get("driver")) != base.get("driver"):
        # Options of one driver mean nothing to another.
        return over
    if isinstance(base, dict) and isinstance(over, dict):
        return _mapping(base, over, path, nulls=True)
    if isinstance(base, list | tuple) or (isinstance(over, list) and path):
        return _joined(_list(base), _list(over), path)
    return over


def _mapping(base: dict[str, Any], over: dict[str, Any], path: Path, *, nulls: bool) -> dict[str, Any]:
    """Merge two mappings. `nulls`: null was written, and removes."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and nulls:
            if key not in merged and (path in _PAIRS or path in _NAMES):
                raise NoRemovalError((*path, key))
            merged.pop(key, None)
        elif key in merged and merged[key] is not None and value is not None:
            merged[key] = laid_over(merged[key], value, (*path, key))
        elif key not in merged or value is not None or nulls:
            merged[key] = without_nulls(value)
    return merged


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that are null: where nothing is generated, they remove nothing."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


def _pairs(value: Any, _path: Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    split = (item.partition("=") for item in _list(value))
    return {name: text if sign else None for name, sign, text in split}


def _names(value: Any, path: Path) -> dict[str, Any]:
    return value if isinstance(value, dict) else {name: _NAMED.get(path) for name in _list(value)}


def _host_list(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return _list(value)
    return [f"{host}:{address}" for host, found in value.items() for address in _list(found)]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _joined(base: list[Any], over: list[Any], path: Path) -> list[Any]:
    """Join two lists; an item that stands for one of the first takes its place."""
    index = _ITEMS.get(path, repr)
    found = {index(item): item for item in base}
    for item in over:
        found[index(item)] = item
    return list(found.values())


def _target(item: Any) -> object:
    """Return the path inside the container of a mount, device or folder in memory, in its long or short form."""
    if isinstance(item, dict):
        return item.get("target")
    parts = fields(item)
    return parts[1] if len(parts) > 1 else parts[0]


def _granted(item: Any) -> object:
    """Return the name of the file of a secret or config inside the container."""
    return item.get("target", item.get("source")) if isinstance(item, dict) else item


def _in_memory(item: Any) -> object:
    return str(item).partition(":")[0]


def _environment_file(item: Any) -> object:
    return item.get("path") if isinstance(item, dict) else item


def _subnet(item: Any) -> object:
    return item.get("subnet")


_ITEMS: Mapping[Path, Callable[[Any], object]] = {
    ("volumes",): _target,
    ("devices",): _target,
    ("tmpfs",): _in_memory,
    ("secrets",): _granted,
    ("configs",): _granted,
    ("env_file",): _environment_file,
    ("ipam", "config"): _subnet,
}
"""What tells items of a list apart; default: all of it."""
