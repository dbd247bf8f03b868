"""What is generated of a catalog that only watches, and of one that watches a part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs import alerts
from exporter.outputs.compose import render as render_compose
from exporter.outputs.generate import rendered
from exporter.outputs.monitoring import render as render_monitoring
from exporter.outputs.registry import OUTPUTS
from exporter.secrets.inventory import inventory
from tests.outputs.catalogs import EXAMPLE, catalog_of
from tests.outputs.compose_files import docker_compose

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

WATCHED = """
project: shop
managed: off
observe: {projects: old, networks: [old_default, data.net]}
services:
  web: {port: 80, image: "w:1", volumes: "web-data:/data", secrets: theirs, environment: {TOKEN: {secret: both}}}
  worker: {}
  api: {port: 3000, metrics: /metrics, health: {path: /, bearer_token: {secret: both}}}
stores:
  db: {engine: postgresql, password: {secret: db_password}, volume: db-data, backup: "0 3 * * *"}
volumes: {web-data: {backup: "0 4 * * *"}}
secrets: {theirs: , both: , db_password: {env: DB}}
"""
GATEWAY = "gateway: {host: shop.example.com, routes: {/: web}}\n"
PARTLY = """
project: shop
observe: {projects: old, networks: [old_default, data.net]}
services:
  web: {port: 80, image: "w:1", managed: off, volumes: "web-data:/data", secrets: [theirs, both]}
  worker: {image: "k:1", depends_on: [db, web]}
  api: {port: 3000, metrics: /metrics, health: {path: /, bearer_token: {secret: both}}}
stores:
  db: {engine: postgresql, managed: off, password: {secret: db_password}, volume: db-data}
volumes: {web-data: {backup: "0 4 * * *"}}
secrets: {theirs: , both: , db_password: {env: DB}}
"""


def monitoring(catalog: Catalog) -> dict[str, Any]:
    [file] = render_monitoring(catalog)
    return dict(yaml.safe_load(file.text))


def subjects(catalog: Catalog) -> str:
    return "\n".join(file.text for file in alerts.render(catalog) if "tests" not in file.path)


def test_only_files_that_observe_are_written(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(WATCHED + GATEWAY)
    made = rendered(tmp_path / "config.yaml", OUTPUTS, None, tmp_path)
    files = {str(tree.folder.relative_to(tmp_path) / file.path) for tree in made.trees for file in tree.files}
    assert {
        "deploy/default/compose.monitoring.yaml",
        "deploy/default/prometheus/prometheus.yml",
        "deploy/default/alertmanager/alertmanager.yml",
        "alert_rules/containers.yml",
        "dashboards/overview.json",
    } <= files
    assert not [name for name in files if "compose.yaml" in name or "/images" in name or "gateway" in name]
    assert not [name for name in files if name.startswith("scripts")]


def test_the_stack_stands_alone_and_joins_networks_that_exist(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, WATCHED)
    stack = monitoring(catalog)
    joined = ["existing-old_default", "existing-data.net"]
    assert stack["services"]["exporter"]["networks"] == [*joined, "monitoring", "docker"]
    assert stack["services"]["prometheus"]["networks"] == [*joined, "monitoring"]
    assert stack["networks"]["existing-data.net"] == {"name": "data.net", "external": True}
    assert set(stack["volumes"]) == {"prometheus-data", "alertmanager-data", "grafana-data"}
    assert stack["services"]["grafana"]["ports"] == ["127.0.0.1:${GRAFANA_PORT:-3001}:3000"]
    [file] = render_monitoring(catalog)
    (tmp_path / "compose.yaml").write_text(file.text)
    assert set(docker_compose(tmp_path, "config")["services"]) == set(stack["services"])


def test_alerts_of_containers_name_what_somebody_else_runs(tmp_path: Path) -> None:
    text = subjects(catalog_of(tmp_path, WATCHED))
    [running] = [
        line for line in text.splitlines() if "service_containers_running" in line and "== 0" in line
    ]
    assert all(name in running for name in ("web", "worker", "api", "db"))
    assert "BackupMissing" not in text
    assert "web-data" not in text


def test_what_is_only_watched_is_in_no_file_that_deploys(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, PARTLY)
    files = {file.path: file.text for file in render_compose(catalog)}
    compose = yaml.safe_load(files["compose.yaml"])
    assert set(compose["services"]) == {"worker"}
    assert "depends_on" not in compose["services"]["worker"]
    assert "volumes" not in compose
    assert "secrets" not in compose
    stack = monitoring(catalog)
    assert stack["services"]["exporter"]["networks"][:4] == [
        *("internal", "stores"),
        *("existing-old_default", "existing-data.net"),
    ]


@pytest.mark.parametrize("text", [WATCHED, PARTLY], ids=["all", "a part"])
def test_secrets_that_only_others_read_are_not_made_here(text: str, tmp_path: Path) -> None:
    found = inventory(catalog_of(tmp_path, text))
    assert "theirs" not in found
    # Probes read both, but nothing here is the password of a store that could be rotated.
    assert found["both"].users == ("exporter",)
    assert found["db_password"].stores == ()


def test_the_example_in_an_environment_that_is_only_watched(tmp_path: Path) -> None:
    overlay = "  watched: {managed: off, secrets: {db_password: {generate: null, env: DB}}}\n"
    (tmp_path / "config.yaml").write_text(EXAMPLE.read_text() + overlay)
    catalog = load_catalog(tmp_path / "config.yaml", "watched")
    assert not catalog.deploys
    assert not [each for each in (*catalog.services.values(), *catalog.stores.values()) if each.deployed]
    assert monitoring(catalog)
