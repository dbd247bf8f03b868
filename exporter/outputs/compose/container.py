"""Settings of every container of the application: limits, hardening, log rotation, restarts, labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.commands import Unsplit
from exporter.outputs.compose.text import interpolated, literal
from exporter.outputs.durations import engine_duration, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.hardening import Hardening
    from exporter.catalog.keys.container.healthcheck import CheckTimes
    from exporter.catalog.keys.container.model import Container
    from exporter.catalog.keys.container.resources import Resources
    from exporter.catalog.values.commands import Command

TEMPORARY = "/tmp"  # noqa: S108 - a path inside the container
TMPFS_SIZE = 64 * 1024 * 1024
"""The size of a writable folder in memory. What is used of it counts towards the container's memory limit."""
_TMPFS_MODE = "1777"
_CAPABILITIES: dict[Hardening, tuple[str, ...]] = {
    "strict": (),
    # Entry points of public images start as root, give the data folder to their user, and change to that user. A file
    # with the capability to open low ports cannot even be executed where that capability is dropped.
    "image": ("CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    "off": (),
}
_NUMBERS = re.compile(r"([0-9]+)(?::([0-9]+))?")
_SEPARATORS = frozenset(":,")
"""Separators of the options of a folder in memory, in the short form."""


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
    """Return limits as keys of the service, which both versions of Compose honour: v1 ignores those in `deploy`."""
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
    """Return the keys that services and stores have in common."""
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


def health(command: Sequence[str], times: CheckTimes) -> dict[str, Any]:
    """Return `healthcheck`, which runs the command without a shell."""
    return {"test": ["CMD", *(literal(part) for part in command)], **_times(times)}


def health_keys(catalog: Catalog, container: Container, generated: Sequence[str] | None) -> dict[str, Any]:
    """Return `healthcheck`: the catalog's, or else the generated command; nothing if the image's own counts."""
    own = container.healthcheck
    times = own or catalog.defaults.healthcheck
    if own and own.disabled:
        return {"healthcheck": {"disable": True}}
    if own and own.test:
        return {"healthcheck": {"test": [interpolated(part) for part in own.test], **_times(times)}}
    if generated:
        return {"healthcheck": health(generated, times)}
    return {"healthcheck": _times(own)} if own else {}


def _times(times: CheckTimes) -> dict[str, Any]:
    start = times.start_interval
    return {
        "interval": engine_duration(times.interval),
        "timeout": engine_duration(times.timeout),
        "retries": times.retries,
        "start_period": engine_duration(times.start_period) if times.start_period else "0s",
        **({"start_interval": engine_duration(start)} if start else {}),
    }


def mount_keys(
    mounts: Iterable[dict[str, Any] | str],
    folders: Iterable[str],
    taken: Iterable[str] = (),
    tmpfs: Iterable[str] = (),
    user: str | None = None,
) -> dict[str, Any]:
    """Return `volumes` and `tmpfs`: these mounts, and writable folders in memory from which nothing can be executed.

    Folders at which something else is mounted (`taken`) are left out. `tmpfs`: further ones, with options. `user`: who
    writes there. Without a mode a folder in memory has that of the image's folder beneath it, with runc before 1.1.8
    even with one (its change 3916), and it belongs to root unless an owner is given. A path with a separator of the
    short form needs the long form, in which docker-compose 1.29 requires a size in bytes and supports no mode.
    """
    options = ",".join((f"size={size_text(TMPFS_SIZE)}", f"mode={_TMPFS_MODE}", *_owner(user)))
    written = [interpolated(folder) for folder in tmpfs]
    mounted = {*taken, *(folder.partition(":")[0] for folder in tmpfs)}
    free = [folder for folder in dict.fromkeys(folders) if folder not in mounted]
    long = [
        {"type": "tmpfs", "target": literal(folder), "tmpfs": {"size": TMPFS_SIZE}}
        for folder in free
        if _SEPARATORS & set(folder)
    ]
    short = [f"{literal(folder)}:{options}" for folder in free if not _SEPARATORS & set(folder)]
    keys = {"volumes": [*mounts, *long], "tmpfs": [*short, *written]}
    return {key: value for key, value in keys.items() if value}


def _owner(user: str | None) -> Iterator[str]:
    """Yield options for the owner of a folder in memory, if the user is written in numbers."""
    if numbers := _NUMBERS.fullmatch(user or ""):
        yield from (
            f"{key}={number}" for key, number in zip(("uid", "gid"), numbers.groups(), strict=True) if number
        )
