"""Panels of the selected service's containers."""

from __future__ import annotations

from exporter.outputs.dashboards.model import LIMIT, Panel, Query
from exporter.outputs.dashboards.phrases import NO_CONTAINERS, NO_LIMIT_SET

OF_SERVICE = 'service="$service"'


def containers_of_service() -> tuple[Panel, ...]:
    used = f"container_memory_working_set_bytes{{{OF_SERVICE}}}"
    limit = f"(container_spec_memory_limit_bytes{{{OF_SERVICE}}} > 0)"
    return (
        Panel(
            "Containers",
            "lines",
            (
                Query(f"max(service_containers_running{{{OF_SERVICE}}})", "running"),
                Query(f"max(service_containers_wanted{{{OF_SERVICE}}})", LIMIT),
            ),
            "short",
            "Running containers of the service. The dashed line is the number that should run, from replicas; jobs "
            "have none.",
            NO_CONTAINERS,
            6,
            minimum=0,
        ),
        Panel(
            "CPU",
            "lines",
            (
                Query(
                    f"sum by (name) (rate(container_cpu_usage_seconds_total{{{OF_SERVICE}}}[$__rate_interval]))",
                    "{{name}}",
                ),
            ),
            "cores",
            "Cores that each container of the service uses. The limit is resources.cpu.",
            NO_CONTAINERS,
            minimum=0,
        ),
        Panel(
            "Memory",
            "lines",
            (
                Query(f"max by (name) ({used})", "{{name}}"),
                Query(f"min({limit})", LIMIT),
            ),
            "bytes",
            "The working set, which the kernel cannot reclaim. The dashed line is the smallest limit, from "
            "resources.memory, if there is one.",
            NO_CONTAINERS,
            minimum=0,
        ),
        Panel(
            "Memory against limit",
            "lines",
            (
                Query(f"max by (name) ({used} / {limit})", "{{name}}"),
                Query("vector(${memory_limit:raw})", LIMIT),
            ),
            "percentunit",
            "The working set as a share of the container's limit; unlimited containers are left out. The dashed line "
            "is the limit of HighMemoryUsage for this service.",
            NO_LIMIT_SET,
            minimum=0,
        ),
        Panel(
            "Restarts",
            "lines",
            (
                Query(
                    "sum by (replica) "
                    f"(increase(service_container_restarts_total{{{OF_SERVICE}}}[$__rate_interval]))",
                    "replica {{replica}}",
                ),
            ),
            "short",
            "Restarts of each replica of the service, including new containers that replace the old one.",
            NO_CONTAINERS,
            6,
            minimum=0,
        ),
        Panel(
            "Network",
            "lines",
            (
                Query(
                    f"sum by (name) (rate(container_network_receive_bytes_total{{{OF_SERVICE}}}[$__rate_interval]))",
                    "{{name}} received",
                ),
                Query(
                    f"-sum by (name) (rate(container_network_transmit_bytes_total{{{OF_SERVICE}}}[$__rate_interval]))",
                    "{{name}} sent",
                ),
            ),
            "Bps",
            "Bytes per second that each container of the service receives; sent bytes are below the line.",
            NO_CONTAINERS,
            12,
        ),
    )
