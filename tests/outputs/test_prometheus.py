"""prometheus.yml, checked by promtool."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.catalog.loading import CatalogError, load_catalog
from exporter.outputs.prometheus import render
from tests.components import require
from tests.outputs.catalogs import ENVIRONMENTS, EVERY_RECEIVER, EXAMPLE, NASTY, catalog_of, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.catalog.catalog import Catalog

RULE = "groups: [{name: test, rules: [{record: a, expr: '1'}]}]\n"


def config_of(catalog: Catalog) -> dict[str, Any]:
    [file] = render(catalog)
    assert file.path == "prometheus.yml"
    return dict(yaml.safe_load(file.text))


def jobs_of(catalog: Catalog) -> dict[str, dict[str, Any]]:
    return {job.pop("job_name"): job for job in config_of(catalog)["scrape_configs"]}


def promtool(folder: Path) -> str:
    """Return the output of promtool for the file, with a test rule instead of the generated ones and a test in place
    of theirs."""
    (folder / "rules/tests").mkdir(parents=True)
    (folder / "rules/some.yml").write_text(RULE)
    (folder / "rules/tests/some.yml").write_text("not: rules\n")
    command = [require("promtool"), "check", "config", str(folder / "prometheus.yml")]
    result = subprocess.run(command, text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_promtool_accepts_the_example(environment: str, tmp_path: Path) -> None:
    folder = rendered(render, load_catalog(EXAMPLE, environment), tmp_path)
    assert "1 rule files found" in promtool(folder)


def test_promtool_accepts_any_text(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, EVERY_RECEIVER)
    promtool(rendered(render, catalog, tmp_path / "out"))
    labels = config_of(catalog)["global"]["external_labels"]
    # Prometheus 3 turns $$ into $ in external labels, and would read $f as a variable.
    assert labels == {"project": "shop", "environment": "default", "team": NASTY.replace("$", "$$")}


def test_the_example_in_production() -> None:
    config = config_of(load_catalog(EXAMPLE, "production"))
    assert config == {
        "global": {
            "scrape_interval": "15s",
            "scrape_timeout": "10s",
            "evaluation_interval": "15s",
            "external_labels": {"project": "pageforge", "environment": "production"},
        },
        "rule_files": ["../../../alert_rules/*.yml", "rules/*.yml"],
        "alerting": {
            "alertmanagers": [
                {"scheme": "http", "static_configs": [{"targets": ["alertmanager:9093"]}]},
            ]
        },
        "scrape_configs": [
            {
                "job_name": "exporter",
                "honor_labels": True,
                "static_configs": [{"targets": ["exporter:9877"]}],
            },
            {
                "job_name": "services",
                "scrape_interval": "30s",
                "scrape_timeout": "10s",
                "http_sd_configs": [{"url": "http://exporter:9877/sd", "refresh_interval": "15s"}],
            },
            {"job_name": "prometheus", "static_configs": [{"targets": ["localhost:9090"]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": ["alertmanager:9093"]}]},
        ],
    }


def test_intervals_ports_and_alertmanagers_are_the_catalogs(tmp_path: Path) -> None:
    text = """
project: shop
exporter: {listen: ":9000", alertmanagers: ["https://a.example/am/", "http://[::1]:9093"]}
prometheus: {scrape_interval: 2500ms, external_labels: {environment: eu, region: north}}
defaults: {metrics_interval: 5s}
services: {web: {image: web, port: 80, metrics: /metrics}}
"""
    catalog = catalog_of(tmp_path, text)
    promtool(rendered(render, catalog, tmp_path / "out"))
    config, jobs = config_of(catalog), jobs_of(catalog)
    assert config["global"] == {
        "scrape_interval": "2500ms",
        "scrape_timeout": "2500ms",
        "evaluation_interval": "2500ms",
        "external_labels": {"project": "shop", "environment": "eu", "region": "north"},
    }
    assert config["alerting"]["alertmanagers"] == [
        {"scheme": "https", "path_prefix": "/am", "static_configs": [{"targets": ["a.example:443"]}]},
        {"scheme": "http", "static_configs": [{"targets": ["[::1]:9093"]}]},
    ]
    assert jobs["exporter"]["static_configs"] == [{"targets": ["exporter:9000"]}]
    assert (jobs["services"]["scrape_interval"], jobs["services"]["scrape_timeout"]) == ("5s", "5s")
    assert jobs["alertmanager"]["static_configs"] == [
        {
            "targets": ["a.example:443"],
            "labels": {"__scheme__": "https", "__metrics_path__": "/am/metrics"},
        },
        {"targets": ["[::1]:9093"]},
    ]


def test_a_label_that_is_none_is_a_mistake_of_the_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match='"a-b" is not a name of a label'):
        catalog_of(tmp_path, "project: x\nservices: {}\nprometheus: {external_labels: {a-b: c}}\n")
