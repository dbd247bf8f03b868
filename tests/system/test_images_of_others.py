"""Images of others start as their publishers mean them to: at first, and again with their data."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.components import require
from tests.system.images_of_others import BASE, CAPABLE, import_all
from tests.system.separate_engine import SeparateEngine, client_environment
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(1800)
SECONDS = 300
PASSWORD = 'p w$x#"y'
CATALOG = f"""
project: shop
defaults: {{resources: {{memory: 1G}}}}
services:
  nginx: {{image: "nginx-like:local", port: 80, volumes: "pages:/var/www/html"}}
  postgres:
    image: postgres-like:local
    volumes: pg:/var/lib/postgresql/data
    environment: {{POSTGRES_PASSWORD: {{secret: password}}}}
  redis: {{image: "redis-like:local", volumes: "cache:/data"}}
  mariadb:
    image: mariadb-like:local
    volumes: maria:/var/lib/mysql
    environment: {{MARIADB_ROOT_PASSWORD: {{secret: password, as: variable}}}}
  rabbitmq: {{image: "rabbitmq-like:local", volumes: "rabbit:/var/lib/rabbitmq"}}
  capable: {{image: "{CAPABLE}"}}
  strict:
    image: {BASE}
    hardening: strict
    writable: /usr/local/share
    command: sh -c "echo kept >/usr/local/share/a && echo kept >/tmp/a && exec sleep 100000"
stores:
  keys: {{engine: redis, image: "redis-like:local", volume: keys, password: {{secret: password}}}}
volumes: {{pages: , pg: , cache: , maria: , rabbit: }}
secrets: {{password: }}
environments: {{test: {{address: "{{service}}:{{port}}"}}}}
"""
NAMES = ("nginx", "postgres", "redis", "mariadb", "rabbitmq", "capable", "strict", "keys")


class Ask(NamedTuple):
    """A program to run in a service's container, with options of `docker exec`."""

    service: str
    command: tuple[str, ...]
    options: tuple[str, ...] = ()

    def __call__(self, *words: str) -> Ask:
        return self._replace(command=(*self.command, *words))


_NGINX = Ask("nginx", ("bash", "-c"))
_PSQL = Ask(
    "postgres",
    ("psql", "-tA", "-h", "/run/postgresql", "-c"),
    ("--user", "postgres", "--env", f"PGPASSWORD={PASSWORD}"),
)
_REDIS = Ask("redis", ("redis-cli",))
_MARIADB = Ask("mariadb", ("mariadb", "-uroot", "-N", "-e"), ("--env", f"MYSQL_PWD={PASSWORD}"))
_RABBIT = Ask("rabbitmq", ("sh", "-c"), ("--user", "rabbitmq"))
_KEYS = Ask("keys", ("redis-cli",), ("--env", f"REDISCLI_AUTH={PASSWORD}"))
_GET = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET /kept.html HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"
READY = (
    (_NGINX("exec 3<>/dev/tcp/127.0.0.1/80 && echo yes"), "yes"),
    (_PSQL("SELECT 1"), "1"),
    (_REDIS("ping"), "PONG"),
    (_MARIADB("SELECT 1"), "1"),
    (_RABBIT("rabbitmqctl await_startup -q && echo yes"), "yes"),
    (Ask("capable", ("id", "-un")), "nobody"),
    (Ask("strict", ("cat", "/usr/local/share/a", "/tmp/a")), "kept\nkept"),
    (_KEYS("ping"), "PONG"),
)
WRITTEN = (
    _NGINX("echo kept >/var/www/html/kept.html"),
    _PSQL("CREATE TABLE kept AS SELECT 'kept' AS what"),
    _REDIS("set", "what", "kept"),
    _MARIADB("CREATE DATABASE kept; CREATE TABLE kept.kept AS SELECT 'kept' AS what"),
    _RABBIT("rabbitmqctl -q add_vhost kept"),
    _KEYS("set", "what", "kept"),
    _KEYS("save"),
)
READ = (
    _NGINX(_GET),
    _PSQL("SELECT what FROM kept"),
    _REDIS("get", "what"),
    _MARIADB("SELECT what FROM kept.kept"),
    _RABBIT("rabbitmqctl -q list_vhosts | grep kept"),
    _KEYS("get", "what"),
)
USERS = {
    "postgres": "postgres",
    "redis": "redis",
    "mariadb": "mysql",
    "rabbitmq": "rabbitmq",
    "capable": "nobody",
    "strict": "65532",
    "keys": "redis",
}
"""Users of the first process, by name where the image has one."""


