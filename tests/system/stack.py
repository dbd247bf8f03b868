"""The generated monitoring stack, running: the daemon, Prometheus and Alertmanager on generated files.

The files are as `exporter gen` writes them but for one thing: in them the programs find one another by the names of
their containers, which do not exist here, so the daemon's is replaced by its address on loopback.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx

from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENT = "test"


class Stack:
    """`prometheus`, `alertmanager`: their URLs."""

    def __init__(self, daemon: RunningDaemon, prometheus: str, alertmanager: str) -> None:
        self.daemon = daemon
        self.prometheus = prometheus
        self.alertmanager = alertmanager

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def firing(self) -> set[tuple[str, str]]:
        """Names and services of the alerts that fire in Prometheus."""
        rows = self.query('ALERTS{alertstate="firing"}')
        return {(row["metric"]["alertname"], row["metric"].get("service", "")) for row in rows}


def generate(catalog: Path, out: Path) -> None:
    """`exporter gen`, as a person runs it."""
    command = [sys.executable, "-m", "exporter", "gen", "--config", str(catalog), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def running_stack(folder: Path, rules_catalog: str, catalog: str, alertmanager_port: int) -> Iterator[Stack]:
    """Generate from `rules_catalog`, run the daemon on `catalog`, and both servers on the generated files."""
    file = folder / "rules-catalog.yaml"
    file.write_text(rules_catalog)
    generate(file, folder / "out")
    deploy = folder / "out" / "deploy" / ENVIRONMENT
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(folder, catalog))
        config = deploy / "prometheus" / "prometheus.yml"
        config.write_text(config.read_text().replace("exporter:9877", daemon.url.removeprefix("http://")))
        port, cluster = free_port(), "--cluster.listen-address="
        stack.enter_context(
            _program(
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            )
        )
        stack.enter_context(
            _program(
                "prometheus-alertmanager",
                f"--config.file={deploy / 'alertmanager' / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager_port}",
                cluster,
                "--log.level=warn",
            )
        )
        running = Stack(daemon, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{alertmanager_port}")
        for url in (running.prometheus, running.alertmanager):
            until(lambda url=url: _ready(url), f"{url} to be ready", 30)  # type: ignore[misc]  # mypy cannot infer it
        yield running


@contextlib.contextmanager
def _program(name: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([require(name), *arguments])
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False
