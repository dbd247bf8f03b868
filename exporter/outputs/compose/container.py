"""What every container of the application has: limits, hardening, log rotation, restarts, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.values.commands import Unsplit
from exporter.outputs.compose.text import interpolated, literal
from exporter.outputs.durations import engine_duration, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.hardening import Hardening
    from exporter.catalog.keys.container.healthcheck import HealthCheck
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.resources import Resources
    from exporter.catalog.values.commands import Command

TEMPORARY = "/tmp"  # noqa: S108 - a path inside the container
TMPFS_SIZE = 64 * 1024 * 1024
"""Of one writable folder in memory. It counts towards the container's memory limit, when it is used."""
_TMPFS_MODE = "1777"
_CAPABILITIES: dict[Hardening, tuple[str, ...]] = {
    "strict": (),
    # Entry points of public images start as root, make the data folder their user's, and change to that user. A file
    # with the capability to open low ports cannot even be executed where that one is dropped.
    "image": ("CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    "off": (),
}
_SEPARATORS = frozenset(":,")
"""Of the options of a folder in memory, in the short form."""


def hardened(
    user: str | None,
    kind: Hardening = "strict",
    *,
    read_only: bool | None = True,
    capabilities: Iterable[str] = (),
) -> dict[str, Any]:
    """Return what the container may do; None keeps what the image says. `capabilities` are added to those of `kind`."""
    keys: dict[str, Any] = {"user": interpolated(user)} if user else {}
    if read_only is not None:
        keys["read_only"] = read_only
    if kind != "off":
        keys["cap_drop"] = ["ALL"]
    if added := dict.fromkeys([*_CAPABILITIES[kind], *capabilities]):
        keys["cap_add"] = [*added]
    if kind != "off":
        keys["security_opt"] = ["no-new-privileges:true"]
    return keys


def start_keys(command: Command, entrypoint: Command | None) -> dict[str, Any]:
    """Return `entrypoint` and `command`, where the catalog has them."""
    keys = {} if entrypoint is None else {"entrypoint": _words(entrypoint)}
    return {**keys, "command": _words(command)} if command else keys


def _words(command: Command) -> list[str] | str:
    if command and isinstance(command[0], Unsplit):
        return interpolated(command[0])
    return [interpolated(word) for word in command]


def limits(catalog: Catalog, own: Resources) -> dict[str, Any]:
    """Limits as keys of the service, which both versions of Compose honour: v1 ignores those under `deploy`."""
    default = catalog.defaults.resources
    values = {
        "cpus": own.cpu or default.cpu,
        "mem_limit": size_text(memory) if (memory := own.memory or default.memory) else None,
        "pids_limit": own.processes or default.processes,
    }
    return {key: value for key, value in values.items() if value is not None}


def log_rotation(catalog: Catalog) -> dict[str, Any]:
    rotation = catalog.defaults.logging
    options = {"max-size": size_text(rotation.max_size), "max-file": str(rotation.max_files)}
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


def mount_keys(
    mounts: Iterable[dict[str, Any] | str], folders: Iterable[str], taken: Iterable[str] = ()
) -> dict[str, Any]:
    """Return `volumes` and `tmpfs`: these mounts, and writable folders in memory without programs.

    A folder at which something else is mounted (`taken`) is left out. Without a mode a folder in memory has that of the
    image's folder beneath it, and belongs to root: others could not write there. A path that holds what separates the
    options of the short form gets the long one, in which docker-compose 1.29 wants bytes and knows no mode.
    """
    mounted = set(taken)
    free = [folder for folder in dict.fromkeys(folders) if folder not in mounted]
    long = [
        {"type": "tmpfs", "target": literal(folder), "tmpfs": {"size": TMPFS_SIZE}}
        for folder in free
        if _SEPARATORS & set(folder)
    ]
    short = [
        f"{literal(folder)}:size={size_text(TMPFS_SIZE)},mode={_TMPFS_MODE}"
        for folder in free
        if not _SEPARATORS & set(folder)
    ]
    keys = {"volumes": [*mounts, *long], "tmpfs": short}
    return {key: value for key, value in keys.items() if value}
