"""The names of cAdvisor and blackbox_exporter in docs/metrics.md, compared with the table of families."""

from __future__ import annotations

import re

import pytest

from exporter.metrics.container_families import CONTAINER_FAMILIES
from exporter.metrics.storage_families import DOCKER_FAMILIES
from exporter.probes.protocols import PROBE_FAMILIES
from tools.peer_metrics import (
    BLACKBOX_EXPORTED,
    BLACKBOX_LEFT_OUT,
    CADVISOR_EXPORTED,
    CADVISOR_LEFT_OUT,
)

KINDS = {
    **{family.name: family.kind for family in CONTAINER_FAMILIES},
    **{family.name: family.kind for family in DOCKER_FAMILIES},
    **{family.name: family.kind for family in PROBE_FAMILIES},
}

QUERIES = (
    # awesome-prometheus-alerts, "Docker containers"
    "time() - container_last_seen > 60",
    "absent(container_last_seen)",
    "sum(rate(container_cpu_usage_seconds_total[5m])) / sum(container_spec_cpu_quota / container_spec_cpu_period)",
    "sum(container_memory_working_set_bytes) / sum(container_spec_memory_limit_bytes > 0)",
    "sum(increase(container_cpu_cfs_throttled_periods_total[5m])) / sum(increase(container_cpu_cfs_periods_total[5m]))",
    "rate(container_cpu_cfs_throttled_seconds_total[5m])",
    "container_fs_inodes_free / container_fs_inodes_total",
    # dockprom: its dashboards and alerts
    "sum(rate(container_cpu_usage_seconds_total[1m])) by (name)",
    "sum(rate(container_cpu_user_seconds_total[1m]))",
    "sum(container_memory_usage_bytes) by (name)",
    "sum(container_memory_cache) by (name)",
    "sum by (name) (rate(container_network_receive_bytes_total[1m]))",
    "sum by (name) (rate(container_network_transmit_bytes_total[1m]))",
    "count(rate(container_last_seen[1m]))",
    "sum(container_fs_usage_bytes)",
    "count(container_tasks_state)",
    # Grafana.com 193, 893, 10619, 13946, 14282, 19792, 19908 and their many copies
    'count(container_last_seen{image!=""})',
    'count(container_last_seen{name=~".+"} > bool (time() - 60))',
    "sum(container_memory_working_set_bytes) / sum(machine_memory_bytes) * 100",
    "sum(rate(container_cpu_usage_seconds_total[5m])) / sum(machine_cpu_cores) * 100",
    "(time() - container_start_time_seconds) / 86400",
    "sum(container_spec_memory_limit_bytes - container_memory_usage_bytes) by (name)",
    "sum by (name) (container_memory_rss) + sum by (name) (container_memory_swap)",
    "container_fs_usage_bytes / container_fs_limit_bytes",
    # awesome-prometheus-alerts, "Blackbox"
    "probe_success == 0",
    "avg_over_time(probe_duration_seconds[1m]) > 1",
    "probe_http_status_code <= 199 or probe_http_status_code >= 400",
    "probe_ssl_earliest_cert_expiry - time()",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "avg_over_time(probe_http_duration_seconds[1m])",
    "avg_over_time(probe_icmp_duration_seconds[1m])",
)
"""Common existing queries, reduced to their metrics."""


@pytest.mark.parametrize("name", [*CADVISOR_EXPORTED, *BLACKBOX_EXPORTED])
def test_what_is_said_to_be_exported_is(name: str) -> None:
    assert name in KINDS
    counted = name.endswith("_total") or name == "container_memory_failcnt"
    assert KINDS[name] == ("counter" if counted else "gauge")


@pytest.mark.parametrize("name", [*CADVISOR_LEFT_OUT, *BLACKBOX_LEFT_OUT])
def test_what_is_said_to_be_left_out_is(name: str) -> None:
    assert name not in KINDS


@pytest.mark.parametrize("query", QUERIES)
def test_metrics_of_queries_that_people_have_are_exported_or_listed(query: str) -> None:
    names = set(re.findall(r"\b(?:container|machine|probe)_\w+", query))
    assert names
    assert names <= {*CADVISOR_EXPORTED, *BLACKBOX_EXPORTED, *CADVISOR_LEFT_OUT, *BLACKBOX_LEFT_OUT}
