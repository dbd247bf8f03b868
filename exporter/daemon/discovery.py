"""Targets for Prometheus's HTTP service discovery: each service's own metrics.

The format is described at https://prometheus.io/docs/prometheus/latest/http_sd/. Labels that begin with __ set how a
target is scraped, so one job works for services with different paths and intervals.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from exporter.catalog.values.addresses import split_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.catalog.planning.plan import Plan, ServicePlan

MAX_SCRAPE_TIMEOUT = 10.0
"""Prometheus's default, in seconds. Prometheus rejects a timeout that is longer than the interval."""
RESOLVE_SECONDS = 2.0


async def target_groups(plan: Plan) -> list[dict[str, Any]]:
    """Return one group for each service that has metrics, in the catalog's order."""
    services = [service for service in plan.services if service.metrics_target is not None]
    targets = await asyncio.gather(*(_targets(service) for service in services))
    return [
        {"targets": found, "labels": _labels(plan, service)}
        for service, found in zip(services, targets, strict=True)
    ]


def _labels(plan: Plan, service: ServicePlan) -> dict[str, str]:
    labels = {
        "service": service.name,
        "environment": plan.environment,
        "__scheme__": service.metrics_scheme,
        "__metrics_path__": (service.metrics_path or "").partition("?")[0],
        **_query(service.metrics_path or ""),
    }
    if service.metrics_interval is not None:
        labels["__scrape_interval__"] = _duration(service.metrics_interval)
        labels["__scrape_timeout__"] = _duration(min(service.metrics_interval, MAX_SCRAPE_TIMEOUT))
    return labels


def _query(path: str) -> dict[str, str]:
    """Return the query of a path as labels for Prometheus, one per parameter."""
    pairs = (pair.partition("=") for pair in path.partition("?")[2].split("&") if pair)
    return {f"__param_{name}": value for name, _, value in pairs}


def _duration(seconds: float) -> str:
    """Return a duration in seconds or, for fractions, in milliseconds: Prometheus accepts only whole numbers."""
    milliseconds = max(round(seconds * 1000), 1)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


async def _targets(service: ServicePlan) -> list[str]:
    """Return the address of the service; for several replicas behind one name, the address of each.

    If Prometheus scraped the shared name, each scrape could reach another replica, and counters would jump. A name that
    does not resolve is passed to Prometheus, which then shows the target as down.
    """
    target = str(service.metrics_target)
    if service.replicas < 2:
        return [target]
    host, port = split_address(target)
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, family=socket.AF_INET, type=socket.SOCK_STREAM
            )
    except (OSError, UnicodeError, TimeoutError):
        return [target]
    return _joined(address[:2] for *_, address in found)


def _joined(addresses: Iterable[tuple[Any, ...]]) -> list[str]:
    return sorted({f"{host}:{port}" for host, port in addresses})
