"""A real Docker engine for the tests, with its own data, socket and bridge, so that it clashes with no other engine.

    with DockerEngine(folder) as engine:
        container = engine.run("--memory", "64m", command=("sleep", "1000"))     # its id
        engine.docker("pause", container)
        engine.restart()

It has one image, IMAGE, with all of busybox's applets and no entrypoint. It needs root and `dockerd`; without them
the test is skipped.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from tests.components import BEYOND_PATH, require
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "busybox:local"

_BRIDGES = 200
_STOPPED_BY = "--stop-signal=KILL"
"""Process 1 of a container ignores SIGTERM, which would delay every stop by ten seconds."""


class DockerEngine:
    """A `dockerd` in `folder`, whose path must be short because it holds sockets. `options`: more
    options of dockerd."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self._options = options
        self._log = folder / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.bridge = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._clear_away()

    def start(self) -> None:
        """Start it, and return when it answers."""
        if os.geteuid() != 0:
            message = "a Docker engine of the tests' own needs root"
            pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
        dockerd = require("dockerd")
        self.bridge = self.bridge or _new_bridge()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(dockerd, "--host", self.host),
                    *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
                    *("--pidfile", str(self.folder / "pid"), "--bridge", self.bridge),
                    *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--log-level=warn"),
                    *self._options,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": f"{os.environ['PATH']}:{BEYOND_PATH}"},
            )
        until(self._answers, "the Docker engine", 60)
        if not self.docker("image", "ls", "--quiet", IMAGE):
            self._docker("import", "-", IMAGE, text=root_of_busybox())

    def stop(self) -> None:
        """Stop it, its containers first, as a shutdown of the host does."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
            raise
        finally:
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it until the end of the block: the kernel accepts connections, but nothing is answered."""
        assert self._process is not None
        pid = self._process.pid
        self._process.send_signal(signal.SIGSTOP)
        try:
            until(lambda: _stopped(pid), "the engine to stand still")
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def docker(self, *arguments: str, seconds: float = 60) -> str:
        """Return the output of the `docker` command. If it fails, raise an AssertionError with its error output."""
        return self._docker(*arguments, seconds=seconds).strip()

    def run(self, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        """Start a container in the background and return its id."""
        return self.docker("run", "--detach", _STOPPED_BY, *options, IMAGE, *command)

    def create(self, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        """Create a container without starting it and return its id."""
        return self.docker("create", _STOPPED_BY, *options, IMAGE, *command)

    def remove(self, *containers: str) -> None:
        """Remove containers, also running ones, with their anonymous volumes."""
        self.docker("rm", "--force", "--volumes", *containers)

    def remove_all(self) -> None:
        """Remove all containers."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.remove(*containers)

    def log(self) -> str:
        """Return the end of dockerd's log."""
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""

    def _docker(self, *arguments: str, text: bytes | None = None, seconds: float = 60) -> str:
        done = subprocess.run(
            [require("docker"), "--host", self.host, *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            timeout=seconds,
            env={name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
        )
        complaint = done.stderr.decode(errors="replace")
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {complaint}\n{self.log()}"
        return done.stdout.decode(errors="replace")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"dockerd exited with {self._process.returncode}:\n{self.log()}"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.0 200")
            except OSError:
                return False

    def _clear_away(self) -> None:
        """Remove what dockerd leaves behind: its containerd (if dockerd was killed), mounts, the bridge, images."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "exec/containerd/containerd.pid").read_text())
            if str(self.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        for mount in reversed(_mounts_below(self.folder)):
            subprocess.run(["umount", "--lazy", mount], check=True)
        if self.bridge:
            subprocess.run([require("ip"), "link", "delete", self.bridge], check=True)
            self.bridge = ""
        for folder in (self.folder / "data", self.folder / "exec"):
            remove_folder(folder)


def _new_bridge() -> str:
    """Create a network bridge with an address. Its name is taken atomically, so that two engines cannot share one."""
    ip = require("ip")
    complaint = ""
    for number in range(_BRIDGES):
        bridge = f"test-docker{number}"
        done = subprocess.run([ip, "link", "add", bridge, "type", "bridge"], capture_output=True, text=True)
        if done.returncode == 0:
            subprocess.run([ip, "address", "add", f"10.213.{number}.1/24", "dev", bridge], check=True)
            subprocess.run([ip, "link", "set", bridge, "up"], check=True)
            return bridge
        complaint = done.stderr
    raise AssertionError(f"no network bridge could be created: {complaint}")


def root_of_busybox() -> bytes:
    """Return a tar file of a root file system: busybox, and a link for each of its applets."""
    busybox = require("busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        archive.add(Path(busybox).resolve(), "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return text.getvalue()


def _stopped(pid: int) -> bool:
    """True if every thread is stopped. Threads on another processor take a little longer to stop."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def _mounts_below(folder: Path) -> list[str]:
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [point for point in points if point.startswith(f"{folder}/")]


def remove_folder(folder: Path, seconds: float = 10.0) -> None:
    """Remove a folder to which an exiting shim may still write."""
    deadline = time.monotonic() + seconds
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
