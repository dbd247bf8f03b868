"""compose.monitoring.yaml: the daemon, Prometheus, Alertmanager and Grafana, next to the services of compose.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.catalog.planning.places import compose_project
from exporter.outputs.alertmanager.secrets import mounted_secrets
from exporter.outputs.base import File
from exporter.outputs.compose.blocks import document_of_services
from exporter.outputs.compose.secrets import secret_files
from exporter.outputs.monitoring.common import (
    ALERTMANAGER,
    DOCKER,
    DOCKER_PROXY,
    EXPORTER,
    GRAFANA,
    MONITORING,
    PROMETHEUS,
    check_names,
    existing,
)
from exporter.outputs.monitoring.programs import (
    alertmanager_service,
    grafana_service,
    has_alertmanager,
    prometheus_service,
)
from exporter.outputs.monitoring.references import probe_needs
from exporter.outputs.monitoring.secrets import GRAFANA_PASSWORD, stack_secrets
from exporter.outputs.monitoring.sidecar import exporter_service, has_proxy, proxy_service
from exporter.outputs.web import daemon_needs, prometheus_needs
from exporter.outputs.yaml_text import Apart, Note, yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.catalog import Catalog

NAME = "compose.monitoring.yaml"


def render(catalog: Catalog) -> Iterable[File]:
    """Yield the file. If there is a compose.yaml, it refers to its networks and volumes, and is loaded after it.

    Raises:
        OutputError: a name of the catalog is used by the stack, or two secrets would share a file.
    """
    check_names(catalog)
    stack_secrets(catalog)  # raises if one is wrong
    services = monitoring_services(catalog)
    owned: dict[str, Any] = {
        name: {} for name in ("prometheus-data", *_optional(catalog, "alertmanager-data"), "grafana-data")
    }
    networks: dict[str, Any] = {MONITORING: Note("For traffic between the programs of the stack.", {})}
    if has_proxy(catalog):
        networks[DOCKER] = Note(
            "The proxy for the Docker socket; only the exporter can reach it.", {"internal": True}
        )
    networks |= {
        existing(name): Note("It exists, and nothing of it is changed.", {"name": name, "external": True})
        for name in catalog.observe.networks
    }
    files = "-f compose.yaml -f compose.monitoring.yaml" if catalog.deploys else "-f compose.monitoring.yaml"
    start = (
        "Start it together with the application:"
        if catalog.deploys
        else "The application is only watched. Start the stack alone:"
    )
    document = {
        **document_of_services(services),
        "networks": networks,
        "volumes": owned,
        "secrets": secret_files(catalog, secret_names(catalog)),
    }
    yield File(
        NAME,
        yaml_text(
            Apart(document),
            f"Monitoring of {catalog.project} in {catalog.environment_name}. {start}",
            f"docker compose -p {compose_project(catalog)} {files} up --detach",
            "Nothing here depends on anything else: each program must be able to report that another one is missing.",
            "Pages are on 127.0.0.1 of the host only: open them there, through ssh -L, or through your own proxy.",
        ),
    )


def monitoring_services(catalog: Catalog) -> dict[str, Any]:
    """Return `services` of the file."""
    return {
        EXPORTER: exporter_service(catalog),
        **({DOCKER_PROXY: proxy_service(catalog)} if has_proxy(catalog) else {}),
        PROMETHEUS: prometheus_service(catalog),
        **({ALERTMANAGER: alertmanager_service(catalog)} if has_alertmanager(catalog) else {}),
        GRAFANA: grafana_service(catalog),
    }


def secret_names(catalog: Catalog) -> list[str]:
    """Return the names of all secrets that containers of the stack mount, each once and sorted."""
    alertmanager = [secret.name for secret in mounted_secrets(catalog)] if has_alertmanager(catalog) else []
    web = (*daemon_needs(catalog).secrets, *prometheus_needs(catalog).secrets)
    return sorted({*probe_needs(catalog).secrets, *alertmanager, *web, GRAFANA_PASSWORD})


def _optional(catalog: Catalog, name: str) -> tuple[str, ...]:
    return (name,) if has_alertmanager(catalog) else ()
