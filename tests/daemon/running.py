"""The daemon as a user runs it: a process with a catalog, queried over HTTP."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class RunningDaemon:
    """A running daemon. `log` is its standard error so far."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, catalog: Path, log: Path) -> None:
        self.process = process
        self.url = url
        self.catalog = catalog
        self._log = log
        self.http = httpx.Client(base_url=url, timeout=10)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        until(lambda: self._get_quietly("/-/ready") == 200, f"the first round; log:\n{self.log}")

    def wait_until_up(self) -> None:
        until(lambda: self._get_quietly("/-/healthy") == 200, f"the web side; log:\n{self.log}")

    def _get_quietly(self, path: str) -> int:
        assert self.process.poll() is None, f"the daemon ended; log:\n{self.log}"
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return 0

    def metrics(self) -> str:
        return self.http.get("/metrics").raise_for_status().text

    def lines(self, *parts: str) -> list[str]:
        """Return the sample lines that contain all of `parts`."""
        found = (line for line in self.metrics().splitlines() if not line.startswith("#"))
        return [line for line in found if all(part in line for part in parts)]

    def value(self, *parts: str) -> float:
        """Return the value of the only sample line that contains all of `parts`."""
        (line,) = self.lines(*parts)
        return float(line.rsplit(" ", 1)[1])

    def service(self, name: str) -> dict[str, Any]:
        services = self.http.get("/api/v1/services").raise_for_status().json()["services"]
        return next(service for service in services if service["name"] == name)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


def _limit(limits: Mapping[str, int]) -> None:
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


@contextlib.contextmanager
def running_daemon(
    folder: Path,
    catalog: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stderr: int | None = None,
    web_config: Path | None = None,
    scheme: str = "http",
    limits: Mapping[str, int] | None = None,
) -> Iterator[RunningDaemon]:
    """Start `exporter run` on the text of a catalog and stop it at the end. Its log goes to the descriptor `stderr`
    if given, else to a file.

    With `web_config`, wait for a line of its log, because a test's client may be refused.

    It finds no Docker engine unless the catalog or `env` names one: tests must not use this machine's own.
    """
    file = folder / "config.yaml"
    file.write_text(catalog)
    port = free_port()
    log = folder / "daemon.log"
    command = [sys.executable, "-m", "exporter", "run", "--config", str(file), *arguments]
    if web_config is not None:
        command += ["--web.config.file", str(web_config)]
    with log.open("wb") as file_of_log:
        process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{port}"],
            stderr=file_of_log if stderr is None else stderr,
            preexec_fn=partial(_limit, limits) if limits else None,
            env={**os.environ, "DOCKER_HOST": f"unix://{folder}/no-docker.sock", **(env or {})},
        )
    daemon = RunningDaemon(process, f"{scheme}://127.0.0.1:{port}", file, log)
    try:
        if web_config is None:
            daemon.wait_until_up()
        else:
            until(lambda: "serving the status page at " in daemon.log, f"the web side; log:\n{daemon.log}")
        yield daemon
    finally:
        daemon.http.close()
        if process.poll() is None:
            process.kill()
        process.wait(10)
