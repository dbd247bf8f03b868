"""Metric families of all containers of a service: how many run and should run, and counts kept across containers."""

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
    """The containers of a service. `wanted`, `running`: their numbers; None if not known."""

    wanted: int | None
    running: int | None
    start_failures: Mapping[str, int]
    """By reason; holds every reason."""


def _start_failures(service: ServiceView) -> Iterable[tuple[str, float]]:
    return [(f",{label_text([('reason', reason)])}", n) for reason, n in service.start_failures.items()]


SERVICE_FAMILIES: tuple[ItemFamily[ServiceView], ...] = (
    ItemFamily(
        "service_containers_wanted",
        "gauge",
        "Containers of the service that should run here: its replicas, or, if somebody else runs it and the catalog "
        "says no number, its containers that exist. Absent for services that do not run here, for jobs, and while the "
        "Docker engine cannot be reached.",
        value(lambda service: service.wanted),
    ),
    ItemFamily(
        "service_containers_running",
        "gauge",
        "Running containers of the service, not counting paused and restarting ones. Absent while the Docker engine "
        "cannot be reached.",
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
"""With the label `service`, for each service that the catalog deploys, or whose containers are here."""

REPLICA_FAMILIES: tuple[ItemFamily[Tally], ...] = (
    ItemFamily(
        "service_container_restarts_total",
        "counter",
        "Starts of the replica's container after the first one, whether of the same container or of its replacement, "
        "since the exporter began watching it.",
        value(lambda tally: tally.restarts),
        from_zero=True,
    ),
    ItemFamily(
        "service_container_oom_kills_total",
        "counter",
        "Out-of-memory kills of the processes of the replica's containers since the exporter began watching it.",
        value(lambda tally: tally.oom_kills),
        from_zero=True,
    ),
)
"""With the labels `service` and `replica`: the number given by Compose or Swarm; absent without one."""
