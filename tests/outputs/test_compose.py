"""compose.yaml, checked by both versions of Compose: the schema of the specification, and
docker-compose 1.29 itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs.base import OutputError
from exporter.outputs.compose import render
from tests.outputs.catalogs import ENVIRONMENTS, EVERY_RECEIVER, EXAMPLE, catalog_of
from tests.outputs.compose_files import (
    assert_valid,
    compose_of,
    docker_compose,
    files_of,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

TAG = "${TAG:?set it to the deployed release, such as its commit}"

SHOP = """
project: shop
services:
  web:
    build: {context: web, runtime: python}
    port: 80
    health: {path: "/health?q=$x", status: [200, 503]}
    public: true
    depends_on: {api: started, db: healthy, job: completed, mail: {condition: healthy, optional: true}, away: healthy}
  api: {image: "api:1", port: 8000, depends_on: web-less, volumes: ["data:/data", "./conf:/conf:ro", "~/x:/x"]}
  web-less: {build: {context: ., dockerfile: docker/Dockerfile, target: final, arguments: {A: "1"}}}
  job: {build: web, depends_on: db}
  mail: {image: "registry:5000/mail"}
  away: {health: "https://away.example/health"}
stores:
  db: {engine: redis, auth: off, volume: db-data}
  file: {engine: sqlite, service: api, path: /data/x.db}
volumes: {data: {external: true}}
"""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_example_is_valid_everywhere(environment: str, tmp_path: Path) -> None:
    catalog = load_catalog(EXAMPLE, environment)
    folder = written(render, catalog, tmp_path)
    assert_valid(folder)
    loaded = docker_compose(folder, "config", TAG="1a2b3c4")
    assert set(loaded["services"]) == set(compose_of(catalog)["services"])
    assert not {"version", "name"} & compose_of(catalog).keys()


@pytest.mark.parametrize(
    "text",
    [
        EVERY_RECEIVER,
        SHOP,
        "project: x\nservices: {}\n",
        "project: x\nservices: {away: {health: 'http://a.example/'}}\n",
    ],
)
def test_other_catalogs_are_valid(text: str, tmp_path: Path) -> None:
    folder = written(render, catalog_of(tmp_path, text), tmp_path)
    assert_valid(folder)
    if compose_of(catalog_of(tmp_path, text))["services"]:
        docker_compose(folder, "config", TAG="1", WEB_TAG="1", API_TAG="1", JOB_TAG="1", MAIL_TAG="1")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_container_is_hardened(environment: str) -> None:
    for name, service in compose_of(load_catalog(EXAMPLE, environment))["services"].items():
        assert not service["user"].startswith("0"), name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["mem_limit"] in ("512m", "1g")
        assert service["cpus"] == 0.5
        assert service["restart"] == "unless-stopped"
        assert ":latest" not in service["image"]
        assert ":" in service["image"]
        assert any(each.startswith("/tmp:size=64m,mode=1777") for each in service["tmpfs"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_stores_are_reached_by_their_users_alone(environment: str) -> None:
    catalog = load_catalog(EXAMPLE, environment)
    compose = compose_of(catalog)
    networks = {name: set(service["networks"]) for name, service in compose["services"].items()}
    for store in ("postgres", "mongodb", "redis"):
        assert networks[store] == {"stores"}
    assert networks["gateway"] == {"edge"}
    on = {kind: {name for name, of in networks.items() if kind in of} for kind in compose["networks"]}
    assert on["edge"] == {"gateway", "api-gateway", "layout-frontend"}
    users = {"sys-version-processor", "form-version-processor", "layout-backend"}
    assert on["stores"] == {"postgres", "mongodb", "redis", *users}
    assert not on["edge"] & on["stores"]
    assert on["internal"] == {*users, "api-gateway", "layout-frontend"}
    assert compose["networks"] == {
        "edge": {"name": f"pageforge-{environment}_edge"},
        "internal": {"name": f"pageforge-network-{environment}"},
        "stores": {
            "name": f"pageforge-{environment}_stores",
            **({} if environment == "development" else {"internal": True}),
        },
    }


def test_only_the_edge_opens_ports_in_production() -> None:
    services = compose_of(load_catalog(EXAMPLE, "production"))["services"]
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "gateway": ["80:8080", "443:8443"]
    }
    assert "profiles" not in services["gateway"]


def test_development_opens_all_on_loopback_and_mounts_sources() -> None:
    services = compose_of(load_catalog(EXAMPLE, "development"))["services"]
    ports = {name: service["ports"] for name, service in services.items()}
    assert ports["layout-frontend"] == ["127.0.0.1:5173:5173"]
    assert ports["postgres"] == ["127.0.0.1:5432:5432"]
    assert all(port.startswith("127.0.0.1:") for opened in ports.values() for port in opened)
    assert services["gateway"]["profiles"] == ["gateway"]
    sources = {"type": "bind", "source": "../../0-Api/api-gateway", "target": "/app"}
    assert services["api-gateway"]["volumes"][0] == sources
    assert "volumes" not in services["layout-frontend"]


def test_without_a_gateway_public_services_are_the_edge(tmp_path: Path) -> None:
    services = compose_of(catalog_of(tmp_path, SHOP))["services"]
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "web": ["80:80"]
    }


def test_images_are_pinned_and_built_from_where_the_sources_are(tmp_path: Path) -> None:
    services = compose_of(catalog_of(tmp_path, SHOP))["services"]
    assert {name: service["image"] for name, service in services.items()} == {
        "web": f"shop/web:{TAG}",
        "api": "api:1",
        "web-less": f"shop/web-less:{TAG}",
        "job": f"shop/job:{TAG}",
        "mail": "registry:5000/mail:${MAIL_TAG:?services.mail.image has no tag; set it here or there}",
        "db": "redis:7.4",
    }
    assert {name: service["build"] for name, service in services.items() if "build" in service} == {
        "web": {"context": "../..", "dockerfile": "deploy/default/images/web/Dockerfile"},
        "web-less": {
            "context": "../..",
            "dockerfile": "docker/Dockerfile",
            "target": "final",
            "args": {"A": "1"},
        },
        "job": {"context": "../../web"},
    }
    pinned = SHOP + "environments: {live: {tag: v1}}\n"
    assert compose_of(catalog_of(tmp_path, pinned))["services"]["job"]["image"] == "shop/job:v1"


def test_dependencies_wait_for_what_can_be_known(tmp_path: Path) -> None:
    services = compose_of(catalog_of(tmp_path, SHOP))["services"]
    assert services["web"]["depends_on"] == {
        "api": {"condition": "service_started"},
        "db": {"condition": "service_healthy"},
        "job": {"condition": "service_completed_successfully"},
        # An optional dependency must not delay web, and an external service has no container here.
        "mail": {"condition": "service_started"},
    }
    # The health of a third-party image is unknown.
    assert services["api"]["depends_on"] == {"web-less": {"condition": "service_started"}}
    assert services["job"]["restart"] == "no"
    assert services["web"]["restart"] == "unless-stopped"


def test_health_checks_are_commands_and_need_nothing_that_images_lack(tmp_path: Path) -> None:
    services = compose_of(catalog_of(tmp_path, SHOP))["services"]
    check = services["web"]["healthcheck"]
    assert check["test"][:2] == ["CMD", "python"]
    assert check["test"][-4:] == ["GET", "10", "200-200", "503-503"]
    assert "http://127.0.0.1:80/health?q=$$x" in check["test"]
    assert {key: check[key] for key in check if key != "test"} == {
        "interval": "30s",
        "timeout": "10s",
        "retries": 3,
        "start_period": "30s",
    }
    assert "healthcheck" not in services["api"]
    for environment in ENVIRONMENTS:
        for service in compose_of(load_catalog(EXAMPLE, environment))["services"].values():
            assert service["healthcheck"]["test"][0] == "CMD"
            assert not re.search("curl|localhost", str(service["healthcheck"]))


def test_mounts(tmp_path: Path) -> None:
    compose = compose_of(catalog_of(tmp_path, SHOP))
    assert compose["services"]["api"]["volumes"] == [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "bind", "source": "../../conf", "target": "/conf", "read_only": True},
        {"type": "bind", "source": "~/x", "target": "/x"},
    ]
    assert "tmpfs" not in compose["services"]["api"]
    assert compose["volumes"] == {
        "data": {"name": "data", "external": True},
        "db-data": {"name": "shop-default_db-data"},
    }


def test_secrets_are_files(tmp_path: Path) -> None:
    text = """
