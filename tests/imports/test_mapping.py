"""What becomes of Compose's keys in the catalog: health tests, images, ports, secrets, texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.imports.compose.forms.commands import healthcheck
from exporter.imports.mapping.draft import Outcome
from exporter.imports.mapping.health import test_of as made_of
from exporter.imports.mapping.images import known, version
from exporter.imports.mapping.values import catalog_text
from exporter.imports.mapping.whole import Made, map_project
from tests.imports.engines import container, content
from tests.imports.files import read, write

if TYPE_CHECKING:
    from pathlib import Path


def _map(folder: Path, services: str, *, own: bool = False) -> Made:
    write(folder, {"compose.yaml": f"name: shop\nservices: {{{services}}}\n"})
    return map_project(read(folder), own=own, target=folder)


@pytest.mark.parametrize(
    ("test", "kind", "port", "path"),
    [
        ("curl -f http://localhost:8000/health || exit 1", "http", 8000, "/health"),
        ("curl --fail --silent localhost/ > /dev/null 2>&1 || exit 1", "http", 80, "/"),
        (["CMD", "curl", "-fsSL", "-o", "/dev/null", "http://web:3000/a?b=c"], "http", 3000, "/a?b=c"),
        (["CMD", "wget", "--no-verbose", "--tries=1", "--spider", "http://127.0.0.1:80/x"], "http", 80, "/x"),
        ("wget -qO- http://0.0.0.0:${PORT:-9000}/ping | grep -q pong", "http", 9000, "/ping"),
        (["CMD", "mc", "ready", "local"], "http", 9000, "/minio/health/live"),
        ("nc -z localhost 5000", "tcp", 5000, "/"),
        ("bash -c ':> /dev/tcp/127.0.0.1/9200' || exit 1", "tcp", 9200, "/"),
        (
            ["CMD", "node", "-e", "fetch('http://localhost:3000/h').then(r => process.exit(0))"],
            "http",
            3000,
            "/h",
        ),
        ("pg_isready -U $$POSTGRES_USER", "own", None, "/"),
        (["CMD", "redis-cli", "--raw", "incr", "ping"], "own", None, "/"),
        # Another question than a plain one from outside.
        ("curl -f http://other:80/", "container", None, "/"),
        ("curl -X POST http://localhost/", "container", None, "/"),
        ("curl --unix-socket /run/x.sock http://localhost/", "container", None, "/"),
        ("curl -f http://localhost/ && curl -f http://localhost/two", "container", None, "/"),
        ("curl -f http://localhost/?token=abcdef", "container", None, "/"),
        ("test -f /tmp/alive", "container", None, "/"),
        ("echo 'unpaired", "container", None, "/"),
    ],
)
def test_a_health_test_becomes_a_probe(test: Any, kind: str, port: int | None, path: str) -> None:
    found = made_of(healthcheck({"test": test}), {"web"})
    assert found is not None
    assert (found.kind, found.port, found.path) == (kind, port, path)


@pytest.mark.parametrize("check", [None, {}, {"disable": True}, {"test": ["NONE"]}, {"interval": "5s"}])
def test_no_health_test(check: Any) -> None:
    assert made_of(healthcheck(check), ()) is None


@pytest.mark.parametrize(
    ("image", "engine"),
    [
        ("postgres", "postgresql"),
        ("docker.io/library/postgres:16-alpine@sha256:" + "a" * 64, "postgresql"),
        ("ghcr.io/immich-app/postgres:14-vectorchord", "postgresql"),
        ("${DB_IMAGE:-postgres:15}", "postgresql"),
        ("tensorchord/pgvecto-rs:pg14", "postgresql"),
        ("localhost:5000/redis:7", "redis"),
        ("valkey/valkey:8", "valkey"),
        ("mongo:7", "mongodb"),
        ("mysql:8.4", "mysql"),
        ("mariadb:11", "mariadb"),
        ("dpage/pgadmin4", ""),
        ("postgrest/postgrest", ""),
        ("oliver006/redis_exporter", ""),
        ("mongo-express", ""),
        ("edoburu/pgbouncer", ""),
    ],
)
def test_an_image_is_a_store(image: str, engine: str) -> None:
    found = known(image)
    assert (found.engine if found else "") == engine


def test_the_version_of_an_image() -> None:
    assert [version(image) for image in ("postgres:16.4-alpine", "postgres:latest", "postgres")] == [
        "16.4-alpine",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("compose", "catalog"),
    [
        ("plain", "plain"),
        ("$A and ${B}", "${A} and ${B}"),
        ("${A:-x}", "${A:-x}"),
        ("$$A", "$A"),
        ("$${A}", "$${A}"),
        ("${A:-${B:-x}}", "${A:-x}"),
        ("${DB_PASSWORD:-hunter2}", "${DB_PASSWORD}"),
        ("${A:+x}", "${A}"),
    ],
)
def test_texts_with_variables(compose: str, catalog: str) -> None:
    assert catalog_text(compose)[0] == catalog


@pytest.mark.parametrize(
    ("keys", "port"),
    [
        ("ports: ['8080:80']", 80),
        ("ports: ['80:80', '443:443']", 80),
        ("ports: ['22:22', '3000:3000']", 3000),
        ("ports: ['53:53/udp', '8053:8053']", 8053),
        ("ports: ['1:1', '2:2']", None),
        ("expose: ['9000']", 9000),
        ("environment: [VIRTUAL_PORT=5000], ports: ['1:1', '2:2']", 5000),
        ("labels: ['traefik.http.services.x.loadbalancer.server.port=7000'], ports: ['80:80']", 7000),
        ("healthcheck: {test: 'curl -f localhost:6000'}, ports: ['80:80']", 6000),
    ],
)
def test_the_port_of_health(tmp_path: Path, keys: str, port: int | None) -> None:
    made = _map(tmp_path, f"web: {{image: x, {keys}}}")
    assert made.catalog["services"]["web"].get("port") == port


def test_published_ports_are_addresses_of_this_machine(tmp_path: Path) -> None:
    made = _map(tmp_path, "web: {image: x, ports: ['8080:80']}, db: {image: postgres}")
    assert made.catalog["environments"]["local"] == {"services": {"web": {"address": "localhost:8080"}}}
    assert made.unreachable == ("db",)


@pytest.mark.parametrize("own", [False, True])
def test_no_value_of_a_secret_is_copied(tmp_path: Path, own: bool) -> None:
    made = _map(
        tmp_path,
        "web: {image: x, environment: {SECRET_KEY: hunter2, URL: 'redis://:hunter2@c:6379', P: '${API_KEY:-hunter2}'}, "
        "command: [serve, --password, hunter2], "
        "healthcheck: {test: [CMD, curl, -H, 'Authorization: Bearer hunter2', 'http://localhost:80/']}}, "
        "db: {image: postgres, environment: {POSTGRES_PASSWORD: '${DB_PASSWORD:-hunter2}'}}, "
        "c: {image: redis, command: 'redis-server --requirepass hunter2'}",
        own=own,
    )
    assert "hunter2" not in str(
        (made.catalog, made.comments, made.suggested, [row.sentence for row in made.rows])
    )
    told = {str(row.path[1]) for row in made.rows if row.outcome == Outcome.SECRET}
    assert told == {"web", "db", "c"}
    assert all(row.place.line for row in made.rows)


def test_a_store_of_its_own(tmp_path: Path) -> None:
    made = _map(
        tmp_path,
        "db: {image: 'postgres:16', environment: {POSTGRES_USER: app, POSTGRES_DB: shop, "
        "POSTGRES_PASSWORD: x1, TZ: UTC}, "
        "volumes: ['data:/var/lib/postgresql/data']}",
        own=True,
    )
    assert made.catalog["stores"]["db"] == {
        "engine": "postgresql",
        "version": "16",
        "username": "app",
        "password": {"secret": "db_postgres_password"},
        "databases": ["shop"],
        "volume": "data",
        "restart": "no",
        "networks": ["default"],
        "environment": {"TZ": "UTC"},
    }


def test_volumes_keep_their_names_and_so_their_data(tmp_path: Path) -> None:
    volumes = "{data: , nfs: {driver: local}, real: {name: other}, theirs: {external: true}}"
    write(tmp_path, {"compose.yaml": f"name: old_shop\nservices: {{a: {{image: x}}}}\nvolumes: {volumes}\n"})
    made = map_project(read(tmp_path), own=True, target=tmp_path)
    assert made.catalog["volumes"] == {
        "data": {"name": "old_shop_data"},
        "nfs": {"name": "old_shop_nfs", "driver": "local"},
        "real": {"name": "other"},
        "theirs": {"external": True},
    }


def test_keys_that_are_left_out_have_a_row(tmp_path: Path) -> None:
    made = _map(
        tmp_path,
        "web: {image: x, isolation: default, volumes_from: [b], dns: 1.1.1.1, odd: 1}, b: {image: y}",
        own=True,
    )
    outcomes = {str(row.path[-1]): row.outcome for row in made.rows if row.path[1] == "web"}
    assert outcomes == {
        "image": Outcome.CARRIED,
        "isolation": Outcome.LEFT,
        "volumes_from": Outcome.LEFT,
        "odd": Outcome.LEFT,
        "dns": Outcome.PASSED,
    }


@pytest.mark.parametrize("own", [False, True])
def test_a_running_project_without_files(tmp_path: Path, own: bool) -> None:
    found = content(container("web1", "web", config_Env=["DB_PASSWORD=hunter2"]), container("loose"))
    [running] = found.projects
    made = map_project(running.project, own=own, target=tmp_path)
    assert made.catalog["project"] == "shop"
    assert made.catalog["services"]["web"]["port"] == 80
    assert found.loose is not None
    alone = map_project(found.loose, own=own, target=tmp_path / "My Folder")
    assert alone.catalog["project"] == "my-folder"
    assert "hunter2" not in str((made.catalog, alone.catalog))


def test_networks_with_a_name_of_the_generated_ones(tmp_path: Path) -> None:
    on = "services: {web: {image: x, networks: [edge, back]}, api: {image: x, networks: {edge: {aliases: [a]}}}}"
    declared = "networks: {edge: {internal: true}, own-edge: , back: , monitoring: {external: true}}"
    write(tmp_path, {"compose.yaml": f"name: shop\n{on}\n{declared}\n"})
    made = map_project(read(tmp_path), own=True, target=tmp_path)
    assert made.catalog["networks"] == {
        "own-edge-2": {"internal": True},
        "own-edge": {},
        "back": {},
        "own-monitoring": {"external": True, "name": "monitoring"},
    }
    assert made.catalog["services"]["web"]["networks"] == ["own-edge-2", "back"]
    assert made.catalog["services"]["api"]["networks"] == {"own-edge-2": {"aliases": ["a"]}}
    changed = {str(row.path[-1]) for row in made.rows if row.outcome == Outcome.CHANGED}
    assert changed >= {"edge", "monitoring"}


def test_volumes_that_exist_keep_their_data(tmp_path: Path) -> None:
    mounted = "services: {web: {image: x, volumes: ['data:/a', 'named:/b', 'theirs:/c']}}"
    declared = "volumes: {data: , named: {name: elsewhere}, theirs: {external: true}}"
    write(tmp_path, {"compose.yaml": f"name: my_shop\n{mounted}\n{declared}\n"})
    made = map_project(read(tmp_path), own=True, target=tmp_path)
    assert made.catalog["volumes"] == {
        "data": {"name": "my_shop_data"},
        "named": {"name": "elsewhere"},
        "theirs": {"external": True},
    }
