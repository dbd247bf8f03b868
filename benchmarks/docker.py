"""A separate Docker engine with many small containers, and the processes that it consists of."""

from __future__ import annotations

import contextlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.programs import BenchmarkError, find
from tests.docker_engine import DockerEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = f"exporter-bench-{os.getpid()}"
"""The parent cgroup of all containers, so that they are not taken for those of another engine."""
NEEDED = {"dockerd": "docker.io", "docker": "docker.io", "ip": "iproute2", "busybox": "busybox-static"}
AT_ONCE = 4
BATCH = 20
LIMITS: tuple[tuple[str, ...], ...] = (
    (),
    ("--memory=64m",),
    ("--cpus=0.5",),
    ("--memory=64m", "--memory-swap=128m", "--cpus=0.25", "--pids-limit=50"),
)
"""Applied in turn, so that each is used by a quarter of the containers."""
PROCESSES = ("dockerd", "containerd")
"""The first words of an engine's programs; the shim of a container is `containerd-shim-runc-v2`."""


@contextlib.contextmanager
def containers(folder: Path, count: int) -> Iterator[DockerEngine]:
    """Start an engine in `folder`, which is created, with `count` containers, each in its own network on one bridge.

    The containers sleep, so that only the programs that watch them are measured.

    Raises:
        BenchmarkError: something is not installed, this user is not root, or the engine failed.
    """
    for program, package in NEEDED.items():
        find(program, package)
    if os.geteuid() != 0:
        raise BenchmarkError("this case starts its own Docker engine, which needs root")
    folder.mkdir()
    # One driver everywhere, so that cgroup names have one form.
    engine = DockerEngine(folder, f"--cgroup-parent=/{PARENT}", "--exec-opt=native.cgroupdriver=cgroupfs")
    try:
        with _failures_told(), engine:
            try:
                _run(engine, count)
                yield engine
            finally:
                _remove(engine)
    finally:
        _remove_cgroups()


def engine_processes(engine: DockerEngine) -> list[int]:
    """Return the processes of dockerd, its containerd and the shims, which read the statistics of a container for
    them. Their arguments name the engine's folder."""
    mark = f"{engine.folder}/".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark in command and Path(os.fsdecode(command.partition(b"\0")[0])).name.startswith(PROCESSES):
            found.append(int(process.name))
    return found


@contextlib.contextmanager
def _failures_told() -> Iterator[None]:
    """Raise BenchmarkError for the test engine's own errors and assertions."""
    try:
        yield
    except (AssertionError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"the Docker engine: {error}") from error


def _run(engine: DockerEngine, count: int) -> None:
    def run(number: int) -> None:
        limits = LIMITS[number % len(LIMITS)]
        engine.run(f"--name=bench-{number:03}", *limits, command=("sleep", "100000"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Ask for each result, because that raises its exception.
        list(pool.map(run, range(count)))


def _remove(engine: DockerEngine) -> None:
    """Remove a few at a time: each command has a minute, and the engine has 15 s to end what still runs."""
    there = engine.docker("ps", "--all", "--quiet").split()
    for start in range(0, len(there), BATCH):
        engine.remove(*there[start : start + BATCH])


def _remove_cgroups() -> None:
    """Remove the parent cgroup from each hierarchy. It is empty by now, but the engine leaves it behind."""
    hierarchies = Path("/sys/fs/cgroup")
    for folder in (hierarchies / PARENT, *hierarchies.glob(f"*/{PARENT}")):
        if folder.is_dir():
            folder.rmdir()