project: shop
services:
  web: {image: "web:1", secrets: [a.b], environment: {DB_PASSWORD: {secret: db}, TOKEN_FILE: {secret: db}}}
  own: {image: "own:1", secrets: db, user: "1000:1000"}
  built: {build: {runtime: python}, port: 80, secrets: db}
stores: {db: {engine: mongodb, username: root, password: {secret: db}}}
secrets: {a.b: , db: , unused: }
"""
    catalog = catalog_of(tmp_path, text)
    files = files_of(catalog)
    compose = compose_of(catalog)
    web, own, built, db = (compose["services"][name] for name in ("web", "own", "built", "db"))
    assert web["environment"] == {
        "A_B_FILE": "/run/secrets/a.b",
        "DB_FILE": "/run/secrets/db",
        "DB_PASSWORD_FILE": "/run/secrets/db",
        "TOKEN_FILE": "/run/secrets/db",
    }
    assert web["secrets"] == ["a.b", "db"]
    assert web["group_add"] == own["group_add"] == db["group_add"] == ["65532"]
    assert "group_add" not in built
    assert db["environment"]["MONGO_INITDB_ROOT_PASSWORD_FILE"] == "/run/secrets/db"
    assert compose["secrets"] == {
        name: {"file": f"${{SECRETS_FOLDER:-/etc/shop/default/secrets}}/{name}"} for name in ("a.b", "db")
    }
    assert yaml.safe_load(files["compose.secrets.swarm.yaml"])["secrets"] == {
        "a.b": {"external": True, "name": "shop-default-a.b-${A_B_VERSION:-1}"},
        "db": {"external": True, "name": "shop-default-db-${DB_VERSION:-1}"},
    }


def test_replicas_and_limits(tmp_path: Path) -> None:
    text = """
