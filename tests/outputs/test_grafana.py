"""Grafana's provisioning: the files it finds, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import load_catalog
from exporter.outputs.base import OutputError
from exporter.outputs.grafana import render
from tests.outputs.catalogs import ENVIRONMENTS, EXAMPLE, catalog_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog


def files_of(catalog: Catalog) -> dict[str, Any]:
    return {file.path: yaml.safe_load(file.text) for file in render(catalog)}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_data_sources_and_dashboards_are_found(environment: str) -> None:
    files = files_of(load_catalog(EXAMPLE, environment))
    prometheus, alertmanager = files["provisioning/datasources/prometheus.yml"]["datasources"]
    assert (prometheus["uid"], prometheus["url"], prometheus["isDefault"]) == (
        "prometheus",
        "http://prometheus:9090",
        True,
    )
    assert prometheus["jsonData"]["timeInterval"] == "15s"
    assert prometheus["jsonData"]["alertmanagerUid"] == alertmanager["uid"]
    assert (alertmanager["type"], alertmanager["url"]) == ("alertmanager", "http://alertmanager:9093")
    shared, own = files["provisioning/dashboards/dashboards.yml"]["providers"]
    assert shared["options"] == {"path": "/etc/grafana/dashboards"}
    assert own["options"] == {"path": "/etc/grafana/provisioning/dashboards"}
    assert (shared["name"], own["name"]) == ("pageforge", f"pageforge in {environment}")
    assert shared["folder"] == own["folder"] == "pageforge"


def test_the_uid_and_the_alertmanager_are_the_catalogs(tmp_path: Path) -> None:
    text = """
project: shop
exporter: {alertmanagers: "https://a.example/$am/"}
grafana: {datasource: my-prometheus_1}
services: {}
"""
    sources = files_of(catalog_of(tmp_path, text))["provisioning/datasources/prometheus.yml"]["datasources"]
    assert sources[0]["uid"] == "my-prometheus_1"
    assert sources[1]["url"] == "https://a.example:443/$$am"  # Grafana turns $$ into $


@pytest.mark.parametrize("uid", ["a b", "ü", "x" * 41, "alertmanager"])
def test_a_uid_that_grafana_would_refuse_is_refused(uid: str, tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, f'project: x\nservices: {{}}\ngrafana: {{datasource: "{uid}"}}\n')
    with pytest.raises(
        OutputError, match=r"^grafana\.datasource .* is not a valid uid; use up to 40 letters"
    ):
        list(render(catalog))
