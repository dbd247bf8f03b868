"""Snapshot of the plan, its probes, containers, volumes and backups, for the API and the page."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from exporter.containers.generations import running
from exporter.daemon.state_containers import container_state, docker_state, judge
from exporter.daemon.state_storage import backup_state, volume_state
from exporter.daemon.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.plan import Plan, ServicePlan
    from exporter.containers.model import Container
    from exporter.daemon.guard import Guard
    from exporter.daemon.snapshot import (
        BackupState,
        ContainerState,
        Judged,
        ProbeState,
        ServiceState,
        ServiceWord,
        Snapshot,
    )
    from exporter.daemon.surroundings import ContainerView
    from exporter.daemon.watch import State, Watch

WORST: tuple[State, ...] = ("down", "unknown", "up")
"""A service's state is that of its worst probe."""
WORDS: tuple[ServiceWord, ...] = ("up", "down", "unknown", "unwatched")
NOTHING = Surroundings()
_ON_DEMAND = "it is started on demand, and does not run"


def snapshot(plan: Plan, watches: Iterable[Watch], surroundings: Surroundings = NOTHING) -> Snapshot:
    """Return the state of all services, as in `/api/v1/services`. Times are seconds since the epoch."""
    now = time.time()
    probes: dict[str, list[Watch]] = {service.name: [] for service in plan.services}
    for watch in watches:
        probes[watch.target.service].append(watch)
    containers: dict[str, list[ContainerView]] = {service.name: [] for service in plan.services}
    strangers: list[ContainerView] = []
    for view in surroundings.containers:
        containers.get(view.container.identity.service or "", strangers).append(view)
    backed_up = frozenset(plan.backups.names) if plan.backups else frozenset()

    def backup(name: str) -> BackupState | None:
        return backup_state(surroundings, name, now) if name in backed_up else None

    services = [
        _service(service, probes[service.name], containers[service.name], surroundings, backup(service.name))
        for service in plan.services
    ]
    states = [service["state"] for service in services]
    return {
        "project": plan.project,
        "environment": plan.environment,
        "time": now,
        "summary": {state: states.count(state) for state in WORDS},
        "docker": docker_state(surroundings.docker) if surroundings.docker else None,
        "services": services,
        "strangers": _containers(strangers, surroundings.guard),
        "volumes": [
            volume_state(volume, surroundings.volumes.get(volume.name), backup(volume.name))
            for volume in plan.volumes
        ],
    }


def _service(
    service: ServicePlan,
    watches: list[Watch],
    containers: list[ContainerView],
    surroundings: Surroundings,
    backup: BackupState | None,
) -> ServiceState:
    wanted = surroundings.wanted.get(service.name)
    counted = surroundings.docker is not None and surroundings.docker.up
    current = [view.container for view in containers if not view.old]
    return {
        "name": service.name,
        "kind": service.kind,
        "description": service.description,
        "owner": service.owner,
        "depends_on": list(service.depends_on),
        "deployed": service.deployed,
        "runbook": service.runbook,
        **_judged(service, watches, current, wanted, surroundings),
        "containers_wanted": wanted,
        "containers_running": running(current) if counted and _is_here(service, current, wanted) else None,
        "probes": [_probe(watch) for watch in watches],
        "containers": _containers(containers, surroundings.guard),
        "backup": backup,
    }


def _containers(views: list[ContainerView], guard: Guard) -> list[ContainerState]:
    states = [guard.value("page", partial(container_state, view)) for view in views]
    return [state for state in states if state is not None]


def _judged(
    service: ServicePlan,
    watches: list[Watch],
    containers: list[Container],
    wanted: int | None,
    surroundings: Surroundings,
) -> Judged:
    if service.on_demand and not running(containers):
        docker = surroundings.docker
        if docker is not None and not docker.up:
            return {"state": "unknown", "reason": None, "detail": docker.error, "since": None}
        return {"state": "unwatched", "reason": None, "detail": _ON_DEMAND, "since": None}
    return _by_probes(watches) if watches else _by_containers(service, containers, wanted, surroundings)


def _by_probes(watches: list[Watch]) -> Judged:
    states = {watch.state for watch in watches}
    worst = next(state for state in WORST if state in states)
    began = [watch.since for watch in watches if watch.state == worst and watch.since is not None]
    result = next(watch.result for watch in watches if watch.state == worst)
    since: float | None = None
    if began:
        since = max(began) if worst == "up" else min(began)
    return {
        "state": worst,
        "reason": str(result.reason) if result is not None else None,
        "detail": result.detail if result is not None else "",
        "since": since,
    }


def _by_containers(
    service: ServicePlan, containers: list[Container], wanted: int | None, surroundings: Surroundings
) -> Judged:
    """Return the state of a service without probes."""
    docker = surroundings.docker
    if docker is None or not service.contained:
        return {"state": "unwatched", "reason": None, "detail": "", "since": None}
    if not docker.up:
        return {"state": "unknown", "reason": None, "detail": docker.error, "since": None}
    state, detail, since = judge(containers, wanted=wanted or 0, ends=service.ends, may_end=service.may_end)
    return {"state": state, "reason": None, "detail": detail, "since": since}


def _is_here(service: ServicePlan, containers: list[Container], wanted: int | None) -> bool:
    """True if its containers are counted: what somebody else runs may run on another engine."""
    return service.contained and (service.deployed or bool(containers) or wanted is not None)


def _probe(watch: Watch) -> ProbeState:
    target, result = watch.target, watch.result
    return {
        "name": target.probe,
        "protocol": watch.series.protocol,
        "target": target.target,
        "interval_seconds": target.interval,
        "timeout_seconds": target.timeout,
        "state": watch.state,
        "reason": str(result.reason) if result is not None else None,
        "detail": result.detail if result is not None else "",
        "since": watch.since,
        "last_run": watch.finished_at,
        "duration_seconds": result.duration_seconds if result is not None else None,
        "phases": dict(result.phases) if result is not None else {},
        "facts": dict(result.facts) if result is not None else {},
        "successes": watch.series.successes,
        "failures": watch.series.failures,
        "missed": watch.missed,
    }