project: shop
defaults: {resources: {cpu: 2, memory: 1G}, logging: {max_size: 1M, max_files: 2}, restart: always}
services:
  many: {image: "a:1", port: 80, replicas: 3, resources: {memory: 64Mi, processes: 50}, stop_grace: 1m30s}
  none: {image: "a:1", replicas: 0, restart: on-failure, read_only: false, writable: [/tmp, "/a:b"]}
  needs: {image: "a:1", depends_on: none}
"""
    catalog = catalog_of(tmp_path, text)
    assert_valid(written(render, catalog, tmp_path))
    services = compose_of(catalog)["services"]
    many, none = services["many"], services["none"]
    assert (many["deploy"], none["deploy"]) == ({"replicas": 3}, {"replicas": 0})
    assert (many["cpus"], many["mem_limit"], many["pids_limit"]) == (2, "64m", 50)
    assert (none["cpus"], none["mem_limit"], "pids_limit" in none) == (2, "1000000000", False)
    assert many["stop_grace_period"] == "1m30s"
    assert many["logging"] == {"driver": "json-file", "options": {"max-size": "1000000", "max-file": "2"}}
    assert (many["restart"], none["restart"]) == ("always", "on-failure")
    assert none["read_only"] is False
    assert none["tmpfs"] == ["/tmp:size=64m,mode=1777"]
    assert none["volumes"] == [{"type": "tmpfs", "target": "/a:b", "tmpfs": {"size": 64 * 1024**2}}]
    assert "depends_on" not in services["needs"]
    loaded = docker_compose(tmp_path / "deploy/default", "config")
    assert loaded["services"]["none"]["volumes"][0]["target"] == "/a:b"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "services: {gateway: {image: 'a:1'}}\ngateway: {host: a.example}\n",
            "services.gateway has the name of the gateway's container",
        ),
        (
            "services: {a: {image: 'a:1', environment: {URL: {file: x}}}}\n",
            "services.a.environment.URL reaches its container as a whole",
        ),
        (
            "services: {}\nstores: {db: {engine: postgresql, password: '${PASSWORD}'}}\n",
            "stores.db.password reaches its container as a whole",
        ),
        (
            "services: {}\nstores: {db: {engine: mongodb, password: {secret: a}}}\nsecrets: {a: }\n",
            "stores.db has a password but no user; write username next to it",
        ),
        (
            "services: {}\nstores: {db: {engine: redis, username: 'a b', password: {secret: a}}}\nsecrets: {a: }\n",
            "stores.db.username contains a space",
        ),
        (
            "services: {a: {image: 'a:1', port: 80, replicas: 2, public: true}}\n",
            "services.a.replicas has 2 replicas, but only one of them can open port 80 on the host",
        ),
        (
            "services: {a: {image: 'a:1', port: 80, public: true}, b: {image: 'a:1', port: 80, public: true}}\n",
            "services.b is public and so is a, and both open port 80 on the host",
        ),
        (
            "services: {a: {build: {context: ../b, runtime: python}, port: 80}}\n",
            "services.a.build.context is outside the catalog's folder",
        ),
    ],
)
def test_what_compose_cannot_express_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, f"project: shop\n{text}")
    with pytest.raises(OutputError, match=re.escape(sentence)):
        list(render(catalog))


def test_a_variable_that_is_not_set_stops_it(tmp_path: Path) -> None:
    folder = written(render, catalog_of(tmp_path, SHOP), tmp_path)
    complaint = docker_compose(folder, "config", fails=True)
    assert "set it to the deployed release" in complaint["stderr"]


def test_env_example_names_every_variable_and_has_no_value(tmp_path: Path) -> None:
    text = """
project: shop
services: {web: {image: web, environment: {URL: "x${DATABASE_URL}$${NOT}", OTHER: {env: OTHER_URL}}, secrets: key}}
secrets: {key: {env: THE_KEY}}
backup: {directory: /b, s3: {bucket: shop, access_key: "${S3_KEY}", secret_key: {secret: key}}}
"""
    catalog = catalog_of(tmp_path, text)
    example = files_of(catalog)[".env.example"]
    assignments = dict(line.split("=", 1) for line in example.splitlines() if line and line[0] != "#")
    assert assignments.pop("COMPOSE_PROJECT_NAME") == "shop-default"
    assert set(assignments.values()) == {""}
    own = {
        "WEB_TAG",
        "DATABASE_URL",
        "OTHER_URL",
        "SECRETS_FOLDER",
        "STATE_FOLDER",
        "BACKUP_FOLDER",
        "EXPORTER",
    }
    assert own | {"KEY_VERSION"} <= assignments.keys()
    assert not {"NOT", "THE_KEY", "S3_KEY"} & assignments.keys()
    for name in ("THE_KEY", "S3_KEY"):
        assert f"# {name} is not for this file" in example


def test_the_same_catalog_gives_the_same_files() -> None:
    first, second = (list(render(load_catalog(EXAMPLE, "production"))) for _ in range(2))
    assert first == second
