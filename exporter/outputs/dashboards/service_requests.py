"""Panels of requests, from a service's own metrics, whatever their names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.catalog.keys.services import Metrics
from exporter.outputs.dashboards.model import LIMIT, Panel, Query
from exporter.outputs.dashboards.phrases import NO_REQUESTS
from exporter.outputs.dashboards.text import is_label_name, selector

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

OF_SERVICE = 'job="services",service="$service"'
RANGE = "[$__rate_interval]"
QUANTILES = (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"))


def requests(catalog: Catalog) -> tuple[Panel, ...]:
    """Return the panels. Services can name their metrics differently, so each panel queries every name once; only those
    of the selected service have data.
    """
    interval = _interval(catalog)
    return (
        Panel(
            "Request rate by status",
            "stacked",
            _rates(catalog),
            "reqps",
            "Requests per second by status code, from the counter that metrics.requests names.",
            NO_REQUESTS,
            minimum=0,
            interval=interval,
        ),
        Panel(
            "5xx ratio",
            "lines",
            (
                Query('service:http_request_errors:ratio_rate5m{service="$service"}', "5xx"),
                Query("vector(${error_limit:raw})", LIMIT),
            ),
            "percentunit",
            "Share of requests answered with 5xx, over 5 minutes. The dashed line is the limit of HighErrorRate for "
            "this service.",
            NO_REQUESTS,
            minimum=0,
        ),
        Panel(
            "Durations",
            "lines",
            (*_durations(catalog), Query("vector(${latency_limit:raw})", LIMIT)),
            "s",
            "Quantiles of request durations, from the histogram that metrics.durations names. The dashed line is the "
            "limit of HighLatency for this service.",
            NO_REQUESTS,
            minimum=0,
            interval=interval,
        ),
    )


def _rates(catalog: Catalog) -> tuple[Query, ...]:
    named = {(m.requests, m.status_label): None for m in _metrics(catalog)}
    return tuple(
        Query(f"sum by ({label}) (rate({selector(requests, OF_SERVICE)}{RANGE}))", f"{{{{{label}}}}}")
        if is_label_name(label)  # no series has an invalid label, so there is nothing to group by
        else Query(f"sum(rate({selector(requests, OF_SERVICE)}{RANGE}))", "all")
        for requests, label in named
    )


def _durations(catalog: Catalog) -> tuple[Query, ...]:
    named = {m.durations: None for m in _metrics(catalog)}
    return tuple(
        Query(
            f"histogram_quantile({quantile}, sum by (le) "
            f"(rate({selector(f'{durations}_bucket', OF_SERVICE)}{RANGE})))",
            legend,
        )
        for durations in named
        for quantile, legend in QUANTILES
    )


def _interval(catalog: Catalog) -> str:
    """Return the longest scrape interval of a service: Grafana's rate interval must cover several scrapes."""
    usual = catalog.defaults.metrics_interval
    return f"{math.ceil(max(metrics.interval or usual for metrics in _metrics(catalog)))}s"


def _metrics(catalog: Catalog) -> tuple[Metrics, ...]:
    """Return the metrics of all services; the default names if there are none, so that panels have a query."""
    found = tuple(service.metrics for service in catalog.services.values() if service.metrics)
    return found or (Metrics(),)
