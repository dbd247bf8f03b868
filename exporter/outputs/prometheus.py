"""prometheus.yml: scrape jobs, rule files and Alertmanagers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.outputs import web
from exporter.outputs.base import File
from exporter.outputs.durations import duration_text
from exporter.outputs.stack import RULES, alertmanagers, exporter_address
from exporter.outputs.yaml_text import Note, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog
    from exporter.outputs.stack import Alertmanager

MAX_SCRAPE_TIMEOUT = 10.0
"""Prometheus's default, in seconds. A timeout longer than the interval is an error."""
RULE_FILES = (f"../../../{RULES}/*.yml", "rules/*.yml")
"""The rules of all environments, and those of this environment only.

The same paths work in the repository, where promtool checks them, and in the container, where `..` of `/` is `/`. The
patterns do not match tests, which are one folder deeper.
"""


def render(catalog: Catalog) -> Iterable[File]:
    """Yield the configuration of Prometheus in the catalog's environment."""
    interval = catalog.prometheus.scrape_interval
    config = {
        "global": {
            "scrape_interval": duration_text(interval),
            "scrape_timeout": duration_text(min(interval, MAX_SCRAPE_TIMEOUT)),
            "evaluation_interval": duration_text(interval),
            "external_labels": _external_labels(catalog),
        },
        "rule_files": list(RULE_FILES),
        "alerting": {
            "alertmanagers": [
                {
                    "scheme": manager.scheme,
                    **({"path_prefix": manager.prefix} if manager.prefix else {}),
                    "static_configs": [{"targets": [manager.address]}],
                }
                for manager in alertmanagers(catalog)
            ]
        },
        "scrape_configs": _jobs(catalog),
    }
    yield File("prometheus.yml", yaml_text(config, f"{catalog.project} in {catalog.environment_name}."))


def _external_labels(catalog: Catalog) -> dict[str, str]:
    """Return the labels; those in the catalog win. `$` is escaped: Prometheus 3 expands $NAME, and $$ to $."""
    own = {"project": catalog.project, "environment": catalog.environment_name}
    labels = own | catalog.prometheus.external_labels
    return {name: value.replace("$", "$$") for name, value in labels.items()}


def _jobs(catalog: Catalog) -> list[Note]:
    exporter = exporter_address(catalog)
    scheme, client = web.scheme(catalog), web.client_config(catalog)
    interval = catalog.defaults.metrics_interval
    return [
        Note(
            "Probes, containers and the exporter itself. honor_labels keeps its label service.",
            {
                "job_name": "exporter",
                "honor_labels": True,
                **({"scheme": scheme} if scheme != "http" else {}),
                **client,
                "static_configs": [{"targets": [exporter]}],
            },
        ),
        Note(
            "The services' own metrics. Their addresses and intervals come from the exporter, so Prometheus needs no "
            "reload when the catalog changes.",
            {
                "job_name": "services",
                "scrape_interval": duration_text(interval),
                "scrape_timeout": duration_text(min(interval, MAX_SCRAPE_TIMEOUT)),
                "http_sd_configs": [
                    {
                        "url": f"{scheme}://{exporter}/sd",
                        "refresh_interval": duration_text(catalog.prometheus.scrape_interval),
                        **client,
                    }
                ],
            },
        ),
        Note(
            "Prometheus itself.",
            {"job_name": "prometheus", "static_configs": [{"targets": ["localhost:9090"]}]},
        ),
        Note(
            "Alertmanager.",
            {
                "job_name": "alertmanager",
                "static_configs": [_static(manager) for manager in alertmanagers(catalog)],
            },
        ),
    ]


def _static(manager: Alertmanager) -> dict[str, Any]:
    """Return one target; scheme and path are labels, because they can differ within the job."""
    labels = {}
    if manager.scheme != "http":
        labels["__scheme__"] = manager.scheme
    if manager.prefix:
        labels["__metrics_path__"] = f"{manager.prefix}/metrics"
    return {"targets": [manager.address], **({"labels": labels} if labels else {})}
