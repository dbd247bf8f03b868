"""Containers of stores: requirements of the official images to run without root, as far as testable without the
images."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.outputs.base import OutputError
from tests.components import require
from tests.outputs.catalogs import catalog_of
from tests.outputs.compose_files import compose_of, files_of
from tests.probes.certificates import Authority
from tests.probes.mysql.server import MariadbServer
from tests.probes.postgresql.server import ADMIN, PostgresqlServer
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.probes.certificates import Certificate

PASSWORD = "p w'\"$x`#>ü"
TIMEOUT = 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost", "127.0.0.1")


def store_of(folder: Path, store: str) -> dict[str, Any]:
    text = f"project: shop\nservices: {{}}\nstores: {{db: {store}}}\nsecrets: {{pass: }}\n"
    return dict(compose_of(catalog_of(folder, text))["services"]["db"])


@pytest.mark.parametrize(
    ("store", "image", "user", "data"),
    [
        ("{engine: postgresql}", "postgres:17", "postgres", "/var/lib/postgresql/data"),
        ("{engine: postgresql, version: '18.1'}", "postgres:18.1", "postgres", "/var/lib/postgresql"),
        (
            "{engine: postgresql, version: 16-alpine}",
            "postgres:16-alpine",
            "postgres",
            "/var/lib/postgresql/data",
        ),
        (
            "{engine: postgresql, image: 'r:5000/pg', version: 17}",
            "r:5000/pg:17",
            "postgres",
            "/var/lib/postgresql/data",
        ),
        (
            "{engine: postgresql, image: 'pg@sha256:18', version: 16}",
            "pg@sha256:18",
            "postgres",
            "/var/lib/postgresql/data",
        ),
        ("{engine: mongodb}", "mongo:8.0", "mongodb", "/data/db"),
        ("{engine: redis}", "redis:7.4", "redis", "/data"),
        ("{engine: redis, version: 7.4-alpine}", "redis:7.4-alpine", "redis", "/data"),
        ("{engine: redis, image: 'valkey/valkey:8'}", "valkey/valkey:8", "valkey", "/data"),
        ("{engine: valkey}", "valkey/valkey:8.1", "valkey", "/data"),
        ("{engine: mysql}", "mysql:8.4", "mysql", "/var/lib/mysql"),
        ("{engine: mariadb}", "mariadb:11.8", "mysql", "/var/lib/mysql"),
        ("{engine: mariadb, version: '10.11'}", "mariadb:10.11", "mysql", "/var/lib/mysql"),
    ],
)
def test_the_user_of_the_image_owns_the_data(
    store: str, image: str, user: str, data: str, tmp_path: Path
) -> None:
    service = store_of(tmp_path, store)
    assert (service["image"], service["user"]) == (image, user)
    assert service["volumes"][0] == {"type": "volume", "source": "db-data", "target": data}


def test_ports_of_their_own(tmp_path: Path) -> None:
    assert store_of(tmp_path, "{engine: postgresql, port: 6000}")["environment"]["PGPORT"] == "6000"
    assert store_of(tmp_path, "{engine: mongodb, port: 6000}")["command"] == ["mongod", "--port", "6000"]
    assert store_of(tmp_path, "{engine: redis, port: 6000}")["command"] == ["redis-server", "--port", "6000"]
    assert store_of(tmp_path, "{engine: valkey, port: 6000}")["command"] == [
        "valkey-server",
        "--port",
        "6000",
    ]
    for engine in ("mysql", "mariadb"):
        assert store_of(tmp_path, f"{{engine: {engine}, port: 6000}}")["command"] == ["--port=6000"]
    for engine in ("postgresql", "mysql", "mariadb", "mongodb", "redis", "valkey"):
        assert "6000" in str(store_of(tmp_path, f"{{engine: {engine}, port: 6000}}")["healthcheck"]["test"])


@pytest.mark.parametrize(
    ("store", "shell"),
    [
        ("{engine: mongodb}", "mongosh"),
        ("{engine: mongodb, version: '5.0'}", "mongosh"),
        ("{engine: mongodb, version: 4.4}", "mongo"),
        ("{engine: mongodb, image: 'r:5000/mongo:4.2-bionic', version: '8'}", "mongo"),
    ],
)
def test_mongodb_is_asked_by_the_shell_of_its_image(store: str, shell: str, tmp_path: Path) -> None:
    assert store_of(tmp_path, store)["healthcheck"]["test"][-1].split()[:2] == ["exec", shell]


def test_a_command_of_the_catalog_replaces_ours(tmp_path: Path) -> None:
    service = store_of(
        tmp_path, "{engine: redis, password: {secret: pass}, command: [redis-server, /etc/r$.conf]}"
    )
    assert service["command"] == ["redis-server", "/etc/r$$.conf"]


def test_databases_are_made_by_postgresql(tmp_path: Path) -> None:
    """Run the script that the image passes to psql in the same way."""
    databases = """[first, 'a"b', "-c; DROP", first, postgres, "e\\n:f\\\\g ü"]"""
    text = f"project: shop\nservices: {{}}\nstores: {{db: {{engine: postgresql, databases: {databases}}}}}\n"
    script = files_of(catalog_of(tmp_path, text))["stores/db/10-databases.sql"]
    certificate = Authority(tmp_path).issue("localhost")
    with PostgresqlServer(certificate) as server:
        psql = [require("psql"), "-h", str(server.folder), "-p", str(server.port), "-U", ADMIN]
        done = subprocess.run(
            [*psql, "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-d", "postgres", "-f", "-"],
            input=script.encode(),
            capture_output=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stderr.decode()
        found = {name for (name,) in server.sql("SELECT datname FROM pg_database WHERE NOT datistemplate")}
    assert found == {"postgres", 'a"b', "-c; DROP", "e\n:f\\g ü"}


MYSQL_VARIABLES = {
    "{engine: mysql}": {"MYSQL_ALLOW_EMPTY_PASSWORD": "yes"},
    "{engine: mariadb, databases: shop}": {
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "yes",
        "MARIADB_DATABASE": "shop",
    },
    "{engine: mysql, password: {secret: pass}}": {"MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/pass"},
    "{engine: mysql, image: 'mariadb:10.6', username: root, password: {secret: pass}}": {
        "MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/pass"
    },
    "{engine: mariadb, username: app$, password: {secret: pass}, databases: [shop, stock]}": {
        "MARIADB_DATABASE": "shop",
        "MARIADB_PASSWORD_FILE": "/run/secrets/pass",
        "MARIADB_ROOT_HOST": "localhost",
        "MARIADB_ROOT_PASSWORD_FILE": "/run/secrets/pass",
        "MARIADB_USER": "app$$",
    },
}


@pytest.mark.parametrize("store", MYSQL_VARIABLES)
def test_variables_of_mysql(store: str, tmp_path: Path) -> None:
    """Check that the superuser comes in from elsewhere only where the catalog has no other user."""
    service = store_of(tmp_path, store)
    assert service["environment"] == MYSQL_VARIABLES[store]
    assert ("mariadb-admin" in service["healthcheck"]["test"]) is ("MARIADB" in str(service["environment"]))


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("{engine: mysql, username: app}", "has a user but no password"),
        (
            '{engine: mysql, username: "a\'b", password: {secret: pass}}',
            "a quote, a backslash or a line break",
        ),
        ("{engine: mariadb, databases: ['a`b']}", "a quote, a backslash or a line break"),
    ],
)
def test_what_images_of_mysql_cannot_take(store: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=sentence):
        store_of(tmp_path, store)


def test_databases_are_made_by_mariadb(tmp_path: Path, certificate: Certificate) -> None:
    """Run the script as the image does, and log in as the user."""
    databases = r"""[first, 'a`b', "-c; DROP", first, "e\n:f\\g_h% ü"]"""
    store = f"{{engine: mariadb, username: app, password: {{secret: pass}}, databases: {databases}}}"
    text = f"project: shop\nservices: {{}}\nstores: {{db: {store}}}\nsecrets: {{pass: }}\n"
    script = files_of(catalog_of(tmp_path, text))["stores/db/10-databases.sql"]
    with MariadbServer(certificate) as server:
        server.sql("CREATE DATABASE first; CREATE USER app IDENTIFIED BY 'x'")
        server.run_script(script)
        found = server.sql("SELECT HEX(schema_name) FROM information_schema.schemata")
        granted = server.sql("SELECT HEX(db) FROM mysql.db WHERE user = 'app' AND host = '%'")
    made = {bytes.fromhex(name).decode() for (name,) in found}
    assert made >= {"first", "a`b", "-c; DROP", "e\n:f\\g_h% ü"}
    assert {bytes.fromhex(name).decode() for (name,) in granted} == {
        "a`b", "-c; DROP", "e\n:f\\\\g\\_h\\% ü"
    }  # fmt: skip


@pytest.mark.parametrize("user", ["root", "app"])
def test_health_of_mariadb(user: str, tmp_path: Path, certificate: Certificate) -> None:
    """Run the generated check on this machine: healthy by the right password without a word in the server's log."""
    with MariadbServer(certificate) as server:
        service = store_of(
            tmp_path,
            f"{{engine: mariadb, port: {server.port}, username: {user}, password: {{secret: pass}}}}",
        )
        secret = tmp_path / "pass"
        secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
        escaped = PASSWORD.replace("'", "''")
        server.sql(f"CREATE OR REPLACE USER {user}@'127.0.0.1' IDENTIFIED BY '{escaped}'")
        check = [
            part.replace("$$", "$").replace("/run/secrets/pass", str(secret))
            for part in service["healthcheck"]["test"][1:]
        ]
        assert PASSWORD not in str(check)
        healthy = subprocess.run(check, capture_output=True, timeout=TIMEOUT)
        assert healthy.returncode == 0, healthy
        assert "Access denied" not in server.log()
        server.stop()
        assert subprocess.run(check, capture_output=True, timeout=TIMEOUT).returncode == 1


