"""The families of a service's containers together: how many run and should, and counts that outlive a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.metrics.family import ItemFamily
from exporter.metrics.items import value
from exporter.metrics.text import label_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.containers.history import Tally


@dataclass(frozen=True, slots=True)
class ServiceView:
    """`wanted`, `running`: numbers of containers; None where they are not known, or nobody can say."""

    wanted: int | None
    running: int | None
    start_failures: Mapping[str, int]
    """By reason, all of them."""


def _start_failures(service: ServiceView) -> Iterable[tuple[str, float]]:
    return [(f",{label_text([('reason', reason)])}", n) for reason, n in service.start_failures.items()]


SERVICE_FAMILIES: tuple[ItemFamily[ServiceView], ...] = (
    ItemFamily(
        "service_containers_wanted",
        "gauge",
        "Containers of the service that must run here: its replicas. Absent of what is not deployed here, of jobs, and "
        "while the Docker engine cannot be reached.",
        value(lambda service: service.wanted),
    ),
    ItemFamily(
        "service_containers_running",
        "gauge",
        "Containers of the service that run; paused and restarting ones do not. Absent while the Docker engine cannot "
        "be reached.",
        value(lambda service: service.running),
    ),
    ItemFamily(
        "service_container_start_failures_total",
        "counter",
        "Containers of the service that the engine could not start, by reason.",
        _start_failures,
        ("reason",),
        from_zero=True,
    ),
)
"""With the label `service`, for what the catalog deploys."""

REPLICA_FAMILIES: tuple[ItemFamily[Tally], ...] = (
    ItemFamily(
        "service_container_restarts_total",
        "counter",
        "Starts of the replica's container after the first one, whether of the same container or of one that replaced "
        "it, since the exporter watches it.",
        value(lambda tally: tally.restarts),
        from_zero=True,
    ),
    ItemFamily(
        "service_container_oom_kills_total",
        "counter",
        "Processes of the replica's containers killed out of memory since the exporter watches it.",
        value(lambda tally: tally.oom_kills),
        from_zero=True,
    ),
)
"""With the labels `service` and `replica`: the number that Compose or Swarm gives; absent where neither does."""
