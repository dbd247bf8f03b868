"""Programs that a measurement starts, each run in its own folder. All are stopped at the end, also after an error."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 10.0
LOG_TAIL = 2000


class BenchmarkError(Exception):
    """A measurement is impossible or would be wrong. One sentence, sometimes followed by a log."""


class Program:
    """A running program."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise BenchmarkError if it has exited by itself."""
        status = self._process.poll()
        if status is not None:
            tail = self.log.read_text(errors="replace")[-LOG_TAIL:]
            raise BenchmarkError(f"{self.name} exited with status {status}:\n{tail}")

    def wait_for(self, url: str, seconds: float = START_SECONDS) -> None:
        """Wait until `url` answers with success."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            try:
                if httpx.get(url, timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-LOG_TAIL:]
        raise BenchmarkError(f"{self.name} did not answer at {url} within {seconds:.0f} s:\n{tail}")

    def stop(self) -> float:
        """Stop it and return how many seconds that took."""
        began = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return time.monotonic() - began


class Programs:
    """A context that starts programs; on exit it stops them all and removes their folder."""

    def __init__(self) -> None:
        self._running: list[Program] = []

    def __enter__(self) -> Self:
        # On SIGTERM, leave through __exit__.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        self.folder = Path(tempfile.mkdtemp(prefix="exporter-bench-"))
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self._running):
            program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, *command: str | Path, cpus: Sequence[int] = ()) -> Program:
        """Start a command whose output goes to a log. With `cpus` it runs only on these."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
            )
        program = Program(name, process, log)
        self._running.append(program)
        return program

    def check(self) -> None:
        """Raise BenchmarkError if one has exited by itself."""
        for program in self._running:
            program.check()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


def find(program: str, package: str) -> str:
    """Return the path of a program. If it is missing, the error names its package."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BenchmarkError(f"{program} is not installed (Debian package {package})")
    return path


def free_ports(count: int) -> list[int]:
    """Return loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
