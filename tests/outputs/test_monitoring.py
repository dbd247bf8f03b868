"""compose.monitoring.yaml with compose.yaml, checked by Compose, and its commands by the programs themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs import alertmanager, prometheus
from exporter.outputs.base import OutputError
from exporter.outputs.compose import render as render_compose
from exporter.outputs.monitoring import render
from exporter.outputs.monitoring.secrets import StackSecret, stack_secrets
from tests.components import require
from tests.outputs.catalogs import (
    ENVIRONMENTS,
    EVERY_RECEIVER,
    EXAMPLE,
    NASTY,
    NASTY_YAML,
    catalog_of,
    rendered,
)
from tests.outputs.compose_files import docker_compose, written
from tests.waiting import free_port, until

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

PROGRAMS = {"exporter", "docker-proxy", "prometheus", "alertmanager", "grafana"}

WEB = "services: {web: {image: 'web:1', port: 80}}"


def stack_of(catalog: Catalog) -> dict[str, Any]:
    [file] = render(catalog)
    assert file.path == "compose.monitoring.yaml"
    return dict(yaml.safe_load(file.text))


def services_of(catalog: Catalog) -> dict[str, dict[str, Any]]:
    return dict(stack_of(catalog)["services"])


def loaded(catalog: Catalog, folder: Path) -> dict[str, Any]:
    """Return both files as docker-compose 1.29 merges them, after the schema has accepted the second."""
    files = written(render_compose, catalog, folder)
    written(render, catalog, folder)
    path = str(files / "compose.monitoring.yaml")
    program = Path(sys.executable).with_name("check-jsonschema")
    check = [str(program), "--builtin-schema", "vendor.compose-spec", path]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return docker_compose(files, "-f", path, "config", TAG="1a2b3c4", TOKEN="t")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_both_files_load_together(environment: str, tmp_path: Path) -> None:
    catalog = load_catalog(EXAMPLE, environment)
    both = loaded(catalog, tmp_path)
    assert set(both["services"]) > PROGRAMS
    assert {"api-gateway", "postgres"} < set(both["services"])
    assert {name: list(both["services"][name]["networks"]) for name in sorted(PROGRAMS)} == {
        "alertmanager": ["monitoring"],
        "docker-proxy": ["docker"],
        "exporter": ["docker", "internal", "monitoring", "stores"],
        "grafana": ["monitoring"],
        "prometheus": ["internal", "monitoring"],
    }
    assert both["networks"]["docker"] == {"internal": True}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_container_is_held(environment: str) -> None:
    for name, service in services_of(load_catalog(EXAMPLE, environment)).items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        assert {"cpus", "mem_limit", "pids_limit"} <= set(service)
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        # The engine's socket belongs to root, so its filter runs as root without capabilities, on a separate network.
        assert service["user"].startswith("0:") is (name == "docker-proxy")
        image, _, tag = service["image"].rpartition(":")
        assert image
        assert tag not in ("", "latest")


def test_only_pages_with_a_login_are_open_and_on_loopback_only() -> None:
    for environment in ENVIRONMENTS:
        services = services_of(load_catalog(EXAMPLE, environment))
        ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
        expected = {"grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]}
        if environment == "development":
            expected |= {
                "exporter": ["127.0.0.1:${EXPORTER_PORT:-9877}:9877"],
                "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
                "alertmanager": ["127.0.0.1:${ALERTMANAGER_PORT:-9093}:9093"],
            }
        assert ports == expected


def test_a_port_of_the_catalog_is_left_to_it(tmp_path: Path) -> None:
    text = """
project: shop
services: {web: {image: "web:1", port: 3000}, other: {image: "web:1", port: 80, host_port: 3001}}
"""
    assert services_of(catalog_of(tmp_path, text))["grafana"]["ports"] == [
        "127.0.0.1:${GRAFANA_PORT:-3002}:3000"
    ]


def test_settings_of_the_catalog(tmp_path: Path) -> None:
    text = f"""
