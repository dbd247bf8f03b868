"""A Compose project of somebody else on a real engine is only watched: each of its services is shown, the series of
the alerts name what is broken, `status` says that it is watched, and nothing of the project changes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.components import require
from tests.daemon.running import RunningDaemon, running_daemon
from tests.docker_engine import IMAGE
from tests.system.separate_engine import SeparateEngine
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docker_engine import DockerEngine

pytestmark = pytest.mark.timeout(400)

PROJECT = "old_shop"
THEIRS = f"""
services:
  web: {{image: "{IMAGE}", command: [httpd, -f, -p, "80"], restart: unless-stopped, stop_signal: KILL}}
  Worker_1.x: {{image: "{IMAGE}", command: [sleep, "100000"], stop_signal: KILL}}
  seed: {{image: "{IMAGE}", command: ["true"]}}
  broken: {{image: "{IMAGE}", command: ["false"]}}
  stranger: {{image: "{IMAGE}", command: [sleep, "100000"], stop_signal: KILL}}
"""
CATALOG = f"""
project: shop
managed: off
exporter: {{containers: {{docker: "{{docker}}", interval: 1s}}}}
observe: {{projects: {PROJECT}, networks: {PROJECT}_default}}
services:
  web: {{}}
  worker: {{containers: Worker_1.x}}
  seed: {{image: "seed:1"}}
  broken: {{containers: {{project: {PROJECT}, service: broken}}}}
  alone: {{containers: {{name: by-hand}}}}
  gone: {{}}
environments: {{test: {{}}}}
"""
STATES = {"web": "up", "worker": "up", "seed": "up", "broken": "down", "alone": "up", "gone": "down"}


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with (
        tempfile.TemporaryDirectory(prefix="wat", dir="/tmp") as folder,
        SeparateEngine(Path(folder)) as engine,
    ):
        yield engine


@contextmanager
def project_of_somebody_else(engine: DockerEngine, folder: Path) -> Iterator[None]:
    file = folder / "docker-compose.yml"
    file.write_text(THEIRS)
    program = [require("docker-compose"), "-p", PROJECT, "-f", str(file)]
    env = {**os.environ, "DOCKER_HOST": engine.host}
    up = subprocess.run(
        [*program, "up", "-d", "--scale", "web=2"], env=env, capture_output=True, text=True, timeout=600
    )
    assert up.returncode == 0, up.stderr
    engine.run("--name", "by-hand")
    try:
        yield
    finally:
        engine.remove_all()
        engine.docker("network", "rm", f"{PROJECT}_default")


def everything(engine: DockerEngine) -> dict[str, Any]:
    """Return what the engine says of each container, without what passes by itself; networks and volumes by id."""
    ids = sorted(engine.docker("ps", "--all", "--quiet", "--no-trunc").split())
    found: dict[str, Any] = {each["Id"]: each for each in json.loads(engine.docker("inspect", *ids))}
    found["networks"] = sorted(engine.docker("network", "ls", "--quiet", "--no-trunc").split())
    found["volumes"] = sorted(engine.docker("volume", "ls", "--quiet").split())
    return found


def states(daemon: RunningDaemon) -> dict[str, str]:
    services = daemon.http.get("/api/v1/services").raise_for_status().json()["services"]
    return {each["name"]: each["state"] for each in services}


def exporter(engine: DockerEngine, config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *words, "-c", str(config)],
        env={**os.environ, "DOCKER_HOST": engine.host, "STATE_FOLDER": str(config.parent / "state")},
        capture_output=True,
        text=True,
        timeout=300,
    )


def stack_reaches_them(engine: DockerEngine, folder: Path) -> None:
    """Assert that the generated exporter joins their network. Its image has nothing but busybox here."""
    file = folder / "deploy/test/compose.monitoring.yaml"
    image = yaml.safe_load(file.read_text())["services"]["exporter"]["image"]
    engine.docker("tag", IMAGE, image.replace("${TAG}", "1"))
    program = [require("docker-compose"), "-p", "shop-test", "-f", str(file)]
    variables = {"DOCKER_HOST": engine.host, "STATE_FOLDER": str(folder / "state"), "TAG": "1"}
    (folder / "state").mkdir(exist_ok=True)
    options = ("--rm", "--no-deps", "--entrypoint", "wget", "exporter", "-qO-", "http://web/etc/hosts")
    done = subprocess.run(
        [*program, "run", *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "localhost" in done.stdout


def test_it_is_watched_and_never_changed(engine: DockerEngine, tmp_path: Path) -> None:
    with project_of_somebody_else(engine, tmp_path):
        exited = "{{.State.Status}}"
        until(lambda: engine.docker("inspect", "-f", exited, f"{PROJECT}_broken_1") == "exited", "the fault")
        before = everything(engine)
        catalog = CATALOG.replace("{docker}", engine.host)
        with running_daemon(tmp_path, catalog, env={"DOCKER_HOST": engine.host}) as daemon:
            until(lambda: states(daemon) == STATES, "the states", 120)
            for name, wanted, runs in (("web", 2, 2), ("worker", 1, 1), ("broken", 1, 0), ("gone", 1, 0)):
                label = f'service="{name}"'
                assert daemon.value("service_containers_wanted{", label) == wanted
                assert daemon.value("service_containers_running{", label) == runs
            assert daemon.lines("service_containers_wanted{", 'service="seed"') == []
            assert daemon.value("container_exit_code{", 'service="broken"') == 1
            assert daemon.lines('container_label_com_docker_compose_service="stranger"', ',service="') == []
        config = tmp_path / "config.yaml"
        made = exporter(engine, config, "gen", "-e", "test", "--out", str(tmp_path))
        assert made.returncode == 0, made.stderr
        assert not (tmp_path / "deploy/test/compose.yaml").exists()
        stack_reaches_them(engine, tmp_path)
        status = exporter(engine, config, "status", "-e", "test", "--json")
        rows = {row["name"]: row for row in json.loads(status.stdout)["services"]}
        assert {name: rows[name]["managed"] for name in STATES} == dict.fromkeys(STATES, False)
        assert (rows["web"]["running"], rows["broken"]["health"]) == (2, "exited 1")
        for command in (("deploy", "--yes", "--tag", "v1"), ("backup",)):
            refused = exporter(engine, config, *command, "-e", "test")
            assert refused.returncode == 2, refused.stderr
            assert "only watched" in refused.stderr
        removed = exporter(engine, config, "destroy", "--yes", "--volumes", "-e", "test")
        assert removed.returncode == 0, removed.stderr
        assert "what is only watched stays" in removed.stdout + removed.stderr
        assert everything(engine) == before
