"""The containers of Prometheus, Alertmanager and Grafana, with the files that other outputs generate for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.compose.mounts import bind
from exporter.outputs.compose.names import INTERNAL
from exporter.outputs.compose.secrets import secret_keys, secret_path
from exporter.outputs.compose.text import literal
from exporter.outputs.durations import duration_text, size_text
from exporter.outputs.health import wget_check
from exporter.outputs.monitoring import common
from exporter.outputs.monitoring.secrets import GRAFANA_PASSWORD
from exporter.outputs.stack import (
    ALERTMANAGER_URL,
    DASHBOARDS,
    DASHBOARDS_FOLDER,
    PROVISIONING_FOLDER,
    RULES,
    RULES_FOLDER,
    alertmanagers,
)
from exporter.outputs.web import prometheus_needs

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

PROMETHEUS_VERSION = "v3.14.0"
ALERTMANAGER_VERSION = "v0.34.0"
GRAFANA_VERSION = "13.0.1"
GRAFANA_USER = "472:0"
"""The user of its image, in root's group, which owns the image's files."""

_HTTPS = "https"


def has_alertmanager(catalog: Catalog) -> bool:
    """True if Prometheus sends alerts to the stack's own Alertmanager, and not only to others in the catalog."""
    return any(manager.url == ALERTMANAGER_URL for manager in alertmanagers(catalog))


def prometheus_service(catalog: Catalog) -> dict[str, Any]:
    """Return the service of Prometheus. It is also on the services' network, because it scrapes their metrics."""
    settings = catalog.prometheus
    size = settings.retention_size
    needs = prometheus_needs(catalog)
    return {
        **common.stack_service(
            catalog,
            f"prom/prometheus:{settings.version or PROMETHEUS_VERSION}",
            common.NOBODY,
            memory="1g",
            cpus=1.0,
            check=wget_check("http://127.0.0.1:9090/-/healthy"),
        ),
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={duration_text(settings.retention)}",
            *([f"--storage.tsdb.retention.size={size_text(size).upper()}B"] if size else []),
        ],
        # It writes its data in memory to disk.
        "stop_grace_period": "1m",
        **common.mounts(
            [
                common.folder("prometheus", "/etc/prometheus"),
                common.folder(RULES, RULES_FOLDER, shared=True),
                *(bind(path, target, read_only=True) for path, target in needs.files),
                common.data("prometheus-data", "/prometheus"),
            ]
        ),
        **secret_keys(needs.secrets, _group(common.NOBODY)),
        "networks": [*common.application_networks(catalog, INTERNAL), common.MONITORING],
        **_on_a_laptop(catalog, "PROMETHEUS_PORT", 9090),
    }


def alertmanager_service(catalog: Catalog) -> dict[str, Any]:
    """Return the service of Alertmanager. There is only one, so it does not listen for a cluster."""
    return {
        **common.stack_service(
            catalog,
            f"prom/alertmanager:{ALERTMANAGER_VERSION}",
            common.NOBODY,
            memory="128m",
            cpus=0.25,
            check=wget_check("http://127.0.0.1:9093/-/healthy"),
        ),
        "command": [
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            "--cluster.listen-address=",
        ],
        **common.mounts(
            [
                common.folder("alertmanager", "/etc/alertmanager"),
                common.data("alertmanager-data", "/alertmanager"),
            ]
        ),
        **secret_keys((secret.name for secret in mounted_secrets(catalog)), _group(common.NOBODY)),
        "networks": [common.MONITORING],
        **_on_a_laptop(catalog, "ALERTMANAGER_PORT", 9093),
    }


def grafana_service(catalog: Catalog) -> dict[str, Any]:
    """Return the service of Grafana, the only page of the stack with a login; telemetry and downloads are off."""
    version = catalog.grafana.version or GRAFANA_VERSION
    return {
        **common.stack_service(
            catalog,
            f"grafana/grafana:{version}",
            GRAFANA_USER,
            memory="512m",
            cpus=1.0,
            check=wget_check("http://127.0.0.1:3000/api/health"),
        ),
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD__FILE": secret_path(GRAFANA_PASSWORD),
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
            "GF_NEWS_NEWS_FEED_ENABLED": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_SECURITY_DISABLE_GRAVATAR": "true",
            "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
            **_url_settings(catalog),
        },
        **common.mounts(
            [
                common.folder("grafana/provisioning", PROVISIONING_FOLDER),
                common.folder(DASHBOARDS, DASHBOARDS_FOLDER, shared=True),
                common.data("grafana-data", "/var/lib/grafana"),
            ]
        ),
        **secret_keys([GRAFANA_PASSWORD], _group(GRAFANA_USER)),
        "networks": [common.MONITORING],
        "ports": common.loopback_port(catalog, "GRAFANA_PORT", 3000),
    }


def _url_settings(catalog: Catalog) -> dict[str, str]:
    url = catalog.grafana.url
    if url is None:
        return {}
    parts = urlsplit(url)
    settings = {"GF_SERVER_ROOT_URL": literal(url)}
    if parts.path.rstrip("/"):
        settings["GF_SERVER_SERVE_FROM_SUB_PATH"] = "true"
    if parts.scheme == _HTTPS:
        settings["GF_SECURITY_COOKIE_SECURE"] = "true"
    return settings


def _on_a_laptop(catalog: Catalog, variable: str, port: int) -> dict[str, Any]:
    """Return `ports` if all ports are open, as on a laptop. Without a login the page is not opened elsewhere."""
    if not catalog.environment.publishes_all:
        return {}
    return {"ports": common.loopback_port(catalog, variable, port)}


def _group(user: str) -> str:
    return user.partition(":")[2]
