"""The generated monitoring stack with an application, on a real Docker engine, run by docker-compose.

stack_images.py lists the substitutes for the images. Grafana does not run.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.catalog.loading import load_catalog
from exporter.outputs import alertmanager, alerts, prometheus
from exporter.outputs.compose import render as render_compose
from exporter.outputs.monitoring import render
from tests.components import require
from tests.docker_engine import DockerEngine
from tests.outputs.catalogs import rendered
from tests.system.stack_images import import_stack
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.outputs.base import Render

pytestmark = pytest.mark.timeout(240)

REPOSITORY = Path(__file__).parents[2]
PROJECT = "shop-dev"
CATALOG = """
project: shop
defaults: {probe: {interval: 3s, timeout: 3s}, healthcheck: {interval: 3s, timeout: 10s}, metrics_interval: 1s}
prometheus: {scrape_interval: 1s}
services:
  web: {image: "busybox:local", port: 8080, command: [httpd, -f, -p, "8080"], volumes: "files:/files"}
volumes: {files: {}}
backup: {directory: ./backups}
environments: {dev: {address: "localhost:{port}", publish: edge}}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="mon-") as folder,  # must be short: it holds sockets
        tempfile.TemporaryDirectory() as empty,
        DockerEngine(Path(folder)) as engine,
    ):
        import_stack(engine, Path(empty))
        yield engine
        engine.remove_all()


class Stack:
    """The stack: docker-compose with both files."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self._engine = engine
        (folder / "config.yaml").write_text(CATALOG)
        catalog = load_catalog(folder / "config.yaml", "dev")
        self._deploy = folder / "deploy/dev"
        outputs: dict[str, Render] = {
            "../../alert_rules": alerts.render,
            "prometheus": prometheus.render,
            "alertmanager": alertmanager.render,
        }
        for place, output in outputs.items():
            rendered(output, catalog, self._deploy / place)
        rendered(render_compose, catalog, self._deploy)
        rendered(render, catalog, self._deploy)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": engine.host,
            "DOCKER_SOCKET": str(engine.socket),
            "STATE_FOLDER": str(folder / "state"),
            "TAG": "1",
        }

    def compose(self, *arguments: str) -> str:
        files = [
            part
            for name in ("compose.yaml", "compose.monitoring.yaml")
            for part in ("-f", str(self._deploy / name))
        ]
        done = subprocess.run(
            [require("docker-compose"), "-p", PROJECT, *files, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def carried(self) -> Iterator[None]:
        """Let packets pass inside the stack's networks: the tests' engine sets no rules, but another engine of this
        machine may have set rules that drop all of them."""
        label = f"label=com.docker.compose.project={PROJECT}"
        networks = self._engine.docker("network", "ls", "--quiet", "--filter", label).split()
        rules = [("FORWARD", "-i", f"br-{name}", "-o", f"br-{name}", "-j", "ACCEPT") for name in networks]
        try:
            for rule in rules:
                subprocess.run([require("iptables"), "-w", "-I", *rule], check=True)
            yield
        finally:
            for rule in rules:
                subprocess.run([require("iptables"), "-w", "-D", *rule], check=False, capture_output=True)

    def healthy(self, service: str) -> bool:
        container = self.compose("ps", "-q", service).strip()
        state = "{{.State.Status}} {{.State.Health.Status}}"
        return self._engine.docker("inspect", "--format", state, container) == "running healthy"

    def ask(self, service: str, url: str) -> str:
        """Return what a container of the stack gets from a URL."""
        return self.compose("exec", "-T", service, "wget", "-q", "-O", "-", url)

    def query(self, expression: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:9090/api/v1/query?query={expression}"
        return list(json.loads(self.ask("prometheus", url))["data"]["result"])


RUNNING = ("web", "exporter", "docker-proxy", "prometheus", "alertmanager")


def test_the_stack_watches_the_application(engine: DockerEngine, tmp_path: Path) -> None:
    stack = Stack(engine, tmp_path)
    try:
        stack.compose("up", "--no-start", *RUNNING)
        with stack.carried():
            stack.compose("start", *RUNNING)
            _watch(stack)
    finally:
        stack.compose("down", "--volumes", "--timeout", "2")


def _watch(stack: Stack) -> None:
    for service in RUNNING[1:]:
        until(partial(stack.healthy, service), f"{service} to be healthy", 90)
    expected = {
        "the service, by its name": "probe_success{service='web'}==1",
        "the engine, through its filter": "exporter_docker_up==1",
        "readings from the host's files": "exporter_containers{source='cgroup'}>=5",
        "the service's memory": "container_memory_working_set_bytes{container_label_com_docker_compose_service='web'}",
        "Alertmanager": "prometheus_notifications_alertmanagers_discovered==1",
    }
    for what, expression in expected.items():
        until(partial(stack.query, expression), f"Prometheus to see {what}", 60)
    # No container runs as root, and none can write to its root file system.
    for service in ("exporter", "prometheus", "alertmanager"):
        assert stack.compose("exec", "-T", service, "id", "-u").strip() in ("65532", "65534")
        tried = stack.compose("exec", "-T", service, "sh", "-c", "touch /x 2>&1 || true")
        assert "Read-only file system" in tried
