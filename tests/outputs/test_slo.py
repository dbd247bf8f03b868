"""Objectives of every kind of service, and each pair of burn-rate windows on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.outputs.alerts.slo import objectives
from exporter.outputs.burn_rates import BURN_RATES, WINDOWS, BurnRate
from tests.outputs.promtool import alerts, catalog_of, firing, hold, written

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "a probe of the port": ("port: 80, slo: 99%", [("availability", "probe_results_total")]),
    "a probe of health": (
        "image: w, health: 'http://w/', slo: 99%",
        [("availability", "probe_results_total")],
    ),
    "probes alone": ("probes: [{name: a, dns: a.test}], slo: 99%", [("availability", "probe_results_total")]),
    "metrics beside a probe": (
        "port: 80, metrics: true, slo: 99%",
        [("availability", "http_requests_total")],
    ),
    "metrics without a probe": (
        "image: w, metrics: {port: 81}, slo: 99%",
        [("availability", "http_requests_total")],
    ),
    "speed by metrics without a probe": (
        "image: w, metrics: {port: 81, durations: d}, slo: {latency: 1s}",
        [("latency", "d_bucket")],
    ),
    "speed by probes": ("port: 80, slo: {latency: 1s}", [("latency", "probe_latency_seconds_bucket")]),
    "both": (
        "port: 80, metrics: {requests: r}, slo: {availability: 99%, latency: 1s}",
        [("availability", "r{"), ("latency", "http_request_duration_seconds_bucket")],
    ),
    "neither a probe nor metrics": ("image: w, slo: 99%", []),
    "no objective": ("port: 80", []),
}


@pytest.mark.parametrize(("keys", "expected"), KINDS.values(), ids=KINDS)
def test_objectives_of_each_kind(keys: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    found = list(objectives(catalog_of(tmp_path, f"services: {{web: {{{keys}}}}}\n")))
    assert [(objective.service, objective.slo) for objective in found] == [
        ("web", slo) for slo, _ in expected
    ]
    for objective, (_, metric) in zip(found, expected, strict=True):
        assert metric in objective.sli


def test_a_store_has_the_objectives_of_its_probe(tmp_path: Path) -> None:
    text = "defaults: {slo: {availability: 99%, latency: 1s, period: 7d}}\nstores: {db: {engine: redis}}\n"
    found = list(objectives(catalog_of(tmp_path, text)))
    assert [(o.slo, int(o.period), "probe_" in o.sli) for o in found] == [
        ("availability", 7 * 86400, True),
        ("latency", 7 * 86400, True),
    ]


BUDGET = 0.01
OTHERS = {"SloBurnRateFast": "SloBurnRateSlow", "SloBurnRateSlow": "SloBurnRateFast"}
SEVERITIES = {"SloBurnRateFast": "critical", "SloBurnRateSlow": "warning"}


@pytest.mark.parametrize("rate", BURN_RATES, ids=lambda rate: f"{rate.short} and {rate.long}")
def test_each_pair_of_windows_fires_alone(rate: BurnRate, tmp_path: Path) -> None:
    """Check values just above the factor in both windows, and just below it in either: then nothing fires."""
    rules = written(
        tmp_path, catalog_of(tmp_path, "services: {web: {image: w, slo: 99%, metrics: {port: 81}}}\n")
    )
    limit = float(rate.factor) * BUDGET
    over, under = limit * 1.01, limit * 0.99
    burns = firing(rate.alert, service="web", slo="availability", severity=SEVERITIES[rate.alert])
    for short, long, expected in ((over, over, [burns]), (over, under, []), (under, over, [])):
        values = dict.fromkeys(WINDOWS, 0.0) | {rate.short: short, rate.long: long}
        series = {
            f'slo:sli_error:ratio_rate{window}{{service="web",slo="availability"}}': f"{value:.6f}x40"
            for window, value in values.items()
        }
        hold(rules, series, [("30m", alerts(rate.alert), expected), ("30m", alerts(OTHERS[rate.alert]), [])])
