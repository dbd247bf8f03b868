"""A Docker engine of a case's own, with many small containers, and the processes that it consists of."""

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
"""The cgroup that all containers are in, so that nobody takes those of another engine for them."""
NEEDED = {"dockerd": "docker.io", "docker": "docker.io", "ip": "iproute2", "busybox": "busybox-static"}
AT_ONCE = 4
BATCH = 20
LIMITS: tuple[tuple[str, ...], ...] = (
    (),
    ("--memory=64m",),
    ("--cpus=0.5",),
    ("--memory=64m", "--memory-swap=128m", "--cpus=0.25", "--pids-limit=50"),
)
"""One after the other, so that each is of a quarter of the containers."""
PROCESSES = ("dockerd", "containerd")
"""How the programs of an engine begin; the shim of a container is `containerd-shim-runc-v2`."""


@contextlib.contextmanager
def containers(folder: Path, count: int) -> Iterator[DockerEngine]:
    """An engine in `folder`, which is made, and in it so many containers, each with a network of its own on one
    bridge. They sleep, so that what is measured is those who watch them.

    Raises:
        BenchmarkError: something is not installed, this is not root, or the engine failed.
    """
    for program, package in NEEDED.items():
        find(program, package)
    if os.geteuid() != 0:
        raise BenchmarkError("the containers need a Docker engine of their own, and that needs root")
    folder.mkdir()
    # One driver everywhere, so that the name of the cgroup has one form.
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
    """dockerd, its containerd, and the shims, which read the statistics of a container for them: they are told the
    folder of the engine."""
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
    """The engine is made for tests, and complains as they do."""
    try:
        yield
    except (AssertionError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"the Docker engine: {error}") from error


def _run(engine: DockerEngine, count: int) -> None:
    def run(number: int) -> None:
        limits = LIMITS[number % len(LIMITS)]
        engine.run(f"--name=bench-{number:03}", *limits, command=("sleep", "100000"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Each result is asked for, as the failure of one is raised there.
        list(pool.map(run, range(count)))


def _remove(engine: DockerEngine) -> None:
    """A few at a time: the engine has a minute for each command, and 15 s for all that still run when it ends."""
    there = engine.docker("ps", "--all", "--quiet").split()
    for start in range(0, len(there), BATCH):
        engine.remove(*there[start : start + BATCH])


def _remove_cgroups() -> None:
    """The parent in each hierarchy, empty by now; the engine leaves it."""
    hierarchies = Path("/sys/fs/cgroup")
    for folder in (hierarchies / PARENT, *hierarchies.glob(f"*/{PARENT}")):
        if folder.is_dir():
            folder.rmdir()
