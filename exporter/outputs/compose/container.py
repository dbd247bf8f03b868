"""What every container of the application has: limits, hardening, log rotation, restarts, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs.compose.text import interpolated, literal
from exporter.outputs.durations import engine_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.healthcheck import HealthCheck
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.resources import Resources

TMPFS_BYTES = 64 * 1024 * 1024
"""Of one writable folder in memory. It counts towards the container's memory limit, when it is used."""


def hardened(user: str, *, read_only: bool = True) -> dict[str, Any]:
    """A user without rights, no way to get any, and a root file system that stays as it was built."""
    return {
        "user": interpolated(user),
        "read_only": read_only,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def limits(catalog: Catalog, own: Resources) -> dict[str, Any]:
    """Limits as keys of the service, which both versions of Compose honour: v1 ignores those under `deploy`."""
    default = catalog.defaults.resources
    values = {
        "cpus": own.cpu or default.cpu,
        "mem_limit": own.memory or default.memory,
        "pids_limit": own.processes or default.processes,
    }
    return {key: value for key, value in values.items() if value is not None}


def log_rotation(catalog: Catalog) -> dict[str, Any]:
    rotation = catalog.defaults.logging
    options = {"max-size": str(rotation.max_size), "max-file": str(rotation.max_files)}
    return {"driver": "json-file", "options": options}


def shared_keys(catalog: Catalog, container: Container) -> dict[str, Any]:
    """Keys of a Compose service that do not depend on what it is."""
    keys: dict[str, Any] = {
        "restart": container.restart or catalog.defaults.restart,
        **limits(catalog, container.resources),
        "logging": log_rotation(catalog),
    }
    if container.labels:
        keys["labels"] = {key: interpolated(value) for key, value in container.labels.items()}
    if container.stop_grace:
        keys["stop_grace_period"] = engine_duration(container.stop_grace)
    return keys


def health(command: Sequence[str], times: HealthCheck) -> dict[str, Any]:
    """`healthcheck` that runs the command without a shell."""
    return {
        "test": ["CMD", *(literal(part) for part in command)],
        "interval": engine_duration(times.interval),
        "timeout": engine_duration(times.timeout),
        "retries": times.retries,
        "start_period": engine_duration(times.start_period),
    }


def in_memory(folders: Iterable[str], taken: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Writable folders in memory, but for those at which something else is mounted: for everyone, without programs.

    The long form, since a path may hold what separates the options of the short one.
    """
    mounted = set(taken)
    return [
        {"type": "tmpfs", "target": literal(folder), "tmpfs": {"size": TMPFS_BYTES}}
        for folder in dict.fromkeys(folders)
        if folder not in mounted
    ]