class Redis:
    """The generated command and check of Redis, run by this machine's shell instead of the image's."""

    def __init__(self, folder: Path, user: str) -> None:
        self.user = user
        self.port = free_port()
        password = f"password: {{secret: pass}}, port: {self.port}"
        named = f"username: {user}, " if user != "default" else ""
        service = store_of(folder, f"{{engine: redis, {named}{password}}}")
        self.secret = folder / "pass"
        self.secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
        self.command, check = self._here(service["command"]), self._here(service["healthcheck"]["test"])
        self.check = check[1:]
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
        require("redis-server")

    def _here(self, arguments: list[str]) -> list[str]:
        return [part.replace("$$", "$").replace("/run/secrets/pass", str(self.secret)) for part in arguments]

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def healthy(self) -> bool:
        done = subprocess.run(self.check, env=self.environment, capture_output=True, timeout=TIMEOUT)
        return done.returncode == 0

    def ask(self, *command: str, **environment: str) -> str:
        cli = [require("redis-cli"), "-p", str(self.port), *command]
        done = subprocess.run(
            cli, env=self.environment | environment, capture_output=True, encoding="utf-8", timeout=TIMEOUT
        )
        return done.stdout.strip()


@pytest.fixture(params=["default", "app"])
def redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path, request.param)
    process = server.start()
    try:
        until(server.healthy, "Redis to be healthy")
        yield server
    finally:
        process.kill()
        process.communicate()


