"""Search for the cgroup of a container: its hierarchy, and its folders there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exporter.containers.model import Identity

USUAL_MOUNT = "/sys/fs/cgroup"
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
"""A space, tab, newline or backslash as mountinfo writes it."""
_CONTROLLERS_V1 = ("memory", "cpu", "cpuacct", "blkio", "pids")
UNIFIED = ""
"""Name of the only hierarchy of v2, as in /proc/PID/cgroup."""

_KNOWN = (
    "docker/{id}",
    "system.slice/docker-{id}.scope",
    "user.slice/user-*.slice/user@*.service/*.slice/docker-{id}.scope",
    "machine.slice/libpod-{id}.scope",
    "user.slice/user-*.slice/user@*.service/*.slice/libpod-{id}.scope",
    "libpod_parent/libpod-{id}",
)
"""Docker with cgroupfs, Docker with systemd, rootless Docker; Podman and rootless Podman with systemd, other Podman."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The cgroup file systems of a host. `mounts`: folder of each controller; for v2 only one, named `""`."""

    version: Literal[1, 2]
    mounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroup of one container. `folders`: as in `Hierarchy.mounts`, but only those that exist."""

    version: Literal[1, 2]
    folders: Mapping[str, str]


def find_hierarchy(
    cgroup: str | None, usual: str = USUAL_MOUNT, mountinfo: str = "/proc/self/mountinfo"
) -> Hierarchy | None:
    """Return the hierarchy mounted at `cgroup`; if that is None, at the `usual` place or one listed in `mountinfo`.
    Return None if there is none.

    A hybrid of both versions counts as v1, which has all controllers; `unified/` next to it only groups processes.
    """
    if cgroup is not None:
        return _look_at(cgroup)
    return _look_at(usual) or _look_at_mounts(mountinfo)


def find_group(hierarchy: Hierarchy, identity: Identity, membership: bytes | None) -> Group | None:
    """Return the cgroup of a running container; None if it is not visible here.

    `membership`: /proc/PID/cgroup of its first process (`proc_net.read_membership`), the most reliable source. It is
    not available from another PID namespace, and in a private cgroup namespace its paths become `/../…`. Then the
    engine's path is tried, and last the places that engines are known to use.
    """
    candidates: list[Mapping[str, str]] = []
    if membership is not None:
        candidates.append(_parse_membership(membership, identity.id))
    if identity.id in identity.cgroup:
        candidates.append(dict.fromkeys(hierarchy.mounts, identity.cgroup))
    for paths in candidates:
        group = _existing(hierarchy, paths)
        if group is not None:
            return group
    return _search(hierarchy, identity.id)


def _look_at(root: str) -> Hierarchy | None:
    if Path(root, "cgroup.controllers").exists():
        return Hierarchy(2, {UNIFIED: root})
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return None
    # Controllers that share a hierarchy have one folder, such as `cpu,cpuacct`.
    return _hierarchy_v1((name.split(","), f"{root}/{name}") for name in names)


def _look_at_mounts(mountinfo: str) -> Hierarchy | None:
    """Parse lines as in proc_pid_mountinfo(5): `… MOUNT_POINT OPTIONS … - TYPE SOURCE SUPER_OPTIONS`."""
    try:
        lines = Path(mountinfo).read_bytes().split(b"\n")
    except OSError:
        return None
    unified: list[str] = []
    controllers: list[tuple[list[str], str]] = []
    for line in lines:
        mount, _, file_system = line.partition(b" - ")
        before, after = mount.split(b" "), file_system.split(b" ")
        if len(before) < 5 or len(after) < 3:
            continue
        point = os.fsdecode(_OCTAL.sub(lambda found: bytes((int(found[1], 8),)), before[4]))
        if after[0] == b"cgroup2":
            unified.append(point)
        elif after[0] == b"cgroup":
            controllers.append((after[-1].decode("utf-8", "replace").split(","), point))
    return _hierarchy_v1(controllers) or (Hierarchy(2, {UNIFIED: unified[0]}) if unified else None)


def _hierarchy_v1(folders: Iterable[tuple[list[str], str]]) -> Hierarchy | None:
    mounts: dict[str, str] = {}
    for names, folder in folders:
        for name in names:
            if name in _CONTROLLERS_V1:
                mounts.setdefault(name, folder)
    return Hierarchy(1, mounts) if "memory" in mounts or "cpuacct" in mounts else None


def _parse_membership(table: bytes, container_id: str) -> dict[str, str]:
    """Return the path of each controller from lines such as `4:cpu,cpuacct:/docker/ID`, cut after the container's
    folder: its first process may be in a cgroup that the container created inside its own, with a name of any bytes."""
    paths: dict[str, str] = {}
    for line in table.split(b"\n"):
        _, names, path = [*line.split(b":", 2), b"", b""][:3]
        parts = os.fsdecode(path).split("/")
        own = next((place for place, part in enumerate(parts) if container_id in part), None)
        if own is None:
            continue
        for name in names.decode("utf-8", "replace").split(","):
            paths[name] = "/".join(parts[: own + 1])
    return paths


def _existing(hierarchy: Hierarchy, paths: Mapping[str, str]) -> Group | None:
    folders: dict[str, str] = {}
    for name, mount in hierarchy.mounts.items():
        path = paths.get(name)
        if path is None or ".." in path.split("/"):
            continue
        folder = f"{mount}/{path.strip('/')}"
        if Path(folder).is_dir():
            folders[name] = folder
    return Group(hierarchy.version, folders) if folders else None


def _search(hierarchy: Hierarchy, container_id: str) -> Group | None:
    for pattern in _KNOWN:
        place = pattern.format(id=container_id)
        folders = {
            name: folder for name, mount in hierarchy.mounts.items() for folder in _first(mount, place)
        }
        if folders:
            return Group(hierarchy.version, folders)
    return None


def _first(mount: str, pattern: str) -> Iterator[str]:
    for folder in Path(mount).glob(pattern):
        yield str(folder)
        return
