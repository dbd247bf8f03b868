"""Containers of every kind that an engine supports, on two networks of their own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.waiting import until

if TYPE_CHECKING:
    from tests.docker_engine import DockerEngine
    from tests.system.docker_facts import Witnesses

PROJECT = "shop"
NETWORKS = ("front", "back")
OOM_KILLED = 137
DISK = "DISK"
"""Placeholder for the block device that holds the engine's data."""

_OFTEN = ("--health-interval", "1s", "--health-timeout", "20s")
_WORK = """
dd if=/dev/zero of=/file bs=64k count=1600
dd if=/dev/zero of=/direct bs=64k count=32 oflag=direct conv=fsync && dd if=/direct of=/dev/null bs=64k iflag=direct
tail /dev/zero
touch /done
exec sleep 1000
"""
"""Fills its memory with page cache, writes and reads past it, and has a process killed: out of memory."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of container. `until`: inspect's State once it has reached this kind. `project`: of Compose; None for no
    labels at all."""

    until: tuple[str, object]
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ("sleep", "1000")
    project: str | None = PROJECT
    service: str | None = None


KINDS = {
    "web": Kind(("Status", "running")),
    "healthy": Kind(("Health", "healthy"), ("--health-cmd", "true", *_OFTEN)),
    "unhealthy": Kind(("Health", "unhealthy"), ("--health-cmd", "false", "--health-retries", "2", *_OFTEN)),
    "starting": Kind(("Health", "starting"), ("--health-cmd", "true", "--health-interval", "1h")),
    "restarting": Kind(("Status", "restarting"), ("--restart", "always"), ("sh", "-c", "sleep 0.2; exit 7")),
    "paused": Kind(("Status", "paused"), project="another", service="web"),
    "limited": Kind(
        ("Health", "healthy"),
        (
            *("--memory", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"),
            *("--cpus", "0.9", "--cpu-shares", "512", "--pids-limit", "50"),
            # Since Linux 6.10, cgroup v1 counts a device's transfers only if some limit is set for it.
            *("--device-write-bps", f"{DISK}:1gb"),
            *("--health-cmd", "test -e /done", *_OFTEN, "--health-retries", "100"),
        ),
        ("sh", "-c", _WORK),
    ),
    "throttled": Kind(("Status", "running"), ("--cpus", "0.1"), ("sh", "-c", "while :; do :; done")),
    "oom": Kind(("ExitCode", OOM_KILLED), ("--memory", "16m", "--memory-swap", "16m"), ("tail", "/dev/zero")),
    "stopped": Kind(("Status", "exited"), command=("sh", "-c", "exit 3")),
    "created": Kind(("Status", "created"), project=None),
}
"""By the container's name, which is also the name of its service."""

RUNNING = ("web", "healthy", "unhealthy", "starting", "paused", "limited", "throttled")


def make_all(engine: DockerEngine, witnesses: Witnesses) -> None:
    """Create one container of each kind, and return when each is in its state."""
    for network in NETWORKS:
        engine.docker("network", "create", network)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: _make(engine, name, KINDS[name]), KINDS))
    engine.docker("pause", "paused")
    engine.docker("network", "connect", "back", "limited")
    # The host answers. Another engine's packet filter may be active here and drop packets between containers.
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    address = engine.docker("network", "inspect", "--format", gateway, "back")
    engine.docker("exec", "limited", "ping", "-c", "3", "-i", "0.1", "-s", "1000", address)
    for name, kind in KINDS.items():
        until(lambda name=name, kind=kind: _is(witnesses, name, kind), f"{name} to be so", 60)  # type: ignore[misc] # default arguments


def remove_all(engine: DockerEngine) -> None:
    """Remove the containers and the networks, whose bridges an engine leaves behind when it ends."""
    engine.remove_all()
    engine.docker("network", "rm", *NETWORKS)


def labels_of(name: str) -> dict[str, str]:
    """Return the labels that Compose sets."""
    kind = KINDS[name]
    if kind.project is None:
        return {}
    prefix = "com.docker.compose"
    return {
        f"{prefix}.project": kind.project,
        f"{prefix}.service": kind.service or name,
        f"{prefix}.container-number": "1",
    }


def _make(engine: DockerEngine, name: str, kind: Kind) -> None:
    options = [option.replace(DISK, _disk(engine.folder)) for option in kind.options]
    for label, value in labels_of(name).items():
        options += ["--label", f"{label}={value}"]
    make = engine.create if name == "created" else engine.run
    make("--name", name, "--network", "front", *options, command=kind.command)


def _is(witnesses: Witnesses, name: str, kind: Kind) -> bool:
    state = witnesses.inspect(name)["State"]
    what, value = kind.until
    found = state.get("Health", {}).get("Status") if what == "Health" else state[what]
    return bool(found == value)


def _disk(folder: Path) -> str:
    device = folder.stat().st_dev
    return f"/dev/{Path(f'/sys/dev/block/{os.major(device)}:{os.minor(device)}').resolve().name}"