project: shop
{WEB}
exporter: {{listen: "127.0.0.1:9000", image: "registry.example.com/exporter:1.2"}}
prometheus: {{retention: 90d, retention_size: 20Gi, version: v3.5.0}}
grafana: {{url: "https://example.com/$grafana/", version: "12.4.0"}}
defaults: {{logging: {{max_size: 1Mi, max_files: 9}}, restart: always}}
"""
    catalog = catalog_of(tmp_path, text)
    services = services_of(catalog)
    assert services["prometheus"]["image"] == "prom/prometheus:v3.5.0"
    assert services["prometheus"]["command"][2:] == [
        "--storage.tsdb.retention.time=90d",
        "--storage.tsdb.retention.size=20GB",
    ]
    assert services["exporter"]["image"] == "registry.example.com/exporter:1.2"
    # On loopback, Prometheus's container could not reach it.
    assert services["exporter"]["command"] == ["run", "--listen", "0.0.0.0:9000"]
    assert services["exporter"]["healthcheck"]["test"][-1] == "0.0.0.0:9000"
    grafana = services["grafana"]
    assert grafana["image"] == "grafana/grafana:12.4.0"
    assert grafana["restart"] == "always"
    assert grafana["logging"]["options"] == {"max-size": "1m", "max-file": "9"}
    resolved = loaded(catalog, tmp_path)["services"]["grafana"]["environment"]
    assert resolved["GF_SERVER_ROOT_URL"] == "https://example.com/$$grafana/"  # `config` escapes it again
    assert resolved["GF_SERVER_SERVE_FROM_SUB_PATH"] == resolved["GF_SECURITY_COOKIE_SECURE"] == "true"
    assert resolved["GF_AUTH_ANONYMOUS_ENABLED"] == resolved["GF_USERS_ALLOW_SIGN_UP"] == "false"


PROBES = """
project: shop
secrets: {db: , token: , page: , unused: , grafana_admin_password: {env: GRAFANA}}
services:
  web:
    image: "web:1"
    port: 80
    secrets: unused
    environment: {OTHER: {secret: unused}}
    health: {path: /, headers: {X-Token: {secret: token}, X-Env: "${TOKEN}"}}
    probes:
      - name: page
        http:
          scheme: https
          tls: {ca: ./certs/ca.pem}
          basic_auth: {username: a, password: {file: "/etc/$page/x y"}}
    volumes: ["files:/data", "./local:/local"]
stores:
  db: {engine: postgresql, password: {secret: db}, volume: db-data, tls: {certificate: ../c.pem, key: ../k.pem}}
  file: {engine: sqlite, service: web, path: /local/x.db}
  other: {engine: sqlite, service: web, path: /data/y.db}
volumes: {files: , never-used: }
backup: {directory: ./backups}
exporter: {volumes: "./v/{volume}"}
"""


def test_the_sidecar_has_what_its_probes_read_and_nothing_else(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, PROBES)
    exporter = loaded(catalog, tmp_path)["services"]["exporter"]
    assert sorted(secret["source"] for secret in exporter["secrets"]) == ["db", "token"]
    environment = exporter["environment"]
    assert environment["DB_FILE"] == "/run/secrets/db"
    assert environment["TOKEN"] == "t"
    assert environment["EXPORTER_ADDRESS"] == "{service}:{port}"
    assert "UNUSED_FILE" not in environment
    short = [volume for volume in services_of(catalog)["exporter"]["volumes"] if isinstance(volume, str)]
    assert short == [
        "${BACKUP_FOLDER:-../../backups}/default/markers:/etc/exporter/backups/default/markers:ro",
        "${STATE_FOLDER:-/var/lib/shop/default}:/var/lib/shop/default:ro",
    ]
    mounts = [volume for volume in services_of(catalog)["exporter"]["volumes"] if isinstance(volume, dict)]
    assert {mount["source"]: mount["target"] for mount in mounts if "source" in mount} == {
        "${EXPORTER_CONFIG_FILE:-../../config.yaml}": "/etc/exporter/config.yaml",
        "/sys/fs/cgroup": "/host/cgroup",
        "/proc": "/host/proc",
        "files": "/etc/exporter/v/files",
        "db-data": "/etc/exporter/v/db-data",
        "../../certs/ca.pem": "/etc/exporter/certs/ca.pem",
        "../../../c.pem": "/etc/c.pem",
        "../../../k.pem": "/etc/k.pem",
        "../../local": "/etc/exporter/local",
        "/etc/$$page/x y": "/etc/$$page/x y",
    }
    assert all(mount.get("read_only") for mount in mounts if mount["type"] != "tmpfs")


@pytest.mark.parametrize(
    ("written", "socket", "reads"),
    [
        ("{}", "${DOCKER_SOCKET:-/var/run/docker.sock}", True),
        ("{docker: unix:///run/user/1000/docker.sock}", "/run/user/1000/docker.sock", True),
        ("{docker: tcp://other.example.com:2376}", None, True),
        ("{source: api}", "${DOCKER_SOCKET:-/var/run/docker.sock}", False),
        ("off", None, False),
    ],
)
def test_the_engine_is_seen_through_a_filter(
    written: str, socket: str | None, reads: bool, tmp_path: Path
) -> None:
    catalog = catalog_of(tmp_path, f"project: shop\n{WEB}\nexporter: {{containers: {written}}}\n")
    stack = stack_of(catalog)
    environment = stack["services"]["exporter"]["environment"]
    assert ("EXPORTER_CGROUP" in environment) is ("EXPORTER_PROC" in environment) is reads
    if socket is None:
        assert "docker-proxy" not in stack["services"]
        assert "EXPORTER_DOCKER" not in environment
        assert "docker" not in stack["networks"]
    else:
        proxy = stack["services"]["docker-proxy"]
        assert proxy["volumes"][0]["source"] == socket
        assert proxy["environment"]["POST"] == "0"
        assert environment["EXPORTER_DOCKER"] == "tcp://docker-proxy:2375"
    mounted = [volume for service in stack["services"].values() for volume in service["volumes"]]
    assert sum("docker.sock" in str(volume) for volume in mounted) == (socket is not None)


def test_an_alertmanager_of_ones_own_takes_the_place_of_the_stacks(tmp_path: Path) -> None:
    text = f"project: shop\n{WEB}\nexporter: {{alertmanagers: 'https://alerts.example.com'}}\n"
    stack = stack_of(catalog_of(tmp_path, text))
    assert "alertmanager" not in stack["services"]
    assert "alertmanager-data" not in stack["volumes"]


def test_secrets_are_files_of_one_folder_and_never_values(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, EVERY_RECEIVER.replace("image: web,", 'image: "web:1",'))
    stack = stack_of(catalog)
    assert stack["services"]["grafana"]["secrets"] == ["grafana_admin_password"]
    named = set(stack["services"]["alertmanager"]["secrets"])
    assert named == {"own_slack", "pager", "hook", "token", "OPSGENIE_KEY", "mail", "slack"}
    folder = "${SECRETS_FOLDER:-/etc/shop/default/secrets}"
    assert stack["secrets"] == {
        name: {"file": f"{folder}/{name}"} for name in sorted({*named, "grafana_admin_password"})
    }
    assert stack_secrets(catalog) == [
        StackSecret("OPSGENIE_KEY", "env", "OPSGENIE_KEY"),
        StackSecret("grafana_admin_password", "generate", "32"),
        StackSecret("token", "file", "/run/secrets/token"),
    ]
    # The catalog itself sets the image of this one.
    assert stack_secrets(catalog_of(tmp_path, PROBES)) == []


def test_text_of_a_catalog_stays_text(tmp_path: Path) -> None:
    text = f"""
