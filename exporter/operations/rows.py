"""The rows of `exporter status`: one for each service in the catalog, with or without containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from exporter.host.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from exporter.host.containers import Container
    from exporter.host.site import Site

Kind = Literal["store", "service", "gateway", "monitoring", "unknown"]

MISSING = "missing"
"""The health of a service without containers."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A row. `problem`: empty if the service is as wanted. `since`: when its containers last started or exited."""

    name: str
    kind: Kind
    wanted: int
    running: int
    release: str
    health: str
    since: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One service as wanted by the catalog. `job`: it runs once and exits."""

    name: str
    kind: Kind
    count: int
    job: bool = False


def wanted(site: Site) -> list[Wanted]:
    """Return every service of the catalog's environment, in start order."""
    gateway = [Wanted(site.gateway, "gateway", 0 if site.gateway_profile else 1)] if site.gateway else []
    return [
        *(Wanted(name, "store", 1) for name in site.stores),
        *(Wanted(each.name, "service", each.replicas, each.job) for each in site.services),
        *gateway,
        *(Wanted(name, "monitoring", 1) for name in site.monitoring),
    ]


def rows(
    services: Sequence[Wanted], containers: Iterable[Container], release: Callable[[Container], str]
) -> list[ServiceRow]:
    """Return the rows; services that are not in the catalog come last."""
    of: dict[str, list[Container]] = {each.name: [] for each in services}
    for container in containers:
        of.setdefault(container.service, []).append(container)
    known = {each.name: each for each in services}
    return [_row(known.get(name) or Wanted(name, "unknown", 0), found, release) for name, found in of.items()]


def _row(service: Wanted, containers: Sequence[Container], release: Callable[[Container], str]) -> ServiceRow:
    good = [each for each in containers if _is_well(each, service)]
    bad = [each for each in containers if not _is_well(each, service)]
    moments = [moment for each in bad or good if (moment := _since(each))]
    health, problem = _judged(service, good, bad)
    return ServiceRow(
        name=service.name,
        kind=service.kind,
        wanted=service.count,
        running=sum(each.running for each in containers),
        release=", ".join(sorted({release(each) for each in containers})),
        health=health,
        since=max(moments, default=None),
        problem=problem,
    )


def _judged(service: Wanted, good: Sequence[Container], bad: Sequence[Container]) -> tuple[str, str]:
    """Return a service's health in a few words, and its problem in a sentence."""
    if service.kind == "unknown":
        word = describe(bad[0]) if bad else describe(good[0])
        return word, ""
    if not good and not bad:
        missing = service.count > 0
        return (MISSING, f"{service.name} has no container") if missing else ("off", "")
    if bad:
        worst = max(bad, key=lambda each: _BADNESS.get(each.state, 0))
        word = describe(worst)
        where = f" ({shown(worst.name)})" if service.count > 1 else ""
        count = f"{len(good)} of {service.count} healthy, " if service.count > 1 else ""
        return f"{count}{word}", f"{service.name} is {word}{where}"
    if len(good) < service.count:
        count = f"{len(good)} of {service.count}"
        return f"{count} there", f"{service.name} has {count} replicas"
    return describe(good[0]), ""


def describe(container: Container) -> str:
    """Return a container's state in a few words, such as `exited 137 (out of memory)`."""
    if container.state == "running":
        return shown(container.health) or "running"
    if container.completed:
        return "completed"
    if container.state in ("exited", "dead"):
        why = " (out of memory)" if container.out_of_memory else ""
        return f"{container.state} {container.exit_code}{why}"
    if container.state == "restarting":
        return f"restarting (last exit {container.exit_code})"
    return shown(container.state) or "in an unknown state"


_BADNESS = {"dead": 6, "exited": 5, "restarting": 4, "running": 3, "created": 2, "paused": 1}


def _is_well(container: Container, service: Wanted) -> bool:
    return container.healthy or (container.completed and (service.job or container.restart_policy == "no"))


def _since(container: Container) -> datetime | None:
    return container.started if container.running else container.finished or container.started
