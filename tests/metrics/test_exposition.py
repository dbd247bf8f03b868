"""Metrics of finished probes."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.counts import DEFAULT_BUCKETS
from exporter.metrics.exposition import blocks
from exporter.metrics.series import Series
from exporter.probes.base import ProbeResult, Reason
from exporter.probes.protocols import PROBE_FAMILIES, PROTOCOLS

AWKWARD = 'a "quoted" \\ back\nslash é {{ $'
OK = ProbeResult(
    True,
    Reason.OK,
    0.02,
    {"connect": 0.005, "processing": 0.015},
    {"status_code": 200, "version": 1.1, "ssl": 0, "ip_addr": "127.0.0.1", "ip_protocol": 4, "body_bytes": 3},
)
REFUSED = ProbeResult(False, Reason.CONNECT, 0.001, {"connect": 0.001}, {}, "cannot connect")


def series(service: str = "web", protocol: str = "http") -> Series:
    return Series(service, "page", "http://web/", protocol, DEFAULT_BUCKETS)


def samples(*all_series: Series) -> dict[tuple[str, str], float]:
    """Return values by sample name and the one label in addition to the target's."""
    text = b"".join(blocks(all_series, "text")).decode()
    found = {}
    for family in parse_text(text):
        for sample in family.samples:
            extra = [v for k, v in sample.labels.items() if k not in ("service", "probe", "target")]
            found[sample.name, "".join(extra)] = sample.value
    return found


def test_before_the_first_probe_there_is_nothing() -> None:
    assert list(blocks([series()], "text")) == []


def test_a_success_is_counted_timed_and_described() -> None:
    one = series()
    one.record(OK)
    found = samples(one)
    assert found["probe_success", ""] == 1
    assert found["probe_duration_seconds", ""] == 0.02
    assert found["probe_results_total", "success"] == 1
    assert found["probe_results_total", "failure"] == 0
    assert found["probe_latency_seconds_bucket", "0.01"] == 0
    assert found["probe_latency_seconds_bucket", "0.025"] == 1
    assert found["probe_latency_seconds_count", ""] == 1
    assert found["probe_http_duration_seconds", "connect"] == 0.005
    assert found["probe_http_status_code", ""] == 200
    assert found["probe_ip_addr_hash", ""] == 144953630
    assert not [name for name, _ in found if name == "probe_failure_info"]


def test_a_failure_takes_back_what_it_did_not_measure() -> None:
    one = series()
    one.record(OK)
    one.record(REFUSED)
    found = samples(one)
    assert found["probe_success", ""] == 0
    assert found["probe_failure_info", "connect"] == 1
    assert found["probe_results_total", "failure"] == 1
    assert found["probe_latency_seconds_count", ""] == 1, "a quick failure must not count as a fast answer"
    assert ("probe_http_status_code", "") not in found
    assert ("probe_http_duration_seconds", "processing") not in found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_formats_parse_whatever_the_labels_hold(protocol: str) -> None:
    one, other = series(AWKWARD, protocol), series("web", protocol)
    one.record(OK)
    other.record(REFUSED)
    text = b"".join(blocks([one, other], "text")).decode()
    openmetrics = b"".join(blocks([one, other], "openmetrics")).decode() + "# EOF\n"
    for families in (list(parse_text(text)), list(parse_openmetrics(openmetrics))):
        services = {sample.labels["service"] for family in families for sample in family.samples}
        assert services == {AWKWARD, "web"}


def test_a_scrape_sees_one_moment_even_while_probes_end() -> None:
    one = series()
    one.record(OK)
    scrape = blocks([one], "text")
    first = next(scrape)
    one.record(REFUSED)
    assert b"} 1\n" in first
    assert b"probe_failure_info" not in b"".join(scrape)


def test_the_table_names_each_family_once() -> None:
    names = [family.name for family in PROBE_FAMILIES]
    assert len(names) == len(set(names))
    for family in PROBE_FAMILIES:
        assert family.name.endswith("_total") is (family.kind == "counter")