project: shop
description: {NASTY_YAML}
{WEB}
exporter: {{image: {NASTY_YAML}}}
backup: {{directory: "/a \\"b\\" 'c' $d `e`"}}
"""
    exporter = loaded(catalog_of(tmp_path, text), tmp_path)["services"]["exporter"]
    assert exporter["image"] == NASTY.replace("$", "$$")  # `config` escapes it again
    assert "/a \"b\" 'c' $$d `e`/default/markers" in str(exporter["volumes"]).replace("\\'", "'")


REFUSED = {
    "a service": (
        "services: {docker-proxy: {image: 'web:1'}}",
        "services.docker-proxy has the name of a container of the generated monitoring stack",
    ),
    "a store": (
        "services: {}\nstores: {grafana: {engine: redis}}",
        "stores.grafana has the name of a container",
    ),
    "a volume": (
        "services: {}\nstores: {db: {engine: redis, volume: prometheus-data}}",
        "the volume prometheus-data has the name of one in the generated monitoring stack",
    ),
    "a network": (
        "services: {web: {image: 'w:1', networks: docker}}\nnetworks: {docker: }",
        "networks.docker the network docker has the name of one in the generated monitoring stack",
    ),
    "a network that is passed through": (
        f"{WEB}\ncompose: {{networks: {{monitoring: {{}}}}}}",
        "compose.networks.monitoring the network monitoring has the name of one",
    ),
    "a folder": (
        f"{WEB}\nbackup: {{directory: '/a:b'}}",
        'backup.directory "/a:b" contains one of : { }, which Compose cannot mount; use another folder',
    ),
    "a secret": (
        f"{WEB}\nsecrets: {{key: }}\ndefaults: {{owner: a}}\nowners: {{a: {{pagerduty: {{key: {{file: /etc/key}}}}}}}}",
        "owners.a.pagerduty[0].key becomes the secret key of Alertmanager, but there is another secret of that name",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_compose_cannot_tell_apart_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        list(render(catalog_of(tmp_path, f"project: shop\n{text}\n")))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "program", "port", "output"),
    [
        ("prometheus", "prometheus", 9090, prometheus.render),
        ("alertmanager", "prometheus-alertmanager", 9093, alertmanager.render),
    ],
)
def test_the_programs_take_their_flags_and_answer_the_health_check(
    name: str, program: str, port: int, output: Any, tmp_path: Path
) -> None:
    """Run Debian's versions without containers, because the images are not available. busybox sends the request, as
    in them."""
    catalog = load_catalog(EXAMPLE, "production")
    service = services_of(catalog)[name]
    folders = {f"/etc/{name}": rendered(output, catalog, tmp_path / "etc"), f"/{name}": tmp_path / "data"}
    flags = []
    for flag in service["command"]:
        key, _, value = flag.partition("=")
        place = next((place for place in folders if value == place or value.startswith(f"{place}/")), "")
        flags.append(f"{key}={folders[place]}{value.removeprefix(place)}" if place else flag)
    own = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [require(program), *flags, f"--web.listen-address=127.0.0.1:{own}"], stdout=log, stderr=log
        )
    try:
        check = [part.replace(f":{port}/", f":{own}/") for part in service["healthcheck"]["test"][1:]]

        def healthy() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return subprocess.run([require("busybox"), *check], capture_output=True).returncode == 0

        until(healthy, name, 30)
    finally:
        process.terminate()
        process.wait(20)
    assert subprocess.run([require("busybox"), *check], capture_output=True).returncode != 0
