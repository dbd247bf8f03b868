"""Parts that several dashboards share: links to a service's page, and texts for panels without data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.model import Link
from exporter.outputs.dashboards.uids import SERVICE, board_path

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

KEPT = "${datasource:queryparam}&${environment:queryparam}"
"""The variables that links to other dashboards keep."""

NO_PROBES = "No probes yet: set health, probes or port on a service"
NO_REQUESTS = "No requests: needs metrics on a service, and requests to it"
NO_SLO = "No data yet, or no slo on a service or in defaults"
NO_CONTAINERS = "No containers: needs exporter.containers and a reachable Docker engine"
NO_LIMIT_SET = "No memory limit: set resources.memory"
NO_TLS = "No certificates: only https and TLS probes have them"
NO_ALERTS = "No firing alerts"
NO_EXPORTER = "The exporter is not scraped: Prometheus needs the job exporter"


def service_link(catalog: Catalog, name: str) -> Link:
    """Return a link to a service's page. `name` is Grafana's expression for the service that was clicked."""
    path = board_path(catalog.project, SERVICE)
    url = f"{path}?var-service=${{{name}}}&{KEPT}&${{__url_time_range}}"
    return Link("Service page", url)


OF_SERIES = "__field.labels.service"
OF_ROW = "__data.fields.service"
