"""The dashboard of the containers of selected services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.outputs.dashboards.limits import red_over
from exporter.outputs.dashboards.model import (
    GREEN,
    RED,
    YES_OR_NO,
    Board,
    Column,
    Panel,
    Query,
    Section,
    Step,
    Variable,
)
from exporter.outputs.dashboards.phrases import NO_CONTAINERS, NO_LIMIT_SET, OF_ROW, OF_SERIES, service_link
from exporter.outputs.dashboards.text import title_of
from exporter.outputs.dashboards.uids import CONTAINERS

if TYPE_CHECKING:
    from exporter.catalog.catalog import Catalog

CHOSEN = 'service=~"$service"'
RANGE = "[$__rate_interval]"
LIMITED = f"(container_spec_memory_limit_bytes{{{CHOSEN}}} > 0)"
"""The memory limit; 0 means unlimited and is left out, because a division by it is infinite."""


def containers(catalog: Catalog) -> Board:
    return Board(
        CONTAINERS,
        f"{title_of(catalog)} Containers",
        "Containers by service: state, CPU, memory, network and disk, as Docker and the kernel count them.",
        (
            Section("State", _state(catalog)),
            Section("CPU and memory", _use(catalog)),
            Section("Restarts", _restarts(catalog)),
            Section("Network and disk", _traffic()),
        ),
        (Variable("service", "Service", "label_values(container_state, service)", many=True),),
        CHOSEN,
    )


def _state(catalog: Catalog) -> tuple[Panel, ...]:
    wanted = f"max by (service) (service_containers_wanted{{{CHOSEN}}})"
    runs = f"max by (service) (service_containers_running{{{CHOSEN}}})"
    return (
        Panel(
            "Containers missing",
            "lines",
            (Query(f"clamp_min({wanted} - {runs}, 0)", "{{service}}"),),
            "short",
            "Replicas of each service that are not running: removed, stopped, paused, or never started. "
            "ServiceNotRunning and ReplicasMissing alert on it.",
            NO_CONTAINERS,
            12,
            minimum=0,
            steps=(Step(GREEN), Step(RED, 1)),
            links=(service_link(catalog, OF_SERIES),),
        ),
        Panel(
            "Could not be started",
            "table",
            (
                Query(
                    f"max by (service, name, reason) (container_start_failure_info{{{CHOSEN}}})",
                    instant=True,
                ),
            ),
            "short",
            "Containers that Docker could not start at the last attempt, and the reason. The status page shows "
            "Docker's full message.",
            "Every container could be started, or none is seen",
            12,
            columns=(
                Column("service", "Service"),
                Column("name", "Container"),
                Column("reason", "Reason"),
            ),
            links=(service_link(catalog, OF_ROW),),
        ),
        Panel(
            "Containers by state",
            "stacked",
            (Query(f"sum by (state) (container_state{{{CHOSEN}}})", "{{state}}"),),
            "short",
            "Number of containers in each state, including stopped ones. Read from Docker; see exporter.containers.",
            NO_CONTAINERS,
            minimum=0,
        ),
        Panel(
            "Health over time",
            "states",
            (Query(f'max by (name) (container_health_status{{{CHOSEN},status="healthy"}})', "{{name}}"),),
            "short",
            "Result of each container's health check, set with healthcheck. Containers without one are left out.",
            "No health check: set health or healthcheck on a service",
            steps=(Step(RED), Step(GREEN, 1)),
            mapping=(("0", "not healthy", RED), ("1", "healthy", GREEN)),
            links=(service_link(catalog, OF_SERIES),),
        ),
        Panel(
            "Exit codes of stopped containers",
            "table",
            (
                Query(
                    f"max by (service, name) (container_exit_code{{{CHOSEN}}})"
                    f' and max by (service, name) (container_state{{{CHOSEN},state="running"}}) == 0',
                    instant=True,
                ),
            ),
            "short",
            "Exit code of each stopped container; 137 means killed, often because it was out of memory.",
            "Every container runs, or none is seen",
            columns=(
                Column("service", "Service"),
                Column("name", "Container"),
                Column("Value", "Exit code", (Step(GREEN), Step(RED, 1))),
            ),
            links=(service_link(catalog, OF_ROW),),
        ),
        Panel(
            "Docker reachable",
            "stat",
            (Query("min(exporter_docker_up)", "Docker", instant=True),),
            "short",
            "Whether the exporter reaches Docker. If not, containers have no series instead of outdated ones.",
            NO_CONTAINERS,
            6,
            4,
            steps=(Step(RED), Step(GREEN, 1)),
            mapping=YES_OR_NO,
        ),
        Panel(
            "Oldest start",
            "stat",
            (Query(f"time() - min(container_start_time_seconds{{{CHOSEN}}})", "since", instant=True),),
            "dtdurations",
            "Time since the oldest running container was started.",
            NO_CONTAINERS,
            6,
            4,
        ),
        Panel(
            "Latest start",
            "stat",
            (Query(f"time() - max(container_start_time_seconds{{{CHOSEN}}})", "since", instant=True),),
            "dtdurations",
            "Time since a container was last started: by a deploy, a person, or a restart.",
            NO_CONTAINERS,
            6,
            4,
        ),
        Panel(
            "Killed: out of memory",
            "stat",
            (
                Query(
                    f"sum(increase(service_container_oom_kills_total{{{CHOSEN}}}[$__range]))",
                    "kills",
                    instant=True,
                ),
            ),
            "short",
            "Processes that the kernel killed in the selected time because their container was out of memory.",
            NO_CONTAINERS,
            6,
            4,
            steps=(Step(GREEN), Step(RED, 1)),
        ),
    )


def _use(catalog: Catalog) -> tuple[Panel, ...]:
    throttled = f"sum by (name) (rate(container_cpu_cfs_throttled_periods_total{{{CHOSEN}}}{RANGE}))"
    periods = f"sum by (name) (rate(container_cpu_cfs_periods_total{{{CHOSEN}}}{RANGE}))"
    working_set = f"container_memory_working_set_bytes{{{CHOSEN}}}"
    return (
        Panel(
            "CPU",
            "lines",
            (
                Query(
                    f"sum by (name) (rate(container_cpu_usage_seconds_total{{{CHOSEN}}}{RANGE}))", "{{name}}"
                ),
            ),
            "cores",
            "Cores that each container uses. The limit is resources.cpu.",
            NO_CONTAINERS,
            12,
            minimum=0,
        ),
        Panel(
            "CPU throttling",
            "lines",
            (Query(f"{throttled} / ({periods} > 0)", "{{name}}"),),
            "percentunit",
            "The share of scheduler periods in which a container had used up its CPU limit. The line is the limit of "
            "CpuThrottling in defaults.alerts.",
            "No throttling data: needs resources.cpu and a running container",
            12,
            steps=red_over(catalog, "CpuThrottling"),
            minimum=0,
        ),
        Panel(
            "Memory",
            "lines",
            (Query(f"max by (name) ({working_set})", "{{name}}"),),
            "bytes",
            "The working set of each container: memory that the kernel cannot reclaim, so without page cache.",
            NO_CONTAINERS,
            12,
            minimum=0,
        ),
        Panel(
            "Memory against limit",
            "lines",
            (Query(f"max by (name) ({working_set} / {LIMITED})", "{{name}}"),),
            "percentunit",
            "The working set as a share of the container's limit; unlimited containers are left out. The line is the "
            "limit of HighMemoryUsage in defaults.alerts.",
            NO_LIMIT_SET,
            12,
            steps=red_over(catalog, "HighMemoryUsage"),
            minimum=0,
        ),
    )


def _restarts(catalog: Catalog) -> tuple[Panel, ...]:
    return (
        Panel(
            "Restarts",
            "lines",
            (
                Query(
                    f"sum by (service, replica) (increase(service_container_restarts_total{{{CHOSEN}}}{RANGE}))",
                    "{{service}} {{replica}}",
                ),
            ),
            "short",
            "Restarts of each replica, by Docker, by hand, or as a new container that replaces the old one. If they "
            "repeat, look at the container's log.",
            NO_CONTAINERS,
            12,
            minimum=0,
        ),
        Panel(
            "Restarts in 15 minutes",
            "bars",
            (
                Query(
                    "sort_desc(topk(10, sum by (service, replica) "
                    f"(increase(service_container_restarts_total{{{CHOSEN}}}[15m]))))",
                    "{{service}} {{replica}}",
                    instant=True,
                ),
            ),
            "short",
            "Restarts that ContainerRestarting counts; red from its limit in defaults.alerts.",
            NO_CONTAINERS,
            12,
            steps=red_over(catalog, "ContainerRestarting"),
            minimum=0,
        ),
    )


TRAFFIC = (
    (
        "Network",
        "container_network_receive_bytes_total",
        "received",
        "container_network_transmit_bytes_total",
        "sent",
    ),
    ("Disk", "container_fs_reads_bytes_total", "read", "container_fs_writes_bytes_total", "written"),
)


def _traffic() -> tuple[Panel, ...]:
    return tuple(
        Panel(
            title,
            "lines",
            (
                Query(f"sum by (name) (rate({first}{{{CHOSEN}}}{RANGE}))", f"{{{{name}}}} {above}"),
                Query(f"-sum by (name) (rate({second}{{{CHOSEN}}}{RANGE}))", f"{{{{name}}}} {below}"),
            ),
            "Bps",
            f"Bytes per second {above} by each container; {below} bytes are below the line.",
            NO_CONTAINERS,
            12,
        )
        for title, first, above, second, below in TRAFFIC
    )
