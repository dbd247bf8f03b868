"""Grafana's provisioning: its data sources, and the folders of its dashboards.

The dashboards themselves are another output. Those that all environments share are in one folder; those that differ in
one environment are next to its provisioning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.outputs.base import File, OutputError
from exporter.outputs.durations import duration_text
from exporter.outputs.stack import DASHBOARDS_FOLDER, PROMETHEUS_URL, PROVISIONING_FOLDER, alertmanagers
from exporter.outputs.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

ALERTMANAGER_UID = "alertmanager"
OWN_DASHBOARDS = f"{PROVISIONING_FOLDER}/dashboards"
UPDATE_SECONDS = 30
"""How often Grafana looks whether a dashboard's file has changed."""

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def render(catalog: Catalog) -> Iterable[File]:
    """Yield the files that are mounted at /etc/grafana/provisioning.

    Raises:
        OutputError: the uid of the data source is invalid.
    """
    uid = catalog.grafana.datasource
    if not _UID.fullmatch(uid) or uid == ALERTMANAGER_UID:
        raise OutputError(
            f"{quoted(uid)} is not a valid uid; use up to 40 letters, digits, _ and -, "
            f"but not {ALERTMANAGER_UID}, which is Alertmanager's",
            "grafana",
            "datasource",
        )
    datasources = [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "uid": uid,
            "access": "proxy",
            "url": PROMETHEUS_URL,
            "isDefault": True,
            "editable": False,
            "jsonData": {
                "httpMethod": "POST",
                "timeInterval": duration_text(catalog.prometheus.scrape_interval),
                "alertmanagerUid": ALERTMANAGER_UID,
            },
        },
        {
            "name": "Alertmanager",
            "type": "alertmanager",
            "uid": ALERTMANAGER_UID,
            "access": "proxy",
            "url": _literal(alertmanagers(catalog)[0].url),
            "editable": False,
            "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
        },
    ]
    providers = [
        {
            "name": name,
            "folder": catalog.project,
            "type": "file",
            "disableDeletion": True,
            "allowUiUpdates": False,
            "updateIntervalSeconds": UPDATE_SECONDS,
            "options": {"path": path},
        }
        for name, path in (
            (catalog.project, DASHBOARDS_FOLDER),
            (f"{catalog.project} in {catalog.environment_name}", OWN_DASHBOARDS),
        )
    ]
    yield File(
        "provisioning/datasources/prometheus.yml", yaml_text({"apiVersion": 1, "datasources": datasources})
    )
    yield File("provisioning/dashboards/dashboards.yml", yaml_text({"apiVersion": 1, "providers": providers}))


def _literal(text: str) -> str:
    """Return text that Grafana leaves as it is: in provisioning files it expands $NAME, and $$ to $."""
    return text.replace("$", "$$")
