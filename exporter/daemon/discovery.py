"""Targets for Prometheus, in the form of its HTTP service discovery: each service's own metrics.

https://prometheus.io/docs/prometheus/latest/http_sd/ has the form. Labels that begin with __ set how a target is
scraped, so one job fits services with different paths and intervals.
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
"""Prometheus's default, in seconds; a timeout longer than its interval is an error there."""
RESOLVE_SECONDS = 2.0


async def target_groups(plan: Plan) -> list[dict[str, Any]]:
    """One group for each service that has metrics, in the catalog's order."""
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
    """Prometheus takes a query as labels, one for each parameter."""
    pairs = (pair.partition("=") for pair in path.partition("?")[2].split("&") if pair)
    return {f"__param_{name}": value for name, _, value in pairs}


def _duration(seconds: float) -> str:
    """Whole seconds, or else milliseconds: Prometheus takes no fractions."""
    milliseconds = max(round(seconds * 1000), 1)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


async def _targets(service: ServicePlan) -> list[str]:
    """Its address; of several replicas behind one name, the address of each.

    Scraped by their shared name, replicas would take turns: every counter would seem to fall and rise. A name that
    does not resolve is left to Prometheus, which then shows the target as down.
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
