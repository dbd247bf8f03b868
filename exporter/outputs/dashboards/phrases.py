"""What several dashboards share: links to a service's page, and words for panels without data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import Link
from exporter.outputs.dashboards.uids import SERVICE, board_path

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

KEPT = "${datasource:queryparam}&${environment:queryparam}"
"""Variables that a link to any other dashboard keeps."""

NO_PROBES = "No probe has run yet: services with health, probes or port are probed"
NO_REQUESTS = "No requests counted: needs metrics on a service, and requests to it"
NO_SLO = "Nothing measured yet, or no slo on a service or in defaults"
NO_CONTAINERS = "No container seen: needs exporter.containers and a reachable Docker engine"
NO_LIMIT_SET = "No memory limit: set resources.memory"
NO_TLS = "No certificate seen: only https and TLS probes show one"
NO_ALERTS = "Nothing fires"
NO_EXPORTER = "The exporter is not scraped: Prometheus needs the job exporter"


def service_link(catalog: Catalog, name: str) -> Link:
    """To a service's page. `name` is Grafana's expression for the service that was clicked."""
    path = board_path(catalog.project, SERVICE)
    url = f"{path}?var-service=${{{name}}}&{KEPT}&${{__url_time_range}}"
    return Link("Service page", url)


OF_SERIES = "__field.labels.service"
OF_ROW = "__data.fields.service"
