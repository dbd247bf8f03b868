"""The generated monitoring stack beside an application, on a real Docker engine, by docker-compose.

Images of Prometheus, Alertmanager, Grafana and of the engine's filter cannot be had here. The first two are this
machine's own programs in images with busybox, as the real ones have it; Grafana does not run. The filter is a stand-in
that filters nothing: only that the daemon asks the engine through it is shown. The daemon's image is its sources and
dependencies, on the stand-in for Python's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter import __version__
from exporter.catalog.loading import load_catalog
from exporter.outputs import alertmanager, alerts, prometheus
from exporter.outputs.compose import render as render_compose
from exporter.outputs.monitoring import render
from exporter.outputs.monitoring.programs import ALERTMANAGER_VERSION, PROMETHEUS_VERSION
from exporter.outputs.monitoring.sidecar import IMAGE, PROXY_IMAGE
from tests.components import require
from tests.docker_engine import IMAGE as BUSYBOX
from tests.docker_engine import DockerEngine
from tests.outputs.catalogs import rendered
from tests.system.base_images import PYTHON, import_python
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
FILTER = """
import asyncio
async def carry(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def take(reader, writer):
    engine_reader, engine_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
    await asyncio.gather(carry(reader, engine_writer), carry(engine_reader, writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(take, "0.0.0.0", 2375) as server:
        await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="mon-") as folder,  # short: there are sockets in it
        tempfile.TemporaryDirectory() as empty,
        DockerEngine(Path(folder)) as engine,
    ):
        _program_image(engine, "prometheus", f"prom/prometheus:{PROMETHEUS_VERSION}", "/prometheus")
        _program_image(
            engine, "prometheus-alertmanager", f"prom/alertmanager:{ALERTMANAGER_VERSION}", "/alertmanager"
        )
        import_python(engine, _sources())
        start = 'ENTRYPOINT ["python", "-m", "exporter"]'
        text = f"FROM {PYTHON}\nENV PYTHONPATH=/site PYTHONDONTWRITEBYTECODE=1\n{start}\n"
        _build(engine, f"{IMAGE}:{__version__}", text, Path(empty))
        _build(
            engine,
            PROXY_IMAGE,
            f"FROM {PYTHON}\nENTRYPOINT {json.dumps(['python', '-c', FILTER])}\n",
            Path(empty),
        )
        yield engine
        engine.remove_all()


def _sources() -> dict[str, bytes]:
    """The daemon and its locked dependencies, as they are installed here, below /site."""
    found = {path: path.relative_to(REPOSITORY) for path in (REPOSITORY / "exporter").rglob("*")}
    for name in re.findall(r"^([\w.-]+)==", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE):
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:  # of another version of Python
            continue
        found |= {Path(str(file.locate())): Path(*file.parts) for file in files if ".." not in file.parts}
    taken = {path: place for path, place in found.items() if path.is_file() and path.suffix != ".pyc"}
    # The loader itself is there already, and must stay executable.
    modules = (path for path in taken if path.suffix == ".so")
    libraries = [library for library in _libraries(*modules) if "/ld-" not in library]
    return {f"/site/{place}": path.read_bytes() for path, place in taken.items()} | {
        library: Path(library).read_bytes() for library in libraries
    }


def _libraries(*binaries: Path) -> list[str]:
    """What they load, by absolute paths."""
    said = subprocess.run([require("ldd"), *binaries], capture_output=True, text=True, check=True).stdout
    return sorted(set(re.findall(r"(?:=> |^\s+)(/(?:usr/)?lib\S+) \(0x", said, re.MULTILINE)))


def _program_image(engine: DockerEngine, program: str, image: str, folder: str) -> None:
    """busybox, the program, what it loads, and a folder of its user's for its data."""
    path = Path(require(program)).resolve()
    shared = Path(
        "/usr/share/prometheus/alertmanager"
    )  # templates, which Debian keeps apart from the program
    files = (str(path), *_libraries(path), *(str(file) for file in shared.glob("*.tmpl")))
    with tempfile.TemporaryDirectory() as context:
        for file in files:
            place = Path(context, "root", file[1:])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            place.chmod(0o755)
        data = f"RUN mkdir {folder} && chown 65534:65534 {folder}"
        start = f"ENTRYPOINT {json.dumps([str(path)])}"
        _build(engine, image, f"FROM {BUSYBOX}\nCOPY root /\n{data}\n{start}\n", Path(context))


def _build(engine: DockerEngine, image: str, dockerfile: str, context: Path) -> None:
    (context / "Dockerfile").write_text(dockerfile)
    engine.docker("build", "--quiet", "--tag", image, str(context))


class Stack:
    """docker-compose on both files."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self._engine = engine
        (folder / "config.yaml").write_text(CATALOG)
        catalog = load_catalog(folder / "config.yaml", "dev")
        self._deploy = folder / "deploy/dev"
        outputs: dict[str, Render] = {
            "prometheus": prometheus.render,
            "prometheus/rules": alerts.render,
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
        """Let packets pass inside the stack's networks: the tests' engine sets no rules, and another engine of this
        machine may have set some that let nothing pass.
        """
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
        """What a container of the stack gets from a URL."""
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
    # None is root, and none can write to its own root.
    for service in ("exporter", "prometheus", "alertmanager"):
        assert stack.compose("exec", "-T", service, "id", "-u").strip() in ("65532", "65534")
        tried = stack.compose("exec", "-T", service, "sh", "-c", "touch /x 2>&1 || true")
        assert "Read-only file system" in tried
