"""Limits of a service: memory, CPUs, processes, open files, devices, GPUs; and how many replicas it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.imports.compose.forms.base import FormError, items_of, mapping_of, optional, text_of, texts_of
from exporter.imports.compose.forms.units import size_bytes

if TYPE_CHECKING:
    from exporter.imports.project import ModelPath


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount as written, and where: `mem_limit` and `deploy.resources.limits.memory` are the same."""

    text: str
    path: ModelPath
    """From the service."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits and reservations of a service, in either of Compose's two forms."""

    cpus: Amount | None = None
    memory: Amount | None = None
    pids: Amount | None = None
    reserved_cpus: Amount | None = None
    reserved_memory: Amount | None = None
    replicas: Amount | None = None


@dataclass(frozen=True, slots=True)
class Ulimit:
    """A limit of the kernel; -1 is none."""

    name: str
    soft: str
    hard: str
    path: ModelPath


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host."""

    source: str
    target: str
    permissions: str
    path: ModelPath


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs, of `gpus` or of `deploy.resources.reservations.devices`."""

    path: ModelPath
    """From the service."""
    count: str | None = None
    """A number or all."""
    ids: tuple[str, ...] = ()
    driver: str | None = None
    capabilities: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def resources(service: dict[str, Any]) -> Resources:
    """Return the limits of a whole service; those below `deploy` win, as they do in Compose.

    Raises:
        FormError: an amount is no single value, or memory is no size.
    """
    amounts = {name: _first(service, paths) for name, paths in _AMOUNTS.items()}
    for name in ("memory", "reserved_memory"):
        amount = amounts[name]
        if amount:
            size_bytes(amount.text, amount.path)
    return Resources(**amounts)


def ulimits(value: Any) -> tuple[Ulimit, ...]:
    """Return the limits of the kernel.

    Raises:
        FormError: one has neither a number nor soft and hard.
    """
    found = []
    for name, entry in mapping_of(value).items():
        if isinstance(entry, dict):
            soft, hard = optional(entry, "soft", (name,)), optional(entry, "hard", (name,))
            if soft is None or hard is None:
                raise FormError("needs both soft and hard", (name,))
            found.append(Ulimit(name, soft, hard, (name,)))
        else:
            text = text_of(entry, (name,))
            found.append(Ulimit(name, text, text, (name,)))
    return tuple(found)


def devices(value: Any) -> tuple[Device, ...]:
    """Return the devices of a service.

    Raises:
        FormError: an entry has no source, or too many parts.
    """
    found = []
    for path, item in items_of(value):
        if isinstance(item, dict):
            source = optional(item, "source", path)
            if not source:
                raise FormError("the key source is missing", path)
            target = optional(item, "target", path) or source
            found.append(Device(source, target, optional(item, "permissions", path) or "rwm", path))
            continue
        parts = text_of(item, path).split(":")
        if len(parts) > _PARTS and not "".join(parts).count("$"):
            # A device of the Container Device Interface, vendor.com/class=name, has no colon.
            raise FormError("has too many colons; write it with source, target and permissions", path)
        source, target, permissions = (*parts, "", "", "")[:_PARTS]
        found.append(Device(source, target or source, permissions or "rwm", path))
    return tuple(found)


def gpus(service: dict[str, Any]) -> tuple[Gpus, ...]:
    """Return the GPUs of a whole service.

    Raises:
        FormError: an entry has another form.
    """
    found = []
    value = service.get("gpus")
    if isinstance(value, str):
        found.append(Gpus(("gpus",), value))
    elif value is not None:
        found += [_gpus(item, ("gpus", *path)) for path, item in items_of(value)]
    reserved = _inner(service, ("deploy", "resources", "reservations", "devices"))
    base: ModelPath = ("deploy", "resources", "reservations", "devices")
    found += [_gpus(item, (*base, *path)) for path, item in items_of(reserved)]
    return tuple(found)


def _gpus(item: Any, path: ModelPath) -> Gpus:
    mapping = mapping_of(item, path)
    count = optional(mapping, "count", path)
    ids, capabilities = texts_of(mapping.get("device_ids")), texts_of(mapping.get("capabilities"))
    return Gpus(
        path,
        count if count is not None or ids else "all",
        ids,
        optional(mapping, "driver", path),
        capabilities,
        mapping_of(mapping.get("options"), (*path, "options")),
    )


def _first(service: dict[str, Any], paths: tuple[ModelPath, ...]) -> Amount | None:
    for path in paths:
        value = _inner(service, path)
        if value is not None:
            return Amount(text_of(value, path), path)
    return None


def _inner(service: dict[str, Any], path: ModelPath) -> Any:
    value: Any = service
    for depth, part in enumerate(path):
        value = mapping_of(value, path[:depth]).get(str(part))
    return value


_LIMITS, _RESERVED = ("deploy", "resources", "limits"), ("deploy", "resources", "reservations")
_AMOUNTS: dict[str, tuple[ModelPath, ...]] = {
    "cpus": ((*_LIMITS, "cpus"), ("cpus",)),
    "memory": ((*_LIMITS, "memory"), ("mem_limit",)),
    "pids": ((*_LIMITS, "pids"), ("pids_limit",)),
    "reserved_cpus": ((*_RESERVED, "cpus"),),
    "reserved_memory": ((*_RESERVED, "memory"), ("mem_reservation",)),
    "replicas": (("deploy", "replicas"), ("scale",)),
}
_PARTS = 3
