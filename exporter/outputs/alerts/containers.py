"""Alerts about containers, by cAdvisor's names and ours. Plain Docker containers have no label `pod`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.alerts.model import Example, Recipe, Series

if TYPE_CHECKING:
    from decimal import Decimal

CONTAINER = 'id="/docker/1",name="example-1"'
STOP_SIGNALS = (130, 143)
"""Exit codes of SIGINT and SIGTERM: somebody asked it to stop. 137 (SIGKILL) counts, since want of memory kills so."""


def _of(metric: str, example: Example, labels: str = "") -> str:
    return f"{metric}{{{example.who},{CONTAINER}{labels}}}"


def _share(whole: int, ratio: Decimal) -> int:
    return round(whole * ratio)


CONTAINER_RECIPES = (
    Recipe(
        "HighMemoryUsage", "alerts", "containers",
        # The working set leaves out the page cache, and a limit of 0 means that there is none.
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
        "CpuThrottling", "alerts", "containers",
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
        "ContainerRestarting", "alerts", "containers",
        # increase() extrapolates, so that 3 restarts come out as a little more than 3.
        expr="round(increase(container_restarts_total{<who>}[15m])) > <limit>",
        summary="{{ $labels.name }} restarts again and again",
        description="Container {{ $labels.name }} of {{ $labels.service }} restarted {{ $value | humanize }} times in "
        "15 minutes.",
        dashboard="containers",
        example=lambda e: (Series(_of("container_restarts_total", e), round(e.limit) + 1, 0, counter=True),),
        window=15,
        keeps=CONTAINER,
    ),
    Recipe(
        "ContainerOomKilled", "alerts", "containers",
        expr="increase(container_oom_events_total{<who>}[10m]) > 0",
        summary="{{ $labels.name }} ran out of memory",
        description="The kernel killed a process of container {{ $labels.name }} of {{ $labels.service }} for want of "
        "memory in the last 10 minutes.",
        dashboard="containers",
        example=lambda e: (Series(_of("container_oom_events_total", e), 1, 0, counter=True),),
        window=10,
        keeps=CONTAINER,
    ),
    Recipe(
        "ContainerUnhealthy", "alerts", "containers",
        # The engine calls a container unhealthy once its check has ended: also one that was stopped in good health.
        expr='(container_health_status{<who>,status="unhealthy"} == 1)\nunless ignoring (status, state)\n'
        '(container_state{<who>,state=~"exited|dead"} == 1)',
        summary="{{ $labels.name }} is unhealthy",
        description="The own health check of container {{ $labels.name }} of {{ $labels.service }} fails.",
        dashboard="containers",
        example=lambda e: (
            Series(_of("container_health_status", e, ',status="unhealthy"'), 1, 0),
            Series(_of("container_health_status", e, ',status="healthy"'), 0, 1),
        ),
        keeps=f'{CONTAINER},status="unhealthy"',
    ),
    Recipe(
        "ContainerExited", "alerts", "containers",
        expr="(container_exit_code{<who>} != 0 "
        + " ".join(f"!= {code}" for code in STOP_SIGNALS)
        + ')\nand ignoring (state)\n(container_state{<who>,state=~"exited|dead"} == 1)',
        summary="{{ $labels.name }} ended with exit code {{ $value }}",
        description="Container {{ $labels.name }} of {{ $labels.service }} ended with exit code {{ $value }} and was "
        "not started again.",
        dashboard="containers",
        example=lambda e: (
            Series(_of("container_exit_code", e), 1, 0),
            Series(_of("container_state", e, ',state="exited"'), 1, 0),
            Series(_of("container_state", e, ',state="running"'), 0, 1),
        ),
        keeps=CONTAINER,
    ),
    Recipe(
        "LogErrors", "alerts", "logged",
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
