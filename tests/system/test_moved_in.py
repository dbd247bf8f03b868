"""Compose projects of somebody else move in: `init --own`, `gen` and `docker-compose up` start the same services again,
with the data that they had before.

The stores are this machine's programs under the names of the public images (local_images.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.components import require
from tests.docker_engine import IMAGE, DockerEngine
from tests.system.local_images import POSTGRESQL, REDIS, import_postgresql, import_redis
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

pytestmark = pytest.mark.timeout(400)

PASSWORD = "hunter2-of-the-store"
PLAIN = """
x-common: &common {image: "busybox:local", stop_signal: KILL}
services:
  web:
    <<: *common
    command: sh -c 'test -e /pages/kept || echo kept >/pages/kept; exec httpd -f -p 8000 -h /pages'
    ports: ["127.0.0.1:PORT:8000"]
    volumes: ["pages:/pages", "./settings:/settings:ro"]
    environment: [MODE=live, "EMPTY=", "COLOUR=${COLOUR:-blue}"]
    healthcheck: {test: ["CMD", "wget", "-qO-", "http://127.0.0.1:8000/kept"], interval: 1s, retries: 30}
  worker:
    <<: *common
    command: ["sh", "-c", "exec sleep $$((100000))"]
    depends_on: {web: {condition: service_healthy}}
    networks: {default: , behind: {aliases: [hands]}}
    tmpfs: /scratch
    user: "1000:1000"
    extra_hosts: ["old.example:192.0.2.7"]
    ulimits: {nofile: 2048}
  seed:
    <<: *common
    command: ["true"]
    profiles: [seed]
volumes: {pages: }
networks: {behind: {internal: true}}
"""
STORES = f"""
services:
  app:
    image: busybox:local
    command: [httpd, -f, -p, "8000", -h, /bin]
    stop_signal: KILL
    environment: {{DATABASE_HOST: db, REDIS_URL: "redis://cache:6379/0"}}
    ports: ["127.0.0.1:PORT:8000"]
    depends_on: [db, cache]
  db:
    image: postgres:16
    environment: {{POSTGRES_USER: app, POSTGRES_DB: shop, POSTGRES_PASSWORD: {PASSWORD}}}
    volumes: ["rows:/var/lib/postgresql/data"]
    healthcheck: {{test: ["CMD-SHELL", "pg_isready -U app"], interval: 1s, retries: 30}}
  cache:
    image: redis:7.4
    command: redis-server --appendonly yes
    volumes: ["keys:/data"]
volumes: {{rows: , keys: }}
"""


class Moving:
    """A Compose project in a folder of its name, and what becomes of it. `now`: the project that runs."""

    def __init__(self, folder: Path, engine: DockerEngine, text: str) -> None:
        self.folder = folder
        self.engine = engine
        self.now = folder.name
        self._file = folder / "docker-compose.yml"
        (folder / "settings").mkdir(parents=True)
        self._file.write_text(text.replace("busybox:local", IMAGE).replace("PORT", str(free_port())))
        self._variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": engine.host,
            "SECRETS_FOLDER": str(folder / "secrets-of-host"),
            "STATE_FOLDER": str(folder / "state"),
        }

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._variables, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def compose(self, *arguments: str) -> str:
        return self.run(require("docker-compose"), "-p", self.now, "-f", str(self._file), *arguments)

    def move(self, **secrets: str) -> dict[str, Any]:
        """Stop what runs, and start it again from a catalog, which is returned."""
        exporter = (sys.executable, "-m", "exporter")
        self.compose("down", "--timeout", "10")
        self.run(*exporter, "init", "--own")
        written = (self.folder / "config.yaml").read_text()
        assert PASSWORD not in written
        catalog: dict[str, Any] = yaml.safe_load(written)
        (self.folder / "secrets").mkdir()
        for name, value in secrets.items():
            (self.folder / "secrets" / name).write_text(value)
        self.run(*exporter, "gen")
        [self._file] = self.folder.glob("deploy/*/compose.yaml")
        self.now = f"{self.now}-{self._file.parent.name}"
        if secrets:
            self.run(*exporter, "secrets", "create", "-e", self._file.parent.name)
        self.compose("up", "--detach")
        return catalog

    def inside(self, service: str, *command: str) -> str:
        return self.engine.docker("exec", f"{self.now}_{service}_1", *command)

    def until(self, answer: str, service: str, *command: str) -> None:
        """Wait until a program in a service's container answers so."""

        def answers() -> bool:
            try:
                return self.inside(service, *command) == answer
            except AssertionError:
                return False

        try:
            until(answers, f"{service} to answer {answer}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--no-color', service)}") from None

    def inspect(self, service: str, form: str) -> str:
        return self.engine.docker("inspect", "--format", form, f"{self.now}_{service}_1")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with tempfile.TemporaryDirectory(prefix="mov") as folder, DockerEngine(Path(folder)) as engine:
        yield engine
        engine.remove_all()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_services_with_their_ports_files_and_settings(engine: DockerEngine, folder: Path) -> None:
    moving = Moving(folder / "plain", engine, PLAIN)
    get = ("wget", "-qO-", "http://127.0.0.1:8000/kept")
    moving.compose("up", "--detach")
    moving.until("kept", "web", *get)
    moving.inside("web", "sh", "-c", "echo mine >/pages/kept")
    catalog = moving.move()
    assert {*catalog["services"]} == {"web", "worker", "seed"}
    moving.until("mine", "web", *get)
    assert (
        moving.inside("web", "sh", "-c", "echo $MODE-$COLOUR; stat -c %F /settings") == "live-blue\ndirectory"
    )
    assert moving.inside("worker", "sh", "-c", "id -u; id -g; ulimit -n") == "1000\n1000\n2048"
    assert "192.0.2.7\told.example" in moving.inside("worker", "cat", "/etc/hosts")
    assert "hands" in moving.inspect("worker", "{{json .NetworkSettings.Networks}}")
    assert "tmpfs /scratch tmpfs" in moving.inside("worker", "cat", "/proc/mounts")
    running = moving.engine.docker("ps", "--all", "--format", "{{.Names}}").split()
    assert not [name for name in running if "seed" in name]
    moving.compose("down", "--volumes", "--timeout", "1")


def test_stores_with_their_data(engine: DockerEngine, folder: Path) -> None:
    import_postgresql(engine)
    import_redis(engine)
    engine.docker("tag", POSTGRESQL, "postgres:16")
    engine.docker("tag", REDIS, "redis:7.4")
    moving = Moving(folder / "stores", engine, STORES)
    psql = ("psql", "-U", "app", "-d", "shop", "-tAc")
    moving.compose("up", "--detach")
    moving.until("1", "db", *psql, "SELECT 1")
    moving.inside("db", *psql, "CREATE TABLE kept AS SELECT 'kept' AS what")
    moving.until("OK", "cache", "redis-cli", "set", "what", "kept")
    catalog = moving.move(db_postgres_password=PASSWORD)
    assert ({*catalog["services"]}, {*catalog["stores"]}) == ({"app"}, {"db", "cache"})
    moving.until("kept", "db", *psql, "SELECT what FROM kept")
    moving.until("kept", "cache", "redis-cli", "get", "what")
    assert PASSWORD not in moving.inspect("db", "{{json .Config.Env}}")
    until(lambda: moving.inspect("db", "{{.State.Health.Status}}") == "healthy", "db to be healthy", 60)
    moving.compose("down", "--volumes", "--timeout", "10")
