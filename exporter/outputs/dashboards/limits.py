"""Thresholds of alerts from the catalog, so that a panel turns red where an alert fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalog.keys.container.alerts import ALERTS
from exporter.outputs.dashboards.model import GREEN, ORANGE, RED, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.container.alerts import Alert, Threshold
    from exporter.catalog.keys.container.model import Container

_HUNDRED = 100

NO_LIMIT = "NaN"
"""A number in PromQL that no panel draws: the alert is off here."""


def red_over(catalog: Catalog, alert: str) -> tuple[Step, ...]:
    """Return green, and red from the default limit on; only green if the alert is off by default."""
    limit = _default(catalog, alert)
    return (Step(GREEN),) if limit is None else (Step(GREEN), Step(RED, limit))


def certificate_ends(matcher: str = "") -> str:
    """Return the expression of certificate expiry, as in the alerts: the verified chain, or else the presented one."""
    labels = f"{{{matcher}}}" if matcher else ""
    return f"probe_ssl_last_chain_expiry_timestamp_seconds{labels} or probe_ssl_earliest_cert_expiry{labels}"


def certificate_steps(catalog: Catalog) -> tuple[Step, ...]:
    """Return red, orange and green by the remaining time."""
    soon, early = (_default(catalog, alert) for alert in ("CertificateExpiringSoon", "CertificateExpiring"))
    orange = min(limit for limit in (soon or 0, early) if limit is not None)  # steps must rise
    return (Step(RED), Step(ORANGE, orange), *(() if early is None else (Step(GREEN, early),)))


def service_limits(
    catalog: Catalog, alert: str, among: Mapping[str, Container]
) -> tuple[dict[str, str], str]:
    """Return the limits, as PromQL numbers by name, that differ from the default, and the default."""
    default = _text(alert, (catalog.defaults.alerts,))
    own = {
        name: _text(alert, (container.alerts, catalog.defaults.alerts)) for name, container in among.items()
    }
    return {name: text for name, text in own.items() if text != default}, default


def _default(catalog: Catalog, alert: str) -> float | None:
    """Return a ratio for a percentage, seconds, or a number; None if the alert is off."""
    text = _text(alert, (catalog.defaults.alerts,))
    return None if text == NO_LIMIT else float(text)


def _text(alert: str, levels: tuple[Mapping[str, Alert], ...]) -> str:
    nearest = next((level[alert] for level in levels if alert in level), None)
    if nearest is not None and not nearest.enabled:
        return NO_LIMIT
    return format(_value(_threshold(alert, levels)).normalize(), "f")


def _threshold(alert: str, levels: tuple[Mapping[str, Alert], ...]) -> Threshold:
    written = (level[alert].threshold for level in levels if alert in level)
    threshold = next((found for found in written if found is not None), ALERTS[alert].threshold)
    assert threshold is not None  # noqa: S101 - panels ask only for alerts that have one
    return threshold


def _value(threshold: Threshold) -> Decimal:
    return threshold.value / _HUNDRED if threshold.kind == "percentage" else threshold.value
