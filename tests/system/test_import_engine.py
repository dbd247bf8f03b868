"""A running project of ten containers, read from a real engine: nothing lost, no value of a secret kept."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.host.engine import connected
from exporter.imports.compose.reading import read_project
from exporter.imports.engine.filling import with_files
from exporter.imports.engine.reading import SEEN, read_engine
from tests.components import require
from tests.docker_engine import IMAGE, DockerEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.imports.engine.reading import EngineContent

COMPOSE = f"""
version: "2.4"
x-common: &common
  image: {IMAGE}
  command: [sleep, "1000"]
  stop_signal: KILL
services:
  Web_1.x:
    <<: *common
    scale: 2
    ports: ["81"]
    networks: {{default: {{aliases: [front]}}, edge: null}}
  db:
    <<: *common
    environment: {{POSTGRES_PASSWORD: hunter2-db, PGDATA: /data}}
    volumes: [data:/data, old:/old:ro, /scratch]
    healthcheck: {{test: ["CMD", "true"], interval: 1s, timeout: 1500ms, retries: 2}}
    restart: unless-stopped
  cache:
    <<: *common
    command: ["sh", "-c", "sleep 1000 # --requirepass hunter2-cache $$HOME"]
  api:
    <<: *common
    env_file: api.env
    ports: ["127.0.0.1:18080:8000", "18053:53/udp"]
    volumes: ["./key.txt:/run/secrets/key:ro", "./src:/src"]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
    cap_drop: [ALL]
    cap_add: [CHOWN]
    read_only: true
    tmpfs: [/tmp]
    user: "65534"
    logging: {{driver: json-file, options: {{max-size: 1m}}}}
    depends_on: {{db: {{condition: service_healthy}}}}
  worker: {{<<: *common, network_mode: "service:api"}}
  job: {{<<: *common, command: ["true"]}}
  broken:
    <<: *common
    healthcheck: {{test: "exit 1", interval: 1s, retries: 1}}
  sidecar: {{<<: *common, network_mode: host}}
  proxy: {{<<: *common, hostname: gate, container_name: gate, labels: {{traefik.enable: "true"}}, networks: [edge]}}
networks:
  edge: {{internal: true}}
volumes:
  data: {{}}
  old: {{external: true, name: kept-elsewhere}}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imp") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[DockerEngine]:
    app = folder / "My App"
    (app / "src").mkdir(parents=True)
    (app / "key.txt").write_text("hunter2-file")
    (app / "api.env").write_text("API_TOKEN=hunter2-env\nMODE=on\n")
    (app / "docker-compose.yml").write_text(COMPOSE)
    compose = require("docker-compose")
    (folder / "e").mkdir()
    with DockerEngine(folder / "e") as engine:
        engine.docker("volume", "create", "kept-elsewhere")
        environment = {**os.environ, "DOCKER_HOST": engine.host, "COMPOSE_PROJECT_NAME": ""}
        done = subprocess.run(
            [compose, "up", "--detach"], cwd=app, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        engine.run("--name", "lone", "--env", "TOKEN=hunter2-lone", "--publish", "127.0.0.1:18099:99")
        yield engine
        engine.remove_all()


@pytest.fixture(scope="module")
def content(engine: DockerEngine) -> EngineContent:
    with connected(engine.host) as opened:
        return read_engine(opened)


def test_a_project_of_ten_containers_is_read_from_the_engine(content: EngineContent) -> None:
    [found] = content.projects
    model = found.project.model
    services = model["services"]
    assert found.project.name == "myapp"
    assert {*services} == {"Web_1.x", "db", "cache", "api", "worker", "job", "broken", "sidecar", "proxy"}
    assert sum(len(keys[SEEN]["containers"]) for keys in services.values()) == 10
    web, database, api = services["Web_1.x"], services["db"], services["api"]
    assert (web["scale"], web["ports"]) == (2, ["81"])
    assert web["networks"] == {"default": {"aliases": ["front"]}, "edge": None}
    assert [*database["environment"]] == ["POSTGRES_PASSWORD", "PGDATA"]
    assert sorted(database["volumes"]) == ["/scratch", "data:/data", "kept-elsewhere:/old:ro"]
    assert database["healthcheck"] == {
        "test": ["CMD", "true"],
        "interval": "1s",
        "timeout": "1500ms",
        "retries": 2,
    }
    assert services["cache"]["command"][-1] == "sleep 1000 # --requirepass ${CACHE_REQUIREPASS} $$HOME"
    assert {key: api[key] for key in ("mem_limit", "cpus", "pids_limit", "cap_drop", "cap_add", "user")} == {
        "mem_limit": "64m",
        "cpus": 0.5,
        "pids_limit": 50,
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN"],
        "user": "65534",
    }
    assert sorted(api["ports"]) == ["127.0.0.1:18080:8000", "18053:53/udp"]
    assert (api["secrets"], api["read_only"], [*api["environment"]]) == (["key"], True, ["API_TOKEN", "MODE"])
    assert services["worker"]["network_mode"] == "service:api"
    assert services["sidecar"]["network_mode"] == "host"
    assert services["job"][SEEN]["state"] == "exited"
    assert (services["proxy"]["hostname"], services["proxy"]["container_name"]) == ("gate", "gate")
    assert model["volumes"] == {
        "data": {"name": "myapp_data"},
        "kept-elsewhere": {"name": "kept-elsewhere", "external": True},
    }
    assert model["networks"]["edge"] == {"name": "myapp_edge", "internal": True}
    assert content.loose is not None
    assert content.loose.model["services"]["lone"]["ports"] == ["127.0.0.1:18099:99"]


def test_no_value_of_a_secret_is_kept(content: EngineContent) -> None:
    assert "hunter2" not in repr(content)


def test_files_that_the_labels_name_are_filled_in(content: EngineContent, folder: Path) -> None:
    [found] = content.projects
    assert found.files == (folder / "My App/docker-compose.yml",)
    project = with_files(found, lambda files, name: read_project(files, name=name, environment={}))
    services = project.model["services"]
    assert services["db"]["healthcheck"]["interval"] == "1s"
    assert all(keys[SEEN]["containers"] for keys in services.values())
    assert project.model["volumes"] == {
        "data": {"name": "myapp_data"},
        "old": {"external": True, "name": "kept-elsewhere"},
    }
    assert project.place(("services", "db", "healthcheck")).line > 0
