"""Expressions of requests: from a service's own metrics, or from probes if it has none.

Each ratio divides by a value above 0, so without traffic there is no value, and never NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.values.words import quoted
from exporter.outputs.alerts.model import RecordingRule
from exporter.outputs.alerts.promql import any_of, is_label_name, matcher, number, series
from exporter.outputs.base import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.services import Metrics

OF_SERVICES = 'job="services"'
QUANTILE = "0.95"


def _rate(metric: str, *matchers: str) -> str:
    return f"sum by (service) (rate({series(metric, *matchers)}[<window>]))"


def request_rate(metrics: Metrics) -> str:
    return _rate(metrics.requests, OF_SERVICES, "<who>")


def error_ratio(metrics: Metrics) -> str:
    """Return the share of 5xx answers, also if the service counts by class (5xx).

    A counter of errors exists only after the first error. Until then `or` makes the ratio 0 instead of absent.
    """
    errors = _rate(metrics.requests, OF_SERVICES, "<who>", f'{metrics.status_label}=~"5.."')
    every = request_rate(metrics)
    return f"(\n  {errors}\nor\n  0 * {every}\n)\n/\n(\n  {every} > 0\n)"


def fast_ratio(metrics: Metrics, under: Decimal) -> str:
    """Return the share of requests that took at most `under` seconds, which must be a bucket of the histogram."""
    fast = _rate(f"{metrics.durations}_bucket", OF_SERVICES, "<who>", _bound(under))
    return f"(\n  {fast}\n/\n  ({_rate(f'{metrics.durations}_count', OF_SERVICES, '<who>')} > 0)\n)"


def probe_error_ratio() -> str:
    failed = _rate("probe_results_total", "<who>", 'result="failure"')
    return f"{failed}\n/\n(\n  {_rate('probe_results_total', '<who>')} > 0\n)"


def probe_fast_ratio(under: Decimal) -> str:
    """Return the share of successful probes that were fast; failed ones count against availability."""
    fast = _rate("probe_latency_seconds_bucket", "<who>", _bound(under))
    return f"(\n  {fast}\n/\n  ({_rate('probe_latency_seconds_count', '<who>')} > 0)\n)"


def _bound(under: Decimal) -> str:
    """Return the matcher of a bucket. Clients and versions of Prometheus write a whole number as 1 or as 1.0."""
    text = number(under)
    return matcher("le", [text] if "." in text else [text, f"{text}.0"])


def probed_names(catalog: Catalog) -> list[str]:
    """Return the services and stores that the daemon probes, like `Planner`."""
    return [*(name for name, service in catalog.services.items() if service.probed), *catalog.stores]


def service_rules(catalog: Catalog, probed: list[str]) -> Iterator[RecordingRule]:
    """Yield the records of services that dashboards and alerts share.

    Raises:
        OutputError: the label of status codes has an invalid name.
    """
    if probed:
        yield RecordingRule("service:probe_success:min", "min by (service) (probe_success)")
    counted: dict[tuple[str, str], list[str]] = {}
    timed: dict[str, list[str]] = {}
    example: dict[tuple[str, str], Metrics] = {}
    for name, service in catalog.services.items():
        if not (metrics := service.metrics):
            continue
        if not is_label_name(metrics.status_label):
            raise OutputError(
                f"{quoted(metrics.status_label)} is not a valid label name; use letters, digits and _",
                *("services", name, "metrics", "status_label"),
            )
        key = metrics.requests, metrics.status_label
        counted.setdefault(key, []).append(name)
        example[key] = metrics
        timed.setdefault(metrics.durations, []).append(name)
    if not counted:
        return
    yield _joined("service:http_requests:rate5m", ((request_rate(example[k]), n) for k, n in counted.items()))
    yield _joined(
        "service:http_request_errors:ratio_rate5m", ((error_ratio(example[k]), n) for k, n in counted.items())
    )
    yield _joined(
        "service:http_request_duration_seconds:p95_5m", ((_quantile(d), names) for d, names in timed.items())
    )


def _quantile(durations: str) -> str:
    """Return the quantile. Without traffic it is NaN, which the comparison removes."""
    buckets = series(f"{durations}_bucket", OF_SERVICES, "<who>")
    return f"histogram_quantile({QUANTILE}, sum by (service, le) (rate({buckets}[<window>]))) >= 0"


def _joined(record: str, parts: Iterable[tuple[str, list[str]]]) -> RecordingRule:
    """Return one rule for services that are measured differently: no two operands of `or` share a service."""
    exprs = [
        expr.replace("<window>", "5m").replace("<who>", matcher("service", names)) for expr, names in parts
    ]
    return RecordingRule(record, any_of(exprs))
