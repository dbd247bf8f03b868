"""What `init --own` writes so that the deployed application does what it did under Compose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.whole import Made, map_project
from tests.imports.files import read, write

if TYPE_CHECKING:
    from pathlib import Path


def _own(folder: Path, services: str, rest: str = "") -> Made:
    write(folder, {"compose.yaml": f"name: shop\nservices: {{{services}}}\n{rest}"})
    return map_project(read(folder), own=True, target=folder)


def _told(made: Made, outcome: Outcome) -> set[str]:
    return {".".join(map(str, row.path[2:])) for row in made.rows if row.outcome == outcome}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", {"restart": "no"}),
        ("restart: always", {"restart": "always"}),
        ("healthcheck: {disable: false}", {"restart": "no"}),
        (
            "healthcheck: {test: 'true', interval: 5s, retries: '3'}",
            {
                "healthcheck": {
                    "test": "true",
                    "interval": "5s",
                    "retries": 3,
                    "timeout": "30s",
                    "start_period": "0s",
                }
            },
        ),
        (
            "healthcheck: {test: 'true', interval: '${EVERY}', timeout: 5s, start_period: 1s}",
            {
                "healthcheck": {"test": "true", "timeout": "5s", "start_period": "1s"},
                "compose": {"healthcheck": {"interval": "${EVERY}"}},
            },
        ),
        ("ports: ['${P:-8080}:80']", {"ports": ["${P:-8080}:80"]}),
        ("ports: ['${P:-127.0.0.1:8080}:80']", {"compose": {"ports": ["${P:-127.0.0.1:8080}:80"]}}),
        ("ports: ['${P-:80:80}', '81:81']", {"ports": ["81:81"], "compose": {"ports": ["${P-:80:80}"]}}),
        ("ulimits: {nofile: '${FILES}'}", {"compose": {"ulimits": {"nofile": "${FILES}"}}}),
        ("shm_size: '${SHM:-1g}'", {"compose": {"shm_size": "${SHM:-1g}"}}),
        (
            "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}",
            {"gpus": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]},
        ),
        ("deploy: {resources: {reservations: {memory: 1g}}}", {"compose": {"mem_reservation": "1g"}}),
        ("links: ['b:other']", {"compose": {"links": ["b:other"]}, "depends_on": {"b": "started"}}),
        ("depends_on: ['${WHICH:-b}']", {"depends_on": {"b": "started"}}),
        (
            "networks: [far], depends_on: {b: {condition: service_healthy}}",
            {"networks": ["far"], "compose": {"depends_on": {"b": {"condition": "service_healthy"}}}},
        ),
        (
            "volumes: ['./data:/data:ro']",
            {
                "volumes": [
                    {
                        "source": "./data",
                        "target": "/data",
                        "read_only": True,
                        "bind": {"create_host_path": True},
                    }
                ]
            },
        ),
        ("volumes: ['./a.conf:/a.conf']", {"volumes": ["./a.conf:/a.conf"]}),
        ("volumes: ['/etc/localtime:/etc/localtime:ro']", {"volumes": ["/etc/localtime:/etc/localtime:ro"]}),
        ("environment: {KEY: '${API_KEY:?set it}'}", {"environment": {"KEY": "${API_KEY:?set it}"}}),
        (
            "build: {context: ., args: [A, 'B=1', 'API_TOKEN=hunter2']}",
            {
                "build": {
                    "context": ".",
                    "dockerfile": "Dockerfile",
                    "arguments": {"A": "${A}", "B": "1", "API_TOKEN": "${API_TOKEN}"},
                }
            },
        ),
    ],
)
def test_a_service_does_what_it_did(tmp_path: Path, keys: str, expected: dict[str, Any]) -> None:
    made = _own(tmp_path, f"a: {{image: x, {keys}}}, b: {{image: y}}", "networks: {far: {}}\n")
    assert made.catalog["services"]["b"]["image"] == "y:latest"
    found = {key: value for key, value in made.catalog["services"]["a"].items() if key != "image"}
    found.pop("port", None)
    found.pop("probes", None)
    assert found == {"restart": "no"} | expected
    assert "hunter2" not in str((made.catalog, made.rows))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            (
                "image: 'postgres:16', environment: {POSTGRES_USER: '${U:-app}', POSTGRES_DB: '${D}', "
                "POSTGRES_PASSWORD: '${P}'}"
            ),
            {
                "engine": "postgresql",
                "version": "16",
                "username": "app",
                "password": {"secret": "p"},
                "environment": {"POSTGRES_USER": "${U:-app}", "POSTGRES_DB": "${D}"},
            },
        ),
        (
            "image: 'postgres:16', environment: [POSTGRES_USER, POSTGRES_PASSWORD]",
            {
                "engine": "postgresql",
                "version": "16",
                "password": {"secret": "postgres_password"},
                "environment": {"POSTGRES_USER": None},
            },
        ),
        # A registry of somebody's own, and a digest, are kept.
        (
            "image: 'registry.test/postgres:16', environment: {POSTGRES_HOST_AUTH_METHOD: trust}",
            {
                "engine": "postgresql",
                "image": "registry.test/postgres:16",
                "auth": False,
                "environment": {"POSTGRES_HOST_AUTH_METHOD": "trust"},
            },
        ),
        ("image: redis", {"engine": "redis", "image": "redis:latest", "auth": False}),
        (
            "image: 'redis:7', command: 'redis-server --requirepass ${R} --appendonly yes'",
            {
                "engine": "redis",
                "version": "7",
                "password": {"secret": "r"},
                "command": "redis-server --requirepass ${R} --appendonly yes",
            },
        ),
        (
            "image: 'redis:7', command: 'redis-server --requirepass ${R}'",
            {"engine": "redis", "version": "7", "password": {"secret": "r"}},
        ),
        (
            "image: 'mariadb:11', environment: {MYSQL_ROOT_PASSWORD: '${ROOT}', MYSQL_DATABASE: shop}",
            {"engine": "mariadb", "version": "11", "password": {"secret": "root"}, "databases": ["shop"]},
        ),
        # The image refuses a password next to a file with one, so both are files.
        (
            (
                "image: 'mariadb:11', environment: {MYSQL_ROOT_PASSWORD: '${ROOT}', MYSQL_USER: app, "
                "MYSQL_PASSWORD: '${P}'}"
            ),
            {
                "engine": "mariadb",
                "version": "11",
                "username": "app",
                "password": {"secret": "p"},
                "environment": {"MARIADB_ROOT_PASSWORD": {"secret": "root"}, "MARIADB_ROOT_HOST": "%"},
            },
        ),
        (
            (
                "image: 'mysql:8', environment: {MYSQL_ROOT_PASSWORD: '${ROOT}', MYSQL_USER: '${U}', "
                "MYSQL_PASSWORD: '${P}'}"
            ),
            {
                "engine": "mysql",
                "version": "8",
                "password": {"secret": "root"},
                "environment": {"MYSQL_USER": "${U}", "MYSQL_PASSWORD": {"secret": "p"}},
            },
        ),
        (
            "image: 'postgres:18', volumes: ['data:/var/lib/postgresql']",
            {"engine": "postgresql", "version": "18", "auth": False, "volume": "data"},
        ),
        (
            "image: 'postgres:16', volumes: ['${DATA}:/var/lib/postgresql/data']",
            {
                "engine": "postgresql",
                "version": "16",
                "auth": False,
                "compose": {"volumes": ["${DATA}:/var/lib/postgresql/data"]},
            },
        ),
        (
            "image: 'pgvector/pgvector:pg16', networks: [far]",
            {
                "engine": "postgresql",
                "image": "pgvector/pgvector:pg16",
                "hardening": "image",
                "auth": False,
                "networks": ["far"],
            },
        ),
    ],
)
def test_a_store_does_what_it_did(tmp_path: Path, keys: str, expected: dict[str, Any]) -> None:
    made = _own(tmp_path, f"db: {{{keys}}}", "volumes: {data: {}}\nnetworks: {far: {}}\n")
    assert made.catalog["stores"]["db"] == {"restart": "no", "networks": ["default"]} | expected


def test_volumes_keep_their_names(tmp_path: Path) -> None:
    rest = "volumes: {data: {}, mine: {name: other}, old: {external: true}}\n"
    made = _own(tmp_path, "a: {image: x}", rest)
    assert made.catalog["volumes"] == {
        "data": {"name": "shop_data"},
        "mine": {"name": "other"},
        "old": {"external": True},
    }


def test_a_switch_of_a_network_may_be_a_variable(tmp_path: Path) -> None:
    made = _own(tmp_path, "a: {image: x, networks: [n]}", "networks: {n: {enable_ipv6: '${V6:-true}'}}\n")
    assert made.catalog["networks"] == {"n": {"compose": {"enable_ipv6": "${V6:-true}"}}}


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ("deploy: {replicas: '${N}'}", "deploy.replicas"),
        ("deploy: {restart_policy: {condition: any, max_attempts: 3}}", "deploy.restart_policy.max_attempts"),
        ("deploy: {resources: {reservations: {cpus: '1'}}}", "deploy.resources.reservations.cpus"),
        ("depends_on: {b: {condition: service_started, restart: true}}", "depends_on.b.restart"),
        ("depends_on: ['${WHICH:-none}']", "depends_on.0"),
        ("configs: [{source: c, target: /c, mode: 0440}]", "configs.0.mode"),
    ],
)
def test_what_is_left_out_has_a_row(tmp_path: Path, keys: str, path: str) -> None:
    made = _own(tmp_path, f"a: {{image: x, {keys}}}, b: {{image: y}}", "configs: {c: {file: ./c}}\n")
    assert path in _told(made, Outcome.LEFT)


@pytest.mark.parametrize(
    "keys",
    [
        "annotations: {API_TOKEN: hunter2}",
        "post_start: [{command: [login, --password, hunter2]}]",
        "environment: {DB_PASSWORD: '${FIRST:-hunter2}'}",
        "environment: {SA_PASSWORD: hunter2}, healthcheck: {test: 'ask -P hunter2 || exit 1'}",
    ],
)
def test_no_secret_passes_through(tmp_path: Path, keys: str) -> None:
    made = _own(tmp_path, f"a: {{image: x, {keys}}}")
    assert "hunter2" not in str((made.catalog, made.comments, [row.sentence for row in made.rows]))
    assert _told(made, Outcome.SECRET)


@pytest.mark.parametrize(
    "value", ["Bearer hunter2", "Bearer ${SHOP_TOKEN}", "Bearer $$SHOP_TOKEN", "Basic aHVudGVyMg=="]
)
def test_a_probe_with_a_login_waits_for_the_secret(tmp_path: Path, value: str) -> None:
    services = f"a: {{image: x, healthcheck: {{test: [CMD, curl, -f, -H, 'Authorization: {value}', 'http://localhost:80/']}}}}"
    owned = _own(tmp_path, services).catalog["services"]["a"]["health"]
    assert "secret" in str(owned)
    watched = map_project(read(tmp_path), own=False, target=tmp_path)
    assert watched.catalog["services"]["a"]["probes"] == [{"name": "port", "tcp": {}}]
    assert "secrets" not in watched.catalog
