"""Alerts about containers, with cAdvisor's metric names and ours. Docker containers have no label `pod`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.alerts.model import Example, Recipe, Series

if TYPE_CHECKING:
    from decimal import Decimal

CONTAINER = 'id="/docker/1",name="example-1"'
REPLICA = 'replica="1"'
NUMBER = "{{ with $labels.replica }} (replica {{ . }}){{ end }}"
STATES = (
    "{{ range query (printf \"container_state{service=%q,state!='running'} == 1\" $labels.service) }}"
    "{{ .Labels.name }}: {{ .Labels.state }}. {{ end }}"
    '{{ range query (printf "container_start_failure_info{service=%q}" $labels.service) }}'
    "{{ .Labels.name }} could not be started: {{ .Labels.reason }}. {{ end }}"
)
"""The states of the containers that do not run. As a label, each change would start a new alert."""
STOP_SIGNALS = (130, 143)
"""Exit codes of SIGINT and SIGTERM, which are requests to stop. 137 (SIGKILL) is an error, such as out of memory."""


def _of(metric: str, example: Example, labels: str = "") -> str:
    return f"{metric}{{{example.who},{CONTAINER}{labels}}}"


def _of_replica(metric: str, example: Example) -> str:
    return f"{metric}{{{example.who},{REPLICA}}}"


def _containers(example: Example, bad: int) -> tuple[Series, ...]:
    """Return series where `bad` of two containers run, then both."""
    return (
        Series(f"service_containers_wanted{{{example.who}}}", 2, 2),
        Series(f"service_containers_running{{{example.who}}}", bad, 2),
    )


def _share(whole: int, ratio: Decimal) -> int:
    return round(whole * ratio)


CONTAINER_RECIPES = (
    Recipe(
        "HighMemoryUsage", "alerts", "containers",
        # The working set excludes the page cache, and a limit of 0 means no limit.
        expr="container_memory_working_set_bytes{<who>}\n/\n"
        "(container_spec_memory_limit_bytes{<who>} > 0)\n> <limit>",
        summary="{{ $labels.name }} uses {{ $value | humanizePercentage }} of its memory limit",
        description="Container {{ $labels.name }} of {{ $labels.service }} uses {{ $value | humanizePercentage }} of "
        "its memory limit; at 100 % it is killed.",
        dashboard="containers",
        example=lambda e: () if e.limit >= 1 else (
            Series(_of("container_memory_working_set_bytes", e), _share(10**9, e.above), _share(10**9, e.below)),
            Series(_of("container_spec_memory_limit_bytes", e), 10**9, 10**9),
        ),
        keeps=CONTAINER,
    ),
    Recipe(
        "CpuThrottling", "containers", "containers",
        expr="increase(container_cpu_cfs_throttled_periods_total{<who>}[5m])\n/\n"
        "(increase(container_cpu_cfs_periods_total{<who>}[5m]) > 0)\n> <limit>",
        summary="{{ $labels.name }} is throttled",
        description="Container {{ $labels.name }} of {{ $labels.service }} was held back in "
        "{{ $value | humanizePercentage }} of its CPU periods.",
        dashboard="containers",
        example=lambda e: () if e.limit >= 1 else (
            Series(
                _of("container_cpu_cfs_throttled_periods_total", e),
                _share(600, e.above), _share(600, e.below), counter=True,
            ),
            Series(_of("container_cpu_cfs_periods_total", e), 600, 600, counter=True),
        ),
        window=5,
        keeps=CONTAINER,
    ),
    Recipe(
        "ContainerRestarting", "containers", "containers",
        # increase() extrapolates 3 restarts to slightly more than 3. The counter is per replica: Swarm and
        # `up --force-recreate` restart a service with new containers, whose own counters are 0.
        expr="round(increase(service_container_restarts_total{<who>}[15m])) > <limit>",
        summary="{{ $labels.service }} keeps restarting",
        description=f"A container of {{{{ $labels.service }}}}{NUMBER} was restarted or replaced "
        "{{ $value | humanize }} times in 15 minutes.",
        dashboard="containers",
        example=lambda e: (
            Series(_of_replica("service_container_restarts_total", e), round(e.limit) + 1, 0, counter=True),
        ),
        window=15,
        keeps=REPLICA,
    ),
    Recipe(
        "ContainerOomKilled", "containers", "containers",
        expr="increase(service_container_oom_kills_total{<who>}[10m]) > 0",
        summary="{{ $labels.service }} ran out of memory",
        description=f"A container of {{{{ $labels.service }}}}{NUMBER} ran out of memory in the last 10 minutes, and "
        "the kernel killed a process in it.",
        dashboard="containers",
        example=lambda e: (Series(_of_replica("service_container_oom_kills_total", e), 1, 0, counter=True),),
        window=10,
        keeps=REPLICA,
    ),
    Recipe(
        "ServiceNotRunning", "containers", "wanted",
        # Both series are absent if Docker is unreachable. Two exporters can watch the same engine, or different ones.
        expr="(max by (service) (service_containers_running{<who>}) == 0)\n"
        "and\n(max by (service) (service_containers_wanted{<who>}) > 0)",
        summary="No container of {{ $labels.service }} is running",
        description="{{ $labels.service }} should run on this Docker host, but none of its containers is running. "
        f"{STATES}",
        dashboard="containers",
        example=lambda e: _containers(e, 0),
    ),
    Recipe(
        "ReplicasMissing", "containers", "replicas",
        expr="(max by (service) (service_containers_running{<who>}) > 0)\n"
        "<\nmax by (service) (service_containers_wanted{<who>})",
        summary="{{ $labels.service }} has too few running containers",
        description="Only {{ $value }} containers of {{ $labels.service }} are running, fewer than there should be. "
        f"{STATES}",
        dashboard="containers",
        example=lambda e: _containers(e, 1),
    ),
    Recipe(
        "ContainerUnhealthy", "containers", "containers",
        # Docker also reports a container as unhealthy that was stopped while it was healthy.
        expr='(container_health_status{<who>,status="unhealthy"} == 1)\nunless ignoring (status, state)\n'
        '(container_state{<who>,state=~"exited|dead"} == 1)',
        summary="{{ $labels.name }} is unhealthy",
        description="The health check of container {{ $labels.name }} of {{ $labels.service }} fails.",
        dashboard="containers",
        example=lambda e: (
            Series(_of("container_health_status", e, ',status="unhealthy"'), 1, 0),
            Series(_of("container_health_status", e, ',status="healthy"'), 0, 1),
        ),
        keeps=f'{CONTAINER},status="unhealthy"',
    ),
    Recipe(
        "ContainerExited", "containers", "containers",
        expr="(container_exit_code{<who>} != 0 "
        + " ".join(f"!= {code}" for code in STOP_SIGNALS)
        + ')\nand ignoring (state)\n(container_state{<who>,state=~"created|exited|dead"} == 1)',
        summary="{{ $labels.name }} ended with exit code {{ $value }}",
        description="Container {{ $labels.name }} of {{ $labels.service }} ended with exit code {{ $value }} and was "
        f"not started again. {STATES}",
        dashboard="containers",
        example=lambda e: (
            Series(_of("container_exit_code", e), 1, 0),
            Series(_of("container_state", e, ',state="exited"'), 1, 0),
            Series(_of("container_state", e, ',state="running"'), 0, 1),
        ),
        keeps=CONTAINER,
    ),
    Recipe(
        "LogErrors", "containers", "logged",
        expr="60 * sum by (service, pattern) (rate(container_log_matches_total{<who>}[5m])) > <limit>",
        summary="{{ $labels.service }} logs many lines of {{ $labels.pattern }}",
        description="{{ $value | humanize }} lines a minute in the log of {{ $labels.service }} match the pattern "
        "{{ $labels.pattern }}; the limit is <shown>.",
        dashboard="service",
        example=lambda e: (
            Series(
                f'container_log_matches_total{{{e.who},pattern="traceback"}}', e.limit * 2, e.limit / 2, counter=True
            ),
        ),
        window=5,
        keeps='pattern="traceback"',
    ),
)  # fmt: skip