class Site:
    """The generated application on an engine."""

    def __init__(self, folder: Path, engine: SeparateEngine) -> None:
        self.folder = folder
        self.engine = engine
        self.deploy = folder / "deploy/test"
        self.variables = {
            **client_environment(engine, 1),
            "SECRETS_FOLDER": str(folder / "secrets-of-host"),
            "STATE_FOLDER": str(folder / "state"),
        }
        (folder / "config.yaml").write_text(CATALOG)
        (folder / "secrets").mkdir()
        (folder / "secrets/password").write_text(PASSWORD)
        self.run(
            sys.executable, "-m", "exporter", "gen", "-c", str(folder / "config.yaml"), "--out", str(folder)
        )
        self.run(
            *(sys.executable, "-m", "exporter", "secrets", "create", "-e", "test"),
            *("-c", str(folder / "config.yaml")),
        )

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def compose(self, *arguments: str) -> str:
        files = ("-p", "shop-test", "-f", str(self.deploy / "compose.yaml"))
        return self.run(require("docker-compose"), *files, *arguments)

    def up(self) -> None:
        """Start everything, and wait until each server answers."""
        self.compose("up", "--detach")
        for question, answer in READY:
            self.wait(question, answer)

    def wait(self, question: Ask, answer: str) -> None:
        """Wait for the answer."""
        try:
            until(lambda: self.ask(question) == answer, f"{question.service} to answer", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--no-color', question.service)}") from None

    def ask(self, question: Ask) -> str | None:
        """Return the program's output; None if it fails."""
        done = subprocess.run(
            [
                require("docker"),
                "exec",
                *question.options,
                self.container(question.service),
                *question.command,
            ],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout.strip() if done.returncode == 0 else None

    def container(self, name: str) -> str:
        return f"shop-test_{name}_1"

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.engine.docker("inspect", self.container(name)))[0])


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="app-") as folder,  # must be short: it holds sockets
        tempfile.TemporaryDirectory() as images,
        tempfile.TemporaryDirectory() as tree,
        SeparateEngine(Path(folder)) as engine,
    ):
        import_all(engine, Path(images))
        place = Site(Path(tree), engine)
        try:
            yield place
        finally:
            place.compose("down", "--volumes", "--timeout", "2")


def test_they_start_and_start_again_with_their_data(site: Site) -> None:
    site.up()
    for question in WRITTEN:
        assert site.ask(question) is not None, question
    for again in (("restart", "--timeout", "30"), ("down", "--timeout", "30")):
        site.compose(*again)
        site.up()
        assert [site.ask(question) for question in READ] == ["kept"] * len(READ)
    for name in NAMES:
        state = site.inspect(name)
        assert (state["State"]["Running"], state["RestartCount"]) == (True, 0), name


def test_each_runs_as_its_own_user_without_more_than_it_needs(site: Site) -> None:
    site.up()
    for name, user in USERS.items():
        found = site.ask(Ask(name, ("stat", "-c", "%U:%u", "/proc/1")))
        assert found is not None
        assert user in found.split(":"), name
        state = site.ask(Ask(name, ("grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/1/status")))
        assert state is not None
        assert state.split() == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"], name


def test_the_value_of_a_secret_is_in_the_container_alone(site: Site) -> None:
    site.up()
    assert f"MARIADB_ROOT_PASSWORD={PASSWORD}" in site.inspect("mariadb")["Config"]["Env"]
    others = [
        value for name in NAMES if name != "mariadb" for value in site.inspect(name)["Config"]["Env"] or ()
    ]
    assert not [value for value in others if PASSWORD in value]
    for path in (site.folder / "deploy").rglob("*"):
        assert not path.is_file() or PASSWORD not in path.read_text()
    file = site.folder / "secrets-of-host/.env.mariadb"
    assert file.stat().st_mode & 0o777 == 0o400
