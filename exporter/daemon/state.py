"""What is running now: the plan, its watches, and the account of them that the API and the page give."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.targets import Plan, ServicePlan
    from exporter.daemon.watch import State, Watch

WORST: tuple[State, ...] = ("down", "unknown", "up")
"""A service is as well as the worst of its probes."""


def snapshot(plan: Plan, watches: Iterable[Watch]) -> dict[str, Any]:
    """The state of every service, as `/api/v1/services` gives it. Times are seconds since the epoch."""
    probes: dict[str, list[Watch]] = {service.name: [] for service in plan.services}
    for watch in watches:
        probes[watch.target.service].append(watch)
    services = [_service(service, probes[service.name]) for service in plan.services]
    states = [service["state"] for service in services]
    return {
        "project": plan.project,
        "environment": plan.environment,
        "time": time.time(),
        "summary": {state: states.count(state) for state in ("up", "down", "unknown", "unwatched")},
        "services": services,
    }


def _service(service: ServicePlan, watches: list[Watch]) -> dict[str, Any]:
    states = {watch.state for watch in watches}
    worst = next((state for state in WORST if state in states), "unwatched")
    began = [watch.since for watch in watches if watch.state == worst and watch.since is not None]
    first = next((watch for watch in watches if watch.state == worst), None)
    result = first.result if first is not None else None
    since: float | None = None
    if began:
        since = max(began) if worst == "up" else min(began)
    return {
        "name": service.name,
        "kind": service.kind,
        "description": service.description,
        "owner": service.owner,
        "depends_on": list(service.depends_on),
        "deployed": service.deployed,
        "runbook": service.runbook,
        "state": worst,
        "reason": str(result.reason) if result is not None else None,
        "detail": result.detail if result is not None else "",
        "since": since,
        "probes": [_probe(watch) for watch in watches],
    }


def _probe(watch: Watch) -> dict[str, Any]:
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