def test_redis_lets_in_whoever_knows_the_password(redis: Redis) -> None:
    assert "NOAUTH" in redis.ask("ping")
    assert redis.ask("--user", redis.user, "set", "a", "b", REDISCLI_AUTH=PASSWORD) == "OK"
    redis.secret.write_text("another")
    assert not redis.healthy()


def test_the_password_is_no_argument(tmp_path: Path) -> None:
    server = Redis(tmp_path, "app")
    process = server.start()
    try:
        until(server.healthy, "Redis to be healthy")
        for file in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/{file}").read_bytes()
        assert PASSWORD not in (tmp_path / "users.acl").read_text()
    finally:
        process.kill()
        process.communicate()


def test_redis_does_not_start_without_its_password(tmp_path: Path) -> None:
    server = Redis(tmp_path, "app")
    server.secret.write_text("\n")
    process = server.start()
    _, complaint = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert complaint.decode().strip() == f"{server.secret} is empty"
    server.secret.unlink()
    process = server.start()
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1


@pytest.mark.parametrize(("keys", "volume"), [("", "db-data"), (", volume: old", "old")])
def test_the_data_of_a_store_survives_down(tmp_path: Path, keys: str, volume: str) -> None:
    compose = compose_of(
        catalog_of(tmp_path, f"project: shop\nservices: {{}}\nstores: {{db: {{engine: redis{keys}}}}}\n")
    )
    [mount] = compose["services"]["db"]["volumes"]
    assert mount == {"type": "volume", "source": volume, "target": "/data"}
    assert compose["volumes"] == {volume: {"name": f"shop-default_{volume}"}}


@pytest.mark.parametrize("own", ["{secret: other, as: variable}", "'${ROOT}'"])
def test_a_variable_of_the_catalog_replaces_the_file_of_the_generated_one(own: str, tmp_path: Path) -> None:
    store = f"{{engine: mysql, username: a, password: {{secret: pass}}, environment: {{MYSQL_ROOT_PASSWORD: {own}}}}}"
    text = f"project: shop\nservices: {{}}\nstores: {{db: {store}}}\nsecrets: {{pass: , other: }}\n"
    environment = compose_of(catalog_of(tmp_path, text))["services"]["db"]["environment"]
    assert "MYSQL_ROOT_PASSWORD_FILE" not in environment
    assert environment["MYSQL_PASSWORD_FILE"] == "/run/secrets/pass"
