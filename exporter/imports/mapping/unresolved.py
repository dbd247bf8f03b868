"""Values that only a variable knows, in keys whose values the catalog checks. They pass through `compose:` instead.

A text of the source stays as it is there: below `compose:`, `$` means what it means in Compose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.values.ports import parse_port_text, split_port
from exporter.imports.compose.expressions import has_variable
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.values import catalog_text

if TYPE_CHECKING:
    from exporter.imports.mapping.draft import Draft
    from exporter.imports.project import ModelPath

_MAPPINGS = ("healthcheck", "ulimits")
"""Keys in which single entries can pass through."""
_VALUES = ("shm_size", "privileged", "read_only", "init", "pull_policy", "stop_grace_period")
_TEXTS = frozenset({"test"})
"""Entries that may hold variables in the catalog."""


def pass_unresolved(found: dict[str, Any], path: ModelPath, draft: Draft) -> dict[str, Any]:
    """Take values out of a service's keys, as they are in the source; return them as keys of `compose:`."""
    passed: dict[str, Any] = {}
    for key in _VALUES:
        if _is_variable(found.get(key)):
            passed[key] = found.pop(key)
            draft.row(Outcome.PASSED, (*path, key), "only a variable knows the value")
    for key in _MAPPINGS:
        entries = found.get(key)
        if not isinstance(entries, dict):
            continue
        taken = {name: each for name, each in entries.items() if name not in _TEXTS and _holds(each)}
        if taken:
            passed[key] = taken
            found[key] = {name: each for name, each in entries.items() if name not in taken}
            for name in taken:
                draft.row(Outcome.PASSED, (*path, key, name), "only a variable knows the value")
    ports = found.get("ports")
    if isinstance(ports, list):
        taken_ports = [(index, port) for index, port in enumerate(ports) if not _is_port(port)]
        if taken_ports:
            passed["ports"] = [port for _, port in taken_ports]
            found["ports"] = [port for port in ports if port not in passed["ports"]]
            for index, _ in taken_ports:
                draft.row(Outcome.PASSED, (*path, "ports", index), "a variable holds more than a port")
    for key in (*_MAPPINGS, "ports"):
        if key in found and not found[key]:
            del found[key]
    return passed


def _is_variable(value: Any) -> bool:
    return isinstance(value, str) and has_variable(value)


def _holds(value: Any) -> bool:
    return any(map(_holds, value.values())) if isinstance(value, dict) else _is_variable(value)


def _is_port(port: Any) -> bool:
    """True unless the catalog cannot read a published port because of a variable in it."""
    if isinstance(port, dict):
        texts = [str(port[key]) for key in ("target", "published") if port.get(key) is not None]
    elif isinstance(port, str) and has_variable(port):
        try:
            long = split_port(catalog_text(port)[0])
        except ValueError:
            return False
        texts = [long[key] for key in ("target", "published") if key in long]
        return _are_ports(texts)
    else:
        return True
    return not any(map(has_variable, texts)) or _are_ports([catalog_text(text)[0] for text in texts])


def _are_ports(texts: list[str]) -> bool:
    try:
        for text in texts:
            parse_port_text(text)
    except ValueError:
        return False
    return True
