"""A real Podman for the tests, with its own storage and socket, and the API that is compatible with Docker's.

    with PodmanEngine(folder) as engine:
        container = engine.run("--memory", "64m")     # its id

It has one image, IMAGE, with all of busybox's applets. It needs root and `podman`; without them the test is skipped.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.components import require
from tests.docker_engine import remove_folder, root_of_busybox
from tests.waiting import until

IMAGE = "localhost/busybox:local"

CONFIG = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""Works without systemd, and never raises a container's limits above those of the machine."""


class PodmanEngine:
    """A `podman system service` in `folder`, whose path must be short because it holds sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder / 'podman.sock'}"
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            message = "a Podman of the tests' own needs root"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        (self.folder / "containers.conf").write_text(CONFIG)
        self._podman("import", "-", IMAGE, text=root_of_busybox())
        self._service = subprocess.Popen(
            [*self._command(), "system", "service", "--time", "0", self.host],
            env=self._environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until((self.folder / "podman.sock").exists, "the service of Podman")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.remove_all()
        finally:
            if self._service is not None:
                self._service.terminate()
                self._service.wait(20)
            self._clear_away()

    def podman(self, *arguments: str) -> str:
        """Return the output of the command. If it fails, raise an AssertionError with its error output."""
        return self._podman(*arguments).strip()

    def run(self, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        """Start a container in the background and return its id. It has no network unless `options` give one."""
        return self.podman("run", "--detach", *_started(options), IMAGE, *command)

    def create(self, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        """Create a container without starting it and return its id."""
        return self.podman("create", *_started(options), IMAGE, *command)

    def remove(self, *containers: str) -> None:
        """Remove containers, also running ones."""
        self.podman("rm", "--force", "--time", "0", *containers)

    def remove_all(self) -> None:
        """Remove all containers."""
        self.podman("rm", "--force", "--time", "0", "--all")

    def _clear_away(self) -> None:
        """Remove what Podman leaves behind: cgroups, and its storage, to which an exiting container
        may still write."""
        for place in ("root", "run", "tmp"):
            remove_folder(self.folder / place)
        for parent in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
            for group in (*parent.glob("libpod-*"), parent / "conmon", parent):
                with contextlib.suppress(OSError):  # it does not exist, or holds containers of another Podman
                    group.rmdir()

    def _podman(self, *arguments: str, text: bytes | None = None) -> str:
        done = subprocess.run(
            [*self._command(), *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            timeout=60,
            env=self._environ(),
        )
        complaint = done.stderr.decode(errors="replace")
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {complaint}"
        return done.stdout.decode(errors="replace")

    def _command(self) -> list[str]:
        places = {"root": "root", "runroot": "run", "tmpdir": "tmp"}
        options = [f"--{option}={self.folder / place}" for option, place in places.items()]
        return [require("podman"), *options, "--storage-driver=vfs", "--log-level=error"]

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}


def _started(options: tuple[str, ...]) -> tuple[str, ...]:
    network = () if "--network" in options else ("--network", "none")
    return ("--stop-signal", "KILL", *network, *options)
