"""`exporter init --from docker` on a running project of ten containers: the daemon shows each of its services, and when
one breaks, its alert fires in a real Prometheus, with the generated rules.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.alertmanager_server import alertmanager
from tests.components import require
from tests.daemon.running import running_daemon
from tests.docker_engine import IMAGE, DockerEngine
from tests.prometheus_server import prometheus
from tests.system.stack import ENVIRONMENT, Stack, generate
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

pytestmark = pytest.mark.timeout(400)

PROJECT = "old_shop"
SECRET = "hunter2-in-clear"
THEIRS = f"""
version: "2.4"
x-common: &common
  image: "{IMAGE}"
  command: [sleep, "100000"]
  stop_signal: KILL
  restart: unless-stopped
services:
  web: {{<<: *common, scale: 2, command: [httpd, -f, -p, "80"]}}
  Worker_1.x: *common
  api:
    <<: *common
    environment: {{API_TOKEN: {SECRET}, MODE: live}}
    healthcheck: {{test: "test ! -e /tmp/broken", interval: 1s, retries: 1}}
  cache: *common
  queue: *common
  mailer: *common
  search: *common
  images: {{<<: *common, networks: [default, edge]}}
  broken: *common
networks: {{edge: {{internal: true}}}}
"""
SERVICES = {"web", "Worker_1.x", "api", "cache", "queue", "mailer", "search", "images", "broken"}
AT_ONCE = {"ContainerUnhealthy": {"for": "0s"}, "ServiceNotRunning": {"for": "0s"}}


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="ini", dir="/tmp") as folder,
        tempfile.TemporaryDirectory() as place,
        DockerEngine(Path(folder)) as engine,
    ):
        file = Path(place) / "docker-compose.yml"
        file.write_text(THEIRS)
        _run([require("docker-compose"), "-p", PROJECT, "-f", str(file), "up", "-d"], engine)
        file.unlink()  # what runs is all that is left of it
        try:
            yield engine
        finally:
            engine.remove_all()
            for network in ("default", "edge"):
                engine.docker("network", "rm", f"{PROJECT}_{network}")


def _run(command: list[str], engine: DockerEngine) -> str:
    done = subprocess.run(
        command, env={**os.environ, "DOCKER_HOST": engine.host}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def written(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return what init said, and the catalog that it wrote."""
    file = tmp_path_factory.mktemp("init") / "config.yaml"
    said = _run(
        [sys.executable, "-m", "exporter", "init", "--from", f"docker:{PROJECT}", "--out", str(file)], engine
    )
    return said, file.read_text()


def test_the_catalog_has_every_service_and_no_value_of_a_secret(written: tuple[str, str]) -> None:
    said, text = written
    catalog = yaml.safe_load(text)
    assert catalog["managed"] is False
    assert {*catalog["services"]} == SERVICES
    assert ", valid" in said
    assert SECRET not in said + text


def test_the_daemon_shows_each_service_and_the_broken_one_fires(
    engine: DockerEngine, written: tuple[str, str], tmp_path: Path
) -> None:
    port = free_port()
    catalog = _for_the_stack(yaml.safe_load(written[1]), engine, port)
    text = yaml.safe_dump(catalog)
    (tmp_path / "rules.yaml").write_text(text)
    generate(tmp_path / "rules.yaml", tmp_path / "out")
    deploy = tmp_path / "out/deploy" / ENVIRONMENT
    with ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(tmp_path, text, env={"DOCKER_HOST": engine.host}))
        config = deploy / "prometheus/prometheus.yml"
        config.write_text(config.read_text().replace("exporter:9877", daemon.url.removeprefix("http://")))
        stack.enter_context(alertmanager(tmp_path, deploy / "alertmanager/alertmanager.yml", port))
        running = Stack(daemon, stack.enter_context(prometheus(config, tmp_path / "tsdb")))

        def states() -> dict[str, str]:
            found = daemon.http.get("/api/v1/services").raise_for_status().json()["services"]
            return {each["name"]: each["state"] for each in found}

        until(lambda: states() == dict.fromkeys(SERVICES, "up"), "every service to be up", 60)
        assert daemon.value("service_containers_running{", 'service="web"') == 2
        running.until_only(seconds=60)
        engine.docker("exec", f"{PROJECT}_api_1", "touch", "/tmp/broken")
        engine.docker("stop", f"{PROJECT}_broken_1")
        running.until_firing(("ContainerUnhealthy", "api"), ("ServiceNotRunning", "broken"), seconds=120)
        assert {service for _, service in running.firing()} == {"api", "broken"}
        assert {name for name, state in states().items() if state != "up"} == {"api", "broken"}


def _for_the_stack(catalog: dict[str, Any], engine: DockerEngine, port: int) -> dict[str, Any]:
    """Return the catalog with the tests' programs, and without the waits of the alerts in question."""
    catalog["exporter"] = {
        **catalog.get("exporter", {}),
        "alertmanagers": f"http://127.0.0.1:{port}",
        "containers": {"docker": engine.host, "interval": "1s"},
    }
    catalog["prometheus"] = {"scrape_interval": "1s"}
    defaults = catalog.setdefault("defaults", {})
    defaults["alerts"] = {**defaults.get("alerts", {}), **AT_ONCE}
    catalog["environments"] = {ENVIRONMENT: {}}
    return catalog
